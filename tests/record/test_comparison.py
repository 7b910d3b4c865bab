import json

import pytest
from rich.console import Console
from scipy import stats
from synthetic import comparison, result

from motet.errors import MotetError
from motet.record.comparison import compare, paired, runs_by_recipe, summarise
from motet.record.report.headline import comparison_headline, run_headline
from motet.record.report.reason import why
from motet.record.result import Comparison, to_json
from motet.record.table import run_table, table
from motet.record.verdict import judge

AHEAD = {"fedavg": [0.655, 0.672, 0.661], "pmm": [0.806, 0.820, 0.811]}
LEVEL = {"fedavg": [0.655, 0.672, 0.661], "pmm": [0.665, 0.660, 0.669]}
BEHIND = {"fedavg": [0.655, 0.672, 0.661], "pmm": [0.606, 0.620, 0.611]}


def shown(renderable, width=100):
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_summary_is_of_the_tail_over_seeds():
    runs = [result("pmm", accuracy, seed) for seed, accuracy in enumerate((0.6, 0.7, 0.8))]
    found = summarise("pmm", runs, runs)
    assert found.accuracy_mean == pytest.approx(0.7)
    assert found.accuracy_sd == pytest.approx(0.1)
    assert found.balanced_accuracy_mean == pytest.approx(0.69)
    assert found.online_accuracy_mean == pytest.approx(0.6)
    assert found.bytes_up_mean == 400_000 * 60
    assert found.train_s_mean == pytest.approx(12.3)


def test_summary_of_one_seed_without_a_stream_has_nulls():
    runs = [result("pmm", online=False)]
    found = summarise("pmm", runs, runs)
    assert found.accuracy_sd is None
    assert found.online_accuracy_mean is None


def test_tail_counts_and_not_the_last_round():
    run = result("pmm", 0.7)
    moved = run.model_copy(update={"final": run.final.model_copy(update={"accuracy": 0.1})})
    assert summarise("pmm", [moved], [moved]).accuracy_mean == pytest.approx(0.7)


def test_paired_agrees_with_scipy():
    pmm = [result("pmm", accuracy, seed) for seed, accuracy in enumerate(AHEAD["pmm"])]
    fedavg = [result("fedavg", accuracy, seed) for seed, accuracy in enumerate(AHEAD["fedavg"])]
    found = paired("pmm", pmm, "fedavg", fedavg)
    expected = stats.ttest_rel(AHEAD["pmm"], AHEAD["fedavg"])
    assert found.ci95 == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.wins, found.ties, found.losses) == (3, 0, 0)


def test_compare_orders_runs_by_recipe_and_then_by_seed():
    results = {(name, seed): result(name, 0.5 + seed / 10, seed) for seed in (2, 0, 1) for name in ("pmm", "fedavg")}
    found = compare(["fedavg", "pmm"], [0, 1, 2], {}, results)
    assert [(run.recipe["name"], run.seed) for run in found.runs] == [
        (name, seed) for name in ("fedavg", "pmm") for seed in (0, 1, 2)
    ]
    assert [pair.against for pair in found.paired] == ["fedavg"]
    assert runs_by_recipe(found)["pmm"] == found.runs[3:]


def test_compare_names_the_run_that_is_absent():
    with pytest.raises(MotetError, match=r"pmm \(seed 1\)"):
        compare(["pmm"], [0, 1], {}, {("pmm", 0): result("pmm")})


def test_a_comparison_with_runs_left_out_is_refused():
    whole = comparison(AHEAD)
    with pytest.raises(MotetError, match="must hold 6 runs, but it holds 5"):
        runs_by_recipe(whole.model_copy(update={"runs": whole.runs[1:]}))


def test_a_comparison_survives_its_file():
    whole = comparison(AHEAD)
    assert Comparison.model_validate(json.loads(to_json(whole))) == whole


def test_headline_gives_the_end_the_gap_and_its_interval():
    assert comparison_headline(comparison(AHEAD)) == (
        "On these 3 seeds pmm ends at 81.2 % ± 0.7, 15.0 points above fedavg (95 % interval 14.6 to 15.3)."
    )


def test_headline_does_not_call_noise_a_lead():
    found = comparison_headline(comparison(LEVEL))
    assert "nothing is shown to beat fedavg (66.3 % ± 0.9)" in found
    assert "includes zero" in found
    assert "above" not in found


def test_headline_says_when_nothing_beats_the_baseline():
    found = comparison_headline(comparison(BEHIND))
    assert "nothing beats fedavg" in found
    assert "5.0 points below fedavg (95 % interval 4.7 to 5.4)" in found


def test_headline_of_one_seed_gives_no_interval():
    found = comparison_headline(comparison({"fedavg": [0.6], "pmm": [0.7]}))
    assert found.startswith("On one seed (0) pmm ends at 70.0 %, 10.0 points above fedavg; ")
    assert "no interval can be given" in found
    lower = comparison_headline(comparison({"fedavg": [0.7], "pmm": [0.7]}))
    assert "nothing beats fedavg" in lower
    assert "level with fedavg" in lower


def test_headline_of_one_recipe_compares_with_nothing():
    assert "no other recipe was run" in comparison_headline(comparison({"fedavg": [0.6, 0.7]}))
    assert "this is one run" in run_headline(result())


def test_an_upper_bound_never_leads():
    found = comparison({**AHEAD, "full": [0.9, 0.91, 0.92]})
    assert judge(found).leader == "pmm"
    assert "The upper bound full, which sees data the others do not, ends at 91.0 %" in comparison_headline(found)
    assert "an upper bound that sees data" in comparison_headline(comparison({"full": [0.9, 0.9], "pmm": [0.7, 0.8]}))
    assert "an upper bound" in run_headline(result("full"))
    assert "The upper bound full ends 9.8 points above pmm." in why(found)


