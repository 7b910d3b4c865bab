import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsed import checked
from synthetic import FOUR, comparison, result

from motet.record.comparison import compare
from motet.record.report import compare_report, run_report
from motet.record.report.curves import lowest_agreement
from motet.record.report.page import options, typeset
from motet.record.report.raster import MOST_CLIENTS, MOST_COLUMNS, client_names, raster
from motet.record.report.reason import why
from motet.record.report.subsets import short
from motet.record.result import Meaning, Validation
from motet.record.wording import duration, points, probability, shortened, size

NASTY = "<script>alert('x')</script>\"&$a_b$"


def test_a_comparison_is_one_self_contained_page():
    found = comparison(FOUR, assessed=True)
    page = compare_report(found, why(found))
    checked(page)
    assert len(page) < 1_500_000
    for name in FOUR:
        assert f">{name}" in page
    for title in (
        "Accuracy over rounds",
        "Accuracy over bytes sent",
        "Online (prequential) loss over rounds",
        "Accuracy with only some modalities",
        "Accuracy by class",
        "Spread over clients",
        "Which client lacked which modality, and when",
        "Which client had degraded which modality, and when",
        "How well bad data were noticed",
        "What was run",
        "Full configuration",
    ):
        assert title in page
    assert page.count("<figure>") == page.count('<svg viewBox="0 0 403.2') == 8
    assert "pmm leads fedavg by" in page
    assert "+14.6 to +15.3" in page


def test_a_run_is_one_self_contained_page():
    page = run_report(result("qqr", assessed=True))
    checked(page)
    assert "this is one run, so no interval can be given" in page
    assert "Dirichlet, alpha 1" in page
    assert "Adam; learning rate 0.005" in page
    assert "encoder conv for every modality" in page
    assert "31 to 512 samples each" in page
    assert "6 classes, 2,400 training samples, 800 test samples" in page
    assert "One modality is missing in 60\xa0% of client-rounds, 90\xa0% of the time acc" in page


def owning(found, dropped=0):
    """Give a result of ten clients, five of which own one modality only, and of two rounds."""
    unimodal = {"0": "acc", "3": "gyro", "4": "acc", "7": "acc", "9": "gyro"}
    owned = {"owners": {"acc": 8, "gyro": 7}, "unimodal": unimodal, "dropped": dropped}
    lines = [
        line.model_copy(update={"participation": {"acc": had, "gyro": 5}})
        for line, had in zip(found.history, (7, 8), strict=True)
    ]
    return found.model_copy(update={"data": {**found.data, **owned}, "history": lines})


def test_the_setting_says_who_owns_what():
    found = owning(result(rounds=2))
    said = " ".join(checked(run_report(found)).text)
    assert "5 clients with one modality only: 8 own acc and 7 own gyro; in a round 7.5 with acc and 5 with gyro" in said
    assert "left out" not in said
    said = " ".join(checked(run_report(owning(result(rounds=2), dropped=12))).text)
    assert "12 samples without the only modality of their client left out." in said
    assert "with one modality only" not in run_report(result(rounds=2))


def test_who_owns_what_is_told_of_a_rival_not_of_the_upper_bound():
    runs = {("full", 0): result("full", rounds=2), ("fedavg", 0): owning(result(rounds=2))}
    assert "8 own acc and 7 own gyro" in compare_report(compare(["full", "fedavg"], [0], {}, runs), None)


def test_validation_stands_with_a_runs_figures():
    found = result("late")
    held = Validation(accuracy=0.625, balanced_accuracy=0.6, loss=1, worst_class=0.3, fusion={"acc": 1.25, "gyro": 0})
    data = {**found.data, "validation_samples": 400}
    said = " ".join(checked(run_report(found.model_copy(update={"validation": held, "data": data}))).text)
    assert "62.5\xa0%" in said
    assert "acc 1.25, gyro 0" in said
    assert "2,400 training samples, 400 validation samples, 800 test samples" in said
    assert "validation" not in " ".join(checked(run_report(found)).text)


