"""Warnings: said where they are due, once, with what to do; and not elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from synthetic import result

from motet.record.comparison import compare
from motet.record.result import Comparison, Meaning, Result, Validation
from motet.record.warnings import comparison_warnings, run_warnings

FINE = Meaning(agreement={"acc~gyro": 0.1}, separation={"acc": 0.1, "gyro": 0.8})
WITH_PROTOTYPES = {"missing": "prototype:match=nearest", "degraded": "blend"}
WILD: dict[str, Any] = {"flags": "assessed", "calibration_rounds": 0, "degraded_rate": 0.5}


def agreeing(value: float | None) -> Meaning:
    return Meaning(agreement={"acc~gyro": value}, separation={"acc": 0.5, "gyro": 0.5})


def separated(acc: float | None, gyro: float | None) -> Meaning:
    return Meaning(agreement={"acc~gyro": 0.5}, separation={"acc": acc, "gyro": gyro})


def run(meaning: Meaning | None, name: str = "qqr", seed: int = 0, **changes: Any) -> Result:
    return result(name, seed=seed, meaning=meaning, rounds=3, **{"recipe": WITH_PROTOTYPES, **changes})


def compared(runs: dict[str, list[Result]]) -> Comparison:
    seeds = range(len(next(iter(runs.values()))))
    return compare(list(runs), seeds, {}, {(name, seed): runs[name][seed] for name in runs for seed in seeds})


# --- When they are due -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("meaning", [None, FINE, agreeing(None), agreeing(0.0996), separated(None, None)])
def test_nothing_to_warn_of(meaning: Meaning | None) -> None:
    assert run_warnings(run(meaning)) == []


def test_low_agreement() -> None:
    (said,) = run_warnings(run(agreeing(0.09949)))
    assert said == (
        "Prototypes mean different things in different modalities (0.099 for acc and gyro): the rank correlation of "
        "class distances ends under 0.1, so a prototype may be no substitute for a feature; compare with "
        "--missing skip."
    )
    assert "(-0.5 for acc and gyro)" in run_warnings(run(agreeing(-0.5)))[0]


def test_low_separation() -> None:
    (said,) = run_warnings(run(separated(0.07, 0.03)))
    assert said == (
        "Prototypes hardly tell the classes apart (0.03 for gyro, 0.07 for acc): the separation of classes ends under "
        "0.1, so a prototype may be no substitute for a feature; compare with --missing skip."
    )
    (said,) = run_warnings(run(separated(None, 0.03)))
    assert "(0.03 for gyro)" in said


def test_rounds_in_which_all_are_refused() -> None:
    """Of three rounds the second and the third changed nothing."""
    base = run(FINE)
    lost = {"clients": 0, "train_loss": None, "refused": {"It lied.": {"0": 1}}}
    lines = [base.history[0], *(line.model_copy(update=lost) for line in base.history[1:])]
    (said,) = run_warnings(base.model_copy(update={"history": lines}))
    assert said == (
        "All uploads of a round were refused (2 of 3 rounds: It lied.): such a round changes nothing; where numbers "
        "are too large, lower --lr, or raise --norm-bound."
    )
    some = [line.model_copy(update={"refused": {"It lied.": {"0": 1}}}) for line in base.history]
    assert run_warnings(base.model_copy(update={"history": some})) == []


def test_both_may_be_low() -> None:
    both = Meaning(agreement={"acc~gyro": 0.0}, separation={"acc": 0.0, "gyro": None})
    assert [said.partition(" (")[0] for said in run_warnings(run(both))] == [
        "Prototypes mean different things in different modalities",
        "Prototypes hardly tell the classes apart",
    ]


def test_the_last_round_decides() -> None:
    long = run(FINE)
    lines = [line.model_copy(update={"meaning": agreeing(0.0)}) for line in long.history]
    assert run_warnings(long.model_copy(update={"history": [*lines[:2], long.history[2]]})) == []
    assert len(run_warnings(long.model_copy(update={"history": [*long.history[:2], lines[2]]}))) == 1
    assert run_warnings(long.model_copy(update={"history": []})) == []


def test_what_to_do_fits_the_recipe() -> None:
    skips = run(agreeing(0.0), recipe={"missing": "skip", "degraded": "align"})
    assert run_warnings(skips)[0].endswith("compare with --degraded drop.")


def test_of_many_pairs_the_lowest_are_named() -> None:
    many = {f"a~{place}": 0.09 - 0.01 * place for place in range(6)}
    (said,) = run_warnings(run(Meaning(agreement=many, separation={})))
    assert "(0.04 for a and 5, 0.05 for a and 4, 0.06 for a and 3, 3 more)" in said


def test_flags_without_a_reference() -> None:
    (said,) = run_warnings(run(FINE, assessed=True, config=WILD))
    assert said == (
        "Quality is assessed at a degraded rate of 0.5 without calibration: a robust reference breaks down where half "
        "of the data or more are bad, and flags go wrong; use --calibration-rounds N if sensors are good in the first "
        "N rounds."
    )


@pytest.mark.parametrize(
    "change",
    [
        {"config": {**WILD, "degraded_rate": 0.49}},
        {"config": {**WILD, "calibration_rounds": 1}},
        {"config": {**WILD, "flags": "oracle"}},
        {"config": {**WILD, "impaired": False}},
        {"assessed": False},
    ],
)
def test_flags_with_a_reference_or_without_use(change: dict[str, Any]) -> None:
    assert run_warnings(run(FINE, **{"assessed": True, "config": WILD, **change})) == []


def owned(**owners: int) -> Result:
    found = run(FINE)
    return found.model_copy(update={"data": {**found.data, "owners": owners}})


def test_a_modality_that_nobody_owns() -> None:
    assert run_warnings(owned(acc=1, gyro=2)) == []
    (said,) = run_warnings(owned(acc=3, gyro=0))
    assert said == (
        "A modality has no owner (gyro): nothing is learnt of it, yet the test split has it; use a smaller "
        "--unimodal-share, or choose --modalities."
    )
    (said,) = comparison_warnings(compared({"qqr": [owned(acc=0, gyro=3), owned(acc=3, gyro=0), owned(acc=1, gyro=2)]}))
    assert said.startswith("A modality has no owner with qqr (acc, gyro, 2 of 3 seeds): ")


# --- In a comparison ---------------------------------------------------------------------------------------------


def test_a_comparison_says_each_thing_once() -> None:
    found = compared(
        {
            "fedavg": [run(None, "fedavg", seed, recipe={}) for seed in range(3)],
            "pmm": [run(agreeing(value), "pmm", seed) for seed, value in enumerate((0.05, -0.02, 0.3))],
            "qqr": [run(agreeing(value), "qqr", seed) for seed, value in enumerate((0.3, 0.3, 0.01))],
        }
    )
    (said,) = comparison_warnings(found)
    assert said.startswith(
        "Prototypes mean different things in different modalities with pmm (-0.02 for acc and gyro, 2 of 3 seeds) and "
        "qqr (0.01 for acc and gyro, 1 of 3 seeds): the rank correlation"
    )


def test_a_comparison_of_one_seed_counts_none() -> None:
    found = compared({"fedavg": [run(None, "fedavg", recipe={})], "qqr": [run(separated(0.0, 0.5))]})
    assert comparison_warnings(found)[0].startswith(
        "Prototypes hardly tell the classes apart with qqr (0 for acc): the separation"
    )


def test_a_comparison_warns_of_flags() -> None:
    judged = {name: [run(FINE, name, seed, assessed=True, config=WILD) for seed in range(2)] for name in ("pmm", "qqr")}
    unjudged = {"fedavg": [run(None, "fedavg", seed, config=WILD) for seed in range(2)]}
    (said,) = comparison_warnings(compared(unjudged | judged))
    assert said.startswith(
        "Quality is assessed at a degraded rate of 0.5 without calibration with pmm (2 of 2 seeds) and "
        "qqr (2 of 2 seeds): a robust"
    )


def test_recipes_that_need_other_advice_are_told_apart() -> None:
    found = compared({"a": [run(agreeing(0.0), "a")], "b": [run(agreeing(0.0), "b", recipe={"degraded": "align"})]})
    assert [said.rpartition("with ")[2] for said in comparison_warnings(found)] == [
        "--missing skip.",
        "--degraded drop.",
    ]


def test_a_comparison_without_faults() -> None:
    assert comparison_warnings(compared({"pmm": [run(FINE, "pmm")], "qqr": [run(FINE)]})) == []


# --- Below joint fusion ------------------------------------------------------------------------------------------


def validated(name: str, accuracies: list[float], **changes: Any) -> list[Result]:
    """Return runs of a recipe that are so good on validation."""
    return [
        run(None, name, seed, **changes).model_copy(
            update={"validation": Validation(accuracy=accuracy, balanced_accuracy=0.5, loss=1.0, worst_class=0.0)}
        )
        for seed, accuracy in enumerate(accuracies)
    ]


JOINT = {"fedavg": {"missing": "zero"}, "partial": {"missing": "skip"}}
LATE = {"objective": "late", "missing": "skip"}


def against_joint(late: list[float], **joint: list[float]) -> list[str]:
    rows = {name: validated(name, accuracies, recipe=JOINT[name]) for name, accuracies in joint.items()}
    return comparison_warnings(compared(rows | {"late": validated("late", late, recipe=LATE)}))


def test_late_fusion_below_joint_on_validation() -> None:
    """Differences of -4, -6 and -5 points: mean -5, and 4.303 x 1 / sqrt 3 = 2.48 to either side."""
    (said,) = against_joint([0.66, 0.64, 0.65], partial=[0.70, 0.70, 0.70])
    assert said == (
        "late is below joint fusion (partial) on validation by 5.0 points (95 % interval 2.5 to 7.5): strong label "
        "skew or a useless modality may be why; try --fusion validation, or a joint objective."
    )


def test_it_is_held_against_the_joint_recipe_that_does_the_same_with_absence() -> None:
    assert "(partial)" in against_joint([0.5] * 3, fedavg=[0.6, 0.61, 0.6], partial=[0.7, 0.71, 0.7])[0]
    assert against_joint([0.65] * 3, fedavg=[0.7, 0.7, 0.7], partial=[0.6, 0.6, 0.6]) == []
    assert "(fedavg)" in against_joint([0.5] * 3, fedavg=[0.6, 0.61, 0.6])[0]


@pytest.mark.parametrize(
    ("late", "joint"),
    [
        ([0.66, 0.64, 0.65], [0.60, 0.60, 0.60]),  # above
        ([0.69, 0.71, 0.65], [0.70, 0.70, 0.70]),  # the seeds do not show it
        ([0.5], [0.9]),  # one seed has no interval
    ],
)
def test_nothing_is_said_of_what_seeds_do_not_show(late: list[float], joint: list[float]) -> None:
    assert against_joint(late, partial=joint) == []


def test_without_validation_or_a_fair_joint_recipe_nothing_is_said() -> None:
    late = validated("late", [0.5] * 3, recipe=LATE)
    unknown = [run(None, "partial", seed, recipe=JOINT["partial"]) for seed in range(3)]
    bound = validated("full", [0.9] * 3, recipe={"upper_bound": True})
    also_late = validated("late-unimodal", [0.9] * 3, recipe=LATE)
    for other in ({"partial": unknown}, {"full": bound}, {"late-unimodal": also_late}):
        assert comparison_warnings(compared(other | {"late": late})) == []