def test_a_shown_lead_comes_before_a_higher_mean_that_is_not_shown():
    found = comparison({"fedavg": [0.6, 0.6, 0.6], "sure": [0.65, 0.651, 0.649], "wild": [0.3, 0.9, 0.95]})
    assert judge(found).leader == "sure"
    assert "cannot tell sure from wild" in why(found)


def test_leads_is_said_only_where_the_interval_excludes_zero():
    assert "pmm leads fedavg by 15.0 points" in why(comparison(AHEAD))
    for accuracies in (LEVEL, BEHIND, {"fedavg": [0.6], "pmm": [0.7]}):
        assert "pmm leads" not in why(comparison(accuracies))
    assert "within noise" in why(comparison(LEVEL))
    assert "within noise" not in why(comparison(BEHIND))
    assert "No recipe leads fedavg" in why(comparison(BEHIND))


def test_identical_recipes_do_not_differ():
    same = {"fedavg": [0.6, 0.7], "pmm": [0.6, 0.7]}
    assert "do not differ on any seed" in why(comparison(same))
    assert "do not differ on any seed" in comparison_headline(comparison(same))


def test_why_names_the_subset_where_the_two_differ_most():
    results = {
        (name, seed): result(name, accuracy + seed / 500, seed, alone=alone)
        for name, accuracy, alone in (("fedavg", 0.66, 0.7), ("pmm", 0.81, 0.1))
        for seed in range(3)
    }
    found = why(compare(["fedavg", "pmm"], range(3), {}, results))
    assert "pmm and fedavg differ most with acc alone: 75.2 % against 30.2 %" in found
    assert "with every modality present it is 81.2 % against 66.2 %" in found
    assert "In its worst class pmm recognises" in found
    assert "Both send the same number of bytes." in found


def test_why_counts_the_client_rounds_that_were_hit():
    run = result("fedavg", rounds=1, clients=4)
    line = run.history[0].model_copy(
        update={"missing": {"acc": {"0": 1.0}, "gyro": {"0": 0.5, "3": 1.0}}, "degraded": {"acc": {"2": 1.0}}}
    )
    runs = {(name, 0): run.model_copy(update={"history": [line]}) for name in ("fedavg", "pmm")}
    found = why(compare(["fedavg", "pmm"], [0], {}, runs))
    assert "a modality was missing in 50 % and one was degraded in 25 % of the client-rounds" in found
    clean = line.model_copy(update={"missing": {}, "degraded": {}})
    runs = {key: value.model_copy(update={"history": [clean]}) for key, value in runs.items()}
    assert "No modality was missing or degraded" in why(compare(["fedavg", "pmm"], [0], {}, runs))


@pytest.mark.parametrize(("listed", "share"), [(2, "100 %"), (1, "50 %"), (5, "50 %")])
def test_why_counts_those_that_trained_unless_the_history_names_others(listed, share):
    run = result("fedavg", rounds=1, clients=10)
    hit = {str(client): 1.0 for client in range(listed)}
    line = run.history[0].model_copy(update={"clients": 2, "missing": {"acc": hit}, "degraded": {}})
    runs = {(name, 0): run.model_copy(update={"history": [line]}) for name in ("fedavg", "pmm")}
    assert f"missing in {share} of the client-rounds" in why(compare(["fedavg", "pmm"], [0], {}, runs))


def test_why_of_one_recipe_explains_nothing():
    assert "nothing to explain" in why(comparison({"fedavg": [0.6, 0.7], "full": [0.7, 0.8]}))


def test_tables_name_every_recipe_and_mark_the_upper_bound():
    found = shown(table(comparison({**AHEAD, "full": [0.9, 0.91, 0.92]})))
    assert all(name in found for name in ("fedavg", "pmm", "full (upper bound)"))
    assert "+15.0 (+14.6 to +15.3)" in found
    assert "upper bound" in shown(run_table(result("full")))
    assert "One seed: no interval can be given." in shown(table(comparison({"fedavg": [0.6], "pmm": [0.7]})))


def test_tables_take_names_literally():
    assert "[red]odd[/red]" in shown(table(comparison({"[red]odd[/red]": [0.6, 0.7]})))
    assert "[red]odd[/red]" in shown(run_table(result("[red]odd[/red]")))


def test_the_table_fits_a_terminal():
    found = shown(table(comparison({**AHEAD, "late-unimodal": [0.7, 0.7, 0.8]})), width=80)
    assert "…" not in found
    assert max(map(len, found.splitlines())) <= 80


def test_a_summary_says_what_was_sent_until_the_first_recipe_s_accuracy_was_reached():
    slow, fast = (
        [result(name, accuracy, seed, bytes_up=sent) for seed, accuracy in enumerate(AHEAD["fedavg"])]
        for name, sent in (("fedavg", 1000), ("motet", 10))
    )
    for place, run in enumerate(fast[:2]):  # as good as the other at a hundredth of the bytes, but for the last seed
        history = [line.model_copy(update={"accuracy": 0.1 * line.round}) for line in run.history]
        fast[place] = run.model_copy(update={"history": history})
    never = [line.model_copy(update={"accuracy": None}) for line in fast[2].history]
    fast[2] = fast[2].model_copy(update={"history": never})
    found = compare(["fedavg", "motet"], [0, 1, 2], {}, {(r.recipe["name"], r.seed): r for r in (*slow, *fast)})
    summary = found.summary[1]
    assert summary.reached == 2
    assert summary.bytes_up_to_reach_mean == 70  # .7 is the first to be above .655 and .672
    text = " ".join(shown(table(found)).split())
    assert "Sent until as good as fedavg ends: " in text
    assert "motet 70 bytes (2 of 3)." in text