def test_uploads_that_were_refused_stand_on_the_page():
    """By hand: 3 and 1 of client 0, 2 of client 4."""
    taken = result("fedavg")
    refused = result("qqr").model_copy(update={"refused": {"It lied.": {"0": 3, "4": 2}, "It came late.": {"0": 1}}})
    said = "6 uploads of 2 clients. 5 times: It lied. 1 time: It came late."
    assert said in checked(run_report(refused)).text
    both = {("fedavg", 0): taken, ("qqr", 0): refused}
    page = checked(compare_report(compare(["fedavg", "qqr"], [0], {}, both), None)).text
    assert page[page.index("Refused (qqr)") + 1] == said
    assert "Refused (fedavg)" not in page
    assert "refused" not in checked(run_report(taken)).text


def test_the_upper_bound_is_marked_wherever_it_is_named():
    found = comparison(FOUR)
    page = checked(compare_report(found, why(found)))
    said = " ".join(page.text)
    rest = re.sub(r"full\s+(upper bound|\(upper bound\))|upper\s+bound\s+full", "", said, flags=re.IGNORECASE)
    assert not re.findall(r"\bfull\b(?! sees data)", rest)
    labels = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and "aria-label" in attributes]
    assert all("full" not in label.replace("full (upper bound)", "") for label in labels)
    assert "upper bound" in run_report(result("full"))
    assert "upper bound" in run_report(result("mine", config={"impaired": False}))


def test_pages_are_the_same_each_time():
    found = comparison(FOUR, assessed=True)
    assert compare_report(found, "because") == compare_report(found, "because")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from synthetic import result; "
        "from motet.record.report import run_report; import hashlib; "
        "print(hashlib.sha256(run_report(result('qqr', assessed=True)).encode()).hexdigest(), 'torch' in sys.modules)"
    )
    folder = str(__file__).rpartition("/")[0]
    runs = {
        subprocess.run(
            [sys.executable, "-c", code, folder],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    assert runs.pop().endswith("False\n")


def test_a_page_ignores_the_users_matplotlib_settings():
    import matplotlib

    plain = run_report(result())
    with matplotlib.rc_context({"axes.linewidth": 9, "font.size": 30, "svg.fonttype": "path"}):
        assert run_report(result()) == plain
        assert matplotlib.rcParams["axes.linewidth"] == 9


@pytest.mark.parametrize("place", ["recipe", "class", "modality", "why", "engine", "config"])
def test_names_are_escaped(place):
    common = {
        "modalities": [NASTY, "gyro"] if place == "modality" else ["acc", "gyro"],
        "classes": [NASTY, "b"] if place == "class" else ["a", "b"],
        "config": {"noted": NASTY} if place == "config" else None,
        "recipe": {"missing": NASTY} if place == "engine" else None,
    }
    names = ["fedavg", NASTY if place == "recipe" else "pmm"]
    found = comparison({name: [0.6, 0.7] for name in names}, **common)
    for page in (
        compare_report(found, NASTY if place == "why" else None),
        run_report(result(names[1], **common)),
    ):
        checked(page)
        assert page.count("<script") == 1


def test_names_in_figures_are_text_and_taken_literally():
    page = run_report(result(classes=["$a_b$", "c & d", r"\alpha"]))
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", page)
    assert {"$a_b$", "c &amp; d", r"\alpha", "accuracy (%)"} <= set(drawn)


def test_one_seed_shows_no_interval_column():
    found = comparison({"fedavg": [0.6], "pmm": [0.7]})
    page = compare_report(found, why(found))
    checked(page)
    assert "no interval can be given" in page
    assert "interval</th>" not in page


def test_lines_that_coincide_are_named():
    page = compare_report(comparison({"fedavg": [0.6, 0.7], "pmm": [0.6, 0.7]}), None)
    assert "pmm lies on fedavg (dashed)." in page


MEANING = "Do prototypes mean the same across modalities?"


def meaning(*agreements, separation=0.5):
    """Give the meaning of prototypes, from the agreement of each pair."""
    pairs = {f"acc~{place}": value for place, value in enumerate(agreements)}
    return Meaning(agreement=pairs, separation={"acc": separation})


def test_prototypes_are_drawn_for_the_recipes_that_have_them():
    runs = {
        (name, 0): result(name, 0.7, meaning=meaning(0.8, 0.25) if name == "qqr" else None)
        for name in ("fedavg", "qqr")
    }
    page = checked(compare_report(compare(["fedavg", "qqr"], [0], {}, runs), None))
    (label,) = [
        attributes["aria-label"] for _, attributes in page.tags if attributes.get("aria-label", "").startswith(MEANING)
    ]
    assert label == f"{MEANING}, as lines: qqr from 0.25 to 0.25."
    assert "at 1 the same classes are near each other" in " ".join(page.text)


@pytest.mark.parametrize("nothing", [None, meaning(), meaning(None)])
def test_prototypes_that_cannot_be_compared_are_not_drawn(nothing):
    page = run_report(result("qqr", meaning=nothing))
    checked(page)
    assert MEANING not in page


def test_the_pair_that_agrees_least_is_drawn():
    line = result(rounds=1).history[0]
    found = [lowest_agreement(line.model_copy(update={"meaning": one})) for one in (meaning(0.4, None, -0.2), None)]
    assert found == [-0.2, None]


def test_warnings_stand_with_the_results():
    low = meaning(0.8, separation=0.02)
    for text in (
        run_report(result("qqr", meaning=low)),
        compare_report(comparison({"pmm": [0.6, 0.7], "qqr": [0.7, 0.8]}, meaning=low), None),
    ):
        said = " ".join(checked(text).text)
        assert said.index("Results") < said.index("Prototypes hardly tell the classes apart") < said.index("Over time")
    assert 'aria-label="Warnings"' not in run_report(result("qqr", meaning=meaning(0.8)))


def test_options_are_kept_whole_and_all_else_is_escaped():
    assert options("try --missing skip, a --b; use --calibration-rounds N") == (
        "try <code>--missing skip</code>, a --b; use <code>--calibration-rounds N</code>"
    )
    assert options("<b> --missing <i>") == "&lt;b&gt; --missing &lt;i&gt;"


def bare(accuracy=0.5):
    """Give the emptiest result that the format allows."""
    run = result("fedavg", accuracy, rounds=1, clients=1, modalities=["x"], classes=["a"], online=False)
    scores = run.tail.model_copy(
        update={"accuracy_by_class": [None], "accuracy_by_client": {}, "accuracy_by_present": {}}
    )
    line = run.history[0].model_copy(
        update={"accuracy": None, "loss": None, "balanced_accuracy": None, "bytes_up": 0, "missing": {}, "degraded": {}}
    )
    return run.model_copy(
        update={
            "final": scores,
            "tail": scores,
            "history": [line],
            "config": {},
            "data": {},
            "recipe": {},
            "versions": {},
        }
    )


def test_nulls_everywhere_make_a_page():
    checked(run_report(bare()))
    checked(run_report(bare().model_copy(update={"history": []})))
    whole = comparison({"fedavg": [0.5, 0.6], "pmm": [0.5, 0.6]})
    empty = whole.model_copy(update={"runs": [bare()] * 4, "config": {}})
    checked(compare_report(empty, why(empty)))


def test_a_recipe_that_sends_nothing_is_named_and_not_drawn():
    run = result("local", bytes_up=0)
    found = comparison({"fedavg": [0.6, 0.7], "local": [0.5, 0.5]})
    silent = found.model_copy(update={"runs": [*found.runs[:2], run, run]})
    page = compare_report(silent, why(silent))
    assert "local sends nothing." in page
    assert "local sends nothing, fedavg 24.0 MB." in why(silent)


def test_losses_that_are_not_finite_are_left_out_of_the_figures():
    run = result("fedavg", rounds=12)
    lines = [line.model_copy(update={"online_loss": float("inf")}) for line in run.history[:3]]
    checked(run_report(run.model_copy(update={"history": lines + run.history[3:]})))
    every = [line.model_copy(update={"online_loss": float("nan")}) for line in run.history]
    page = run_report(run.model_copy(update={"history": every}))
    assert "Online (prequential) loss over rounds" not in page


def test_much_of_everything_makes_a_small_page():
    names = ["fedavg", "partial", "full", "x" * 120, *(f"recipe-{place}" for place in range(8))]
    many = {
        "modalities": [f"modality{place}" for place in range(8)],
        "classes": [f"class {place}" for place in range(60)],
        "clients": 3000,
        "rounds": 30,
    }
    found = comparison({name: [0.5 + place / 50] for place, name in enumerate(names)}, **many)
    page = compare_report(found, why(found))
    checked(page)
    assert len(page) < 1_500_000
    assert "The first 40 of 3,000 clients." in page
    assert "The 40 worst of 60 classes." in page


def test_a_long_run_is_thinned():
    page = run_report(result("qqr", rounds=1000, every=2))
    checked(page)
    assert len(page) < 300_000
    assert "Each point is the mean of 3 evaluations." in page
    assert "Each column is the mean of 3 rounds." in page


def test_raster_keeps_modality_client_and_round():
    run = result("fedavg", rounds=3, clients=4)
    lines = [line.model_copy(update={"missing": {}, "degraded": {}}) for line in run.history]
    lines[1] = lines[1].model_copy(update={"missing": {"gyro": {"2": 0.25}}})
    run = run.model_copy(update={"history": lines})
    found = raster(run, "missing", ["acc", "gyro"])
    assert found.shares.shape == (2, 4, 3)
    assert found.shares[1, 2, 1] == 0.25
    assert found.shares.sum() == 0.25
    assert raster(run, "degraded", ["acc", "gyro"]) is None


def test_raster_shows_the_first_clients_in_their_natural_order():
    run = result("fedavg", rounds=1, clients=100)
    found = raster(run, "missing", ["acc", "gyro"])
    assert found.clients == [str(place) for place in range(MOST_CLIENTS)]
    assert found.clients_in_all == 100
    line = run.history[0].model_copy(update={"missing": {"acc": {"dev10": 1.0, "dev9": 1.0}}, "degraded": {}})
    assert client_names(run.model_copy(update={"history": [line]})) == ["dev9", "dev10"]


def test_raster_leaves_out_clients_that_only_the_test_split_has():
    run = result("fedavg", rounds=1, clients=3)
    scores = run.final.model_copy(update={"accuracy_by_client": {"7": 0.5, "8": 0.6}})
    assert client_names(run.model_copy(update={"final": scores, "tail": scores})) == ["0", "1", "2"]


def test_raster_columns_are_means_of_rounds():
    run = result("fedavg", rounds=MOST_COLUMNS + 1, clients=1)
    lines = [line.model_copy(update={"missing": {"acc": {"0": 1.0}} if line.round < 3 else {}}) for line in run.history]
    found = raster(run.model_copy(update={"history": lines}), "missing", ["acc"])
    assert found.per_column == 2
    assert found.shares[0, 0, :2].tolist() == [1.0, 0.0]
    assert found.shares.shape[2] == (MOST_COLUMNS + 2) // 2


@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4, unique=True),
    accuracies=st.lists(st.floats(0, 1), min_size=1, max_size=3),
    modalities=st.lists(
        st.sampled_from(["acc", "gyro", "a b", "<b>", "$x$", "ü"]), min_size=1, max_size=5, unique=True
    ),
    classes=st.integers(1, 12),
    rounds=st.integers(1, 4),
    clients=st.integers(1, 12),
    every=st.integers(1, 3),
    online=st.booleans(),
    agreements=st.lists(st.none() | st.floats(-1, 1), max_size=3),
)
def test_odd_inputs_make_a_page(names, accuracies, modalities, classes, rounds, clients, every, online, agreements):
    found = comparison(
        dict.fromkeys(names, accuracies),
        modalities=modalities,
        classes=[f"c{place}" for place in range(classes)],
        rounds=rounds,
        clients=clients,
        every=every,
        online=online,
        meaning=meaning(*agreements),
    )
    checked(compare_report(found, why(found)))


def test_subsets_in_words():
    few, many = result(), result(modalities=list("abcde"))
    assert short("acc+gyro", few) == "all present"
    assert short("gyro", few) == "gyro alone"
    assert short("a+b+d+e", many) == "without c"
    assert short("a+b", many) == "a + b"


def test_numbers_read_well():
    assert [size(count) for count in (0, 999, 1000, 24_240_000, 999_600, 3.2e12)] == [
        "0 bytes", "999 bytes", "1.00 kB", "24.2 MB", "1.00 MB", "3.20 TB"
    ]  # fmt: skip
    assert [duration(seconds) for seconds in (0.5, 12.3, 185, 7800)] == ["0.5 s", "12 s", "3 min 5 s", "2 h 10 min"]
    assert [points(value) for value in (0.149, -0.012, -0.0001, 0.0)] == ["+14.9", "-1.2", "0.0", "0.0"]
    assert [probability(value) for value in (None, 0.0, 0.0312)] == ["-", "< 0.001", "0.031"]
    assert typeset("-1.2 to 3.4, qqr-2 at 81.2 % ± 0.8") == "−1.2 to 3.4, qqr-2 at 81.2\xa0%\xa0±\xa00.8"
    assert shortened(["a-long-name-1", "a-long-name-2"], 8) == ["…-name-1", "…-name-2"]


BROUGHT = "What each modality brings"


def said(text):
    """Give what a page says, on one line."""
    return " ".join(" ".join(checked(text).text).split()).replace("\xa0", " ")


def alone(run, accuracy, **each):
    """Give a run another accuracy, with each modality alone."""
    scores = run.tail.model_copy(update={"accuracy": accuracy, "accuracy_alone": each})
    return run.model_copy(update={"tail": scores})


def test_one_sentence_says_what_modalities_bring():
    both = result()
    for accuracy, sentence in (
        (
            0.783,
            "acc alone reaches 71.2 %, gyro alone 55.0 %; together they reach 78.3 %, 7.1 points more than the best",
        ),
        (
            0.690,
            "acc alone reaches 71.2 %, gyro alone 55.0 %; together they reach 69.0 %, 2.2 points less than the best",
        ),
        (0.712, "gyro alone 55.0 %; together they reach 71.2 %, as much as the best one alone."),
    ):
        assert sentence in said(run_report(alone(both, accuracy, acc=0.712, gyro=0.55)))
    lacking = said(run_report(alone(both, 0.712, acc=0.712, gyro=None)))
    assert "acc alone reaches 71.2 %. No test sample has gyro." in lacking
    five = result(modalities=list("abcde"))
    many = said(run_report(alone(five, 0.8, a=0.3, b=0.7, c=0.6, d=0.5, e=0.4)))
    assert "b alone reaches most, 70.0 %, and a least, 30.0 %; together they reach 80.0 %, 10.0 points more" in many


def test_a_run_shows_each_modality_and_its_lines():
    page = run_report(result(modalities=["acc", "gyro", "heart"]))
    text = said(page)
    assert text.index("Results") < text.index(BROUGHT) < text.index("Over time")
    assert (
        "Both wrong alone, of the samples: acc and gyro 27.2 %, acc and heart 27.2 % and gyro and heart 27.2 %." in text
    )
    for title in ("Which modality the model leans on", "How much each modality's part still changes"):
        assert title in text
    labels = [own["aria-label"] for tag, own in checked(page).tags if tag == "svg" and "aria-label" in own]
    assert any("acc from 33.3 % to 33.3 %" in label for label in labels)
    # the last ten of 60 rounds: 2 / number + place, mean of 2 / 51 to 2 / 60 is .0361
    assert "0.0361" in text
    assert "1.04" in text


def test_a_comparison_has_a_line_for_each_recipe():
    runs = {("fedavg", 0): result("fedavg", 0.7, alone=0.1), ("full", 0): result("full", 0.8, alone=0.4)}
    found = compare(["fedavg", "full"], [0], {}, runs)
    text = said(compare_report(found, None))
    # alone: accuracy - alone / 2 - .01 for acc in the second place: .64 and .59
    assert (
        "All modalities together reach 21.0 points more than the best one alone with full (upper bound), "
        "6.0 points more than the best one alone with fedavg." in text
    )
    assert "beyond the best alone (points)" in text
    again = comparison({"fedavg": [0.7, 0.7], "pmm": [0.7, 0.7]}, alone=0.1)
    text = said(compare_report(again, None))
    assert "With every recipe all modalities together reach 6.0 points more than the best one alone." in text
    assert "Means over 2 seeds." in text


@pytest.mark.parametrize("modalities", [["acc"], ["acc", "gyro"]])
def test_old_results_and_single_modalities_have_nothing_to_say(modalities):
    run = result(modalities=modalities)
    if len(modalities) > 1:
        run = run.model_copy(update={"tail": run.tail.model_copy(update={"accuracy_alone": None})})
    assert BROUGHT not in said(run_report(run))
    whole = comparison({"fedavg": [0.5], "pmm": [0.6]})
    assert BROUGHT not in said(compare_report(whole.model_copy(update={"runs": [run, run]}), None))
