"""Quality scores against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from motet.measure.flags import BINS, FlagScores, count

Samples = list[tuple[int, bool]]
samples = st.lists(st.tuples(st.integers(0, BINS), st.booleans()), min_size=1, max_size=60)


def counted(quality: ArrayLike, degraded: ArrayLike) -> np.ndarray:
    quality = np.asarray(quality, dtype=float)
    return count(quality, np.asarray(degraded, dtype=bool), np.zeros(len(quality), dtype=np.int64))


def flags(by_modality: dict[str, list[tuple[float, bool]]]) -> FlagScores:
    found = FlagScores()
    for m, pairs in by_modality.items():
        found.add(m, counted([q for q, _ in pairs], [bad for _, bad in pairs]))
    return found


# --- By hand -----------------------------------------------------------------------------------------------------

# good samples score 1, 1, .5; degraded ones 1, .5, 0
BY_HAND = [(1.0, False), (1.0, False), (0.5, False), (1.0, True), (0.5, True), (0.0, True)]


def test_auroc_counts_pairs_and_halves_ties() -> None:
    # pairs (degraded below good): 1: ties with two, above one = 1; .5: below two, ties with one = 2.5; 0: below all = 3
    assert flags({"a": BY_HAND}).auroc("a") == pytest.approx(6.5 / 9)


def test_precision_and_recall_are_over_all_modalities() -> None:
    # a: flagged one good and two degraded, of three degraded; b: flagged one good, of two degraded
    found = flags({"a": BY_HAND, "b": [(0.9, False), (1.0, True), (1.0, True)]})
    assert found.precision() == pytest.approx(2 / 4)
    assert found.recall() == pytest.approx(2 / 5)


def test_a_quality_just_below_one_is_flagged() -> None:
    found = flags({"a": [(1 - 1e-12, True), (1.0, False)]})
    assert found.recall() == 1
    assert found.precision() == 1
    assert found.auroc("a") == 1


def test_perfect_useless_and_inverted_scores() -> None:
    assert flags({"a": [(1.0, False), (0.0, True)]}).auroc("a") == 1
    assert flags({"a": [(1.0, False), (1.0, True)]}).auroc("a") == 0.5
    assert flags({"a": [(0.0, False), (1.0, True)]}).auroc("a") == 0


def test_what_cannot_be_said_is_none() -> None:
    only_good = flags({"a": [(1.0, False)]})
    assert only_good.auroc("a") is None
    assert only_good.precision() is None
    assert only_good.recall() is None
    only_bad = flags({"a": [(1.0, True)]})
    assert only_bad.auroc("a") is None
    assert only_bad.precision() is None
    assert only_bad.recall() == 0


def test_before_any_sample_nothing_can_be_said() -> None:
    assert FlagScores().precision() is None
    assert FlagScores().recall() is None


def test_no_samples_of_a_modality_are_no_error() -> None:
    found = flags({"a": []})
    assert found.auroc("a") is None
    assert found.precision() is None


# --- Against scikit-learn ----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=80)
@given(samples)
def test_agrees_with_scikit_learn(pairs: Samples) -> None:
    """Scores that are whole numbers of bins, so that nothing is lost; with many ties."""
    quality = [place / BINS for place, _ in pairs]
    bad = [degraded for _, degraded in pairs]
    found = flags({"a": list(zip(quality, bad, strict=True))})
    flagged = [q < 1 for q in quality]
    if any(bad) and not all(bad):
        assert found.auroc("a") == pytest.approx(roc_auc_score(bad, [-q for q in quality]))
    if any(bad):
        assert found.recall() == pytest.approx(recall_score(bad, flagged))
    if any(flagged):
        assert found.precision() == pytest.approx(precision_score(bad, flagged))


def test_bins_cost_little_of_a_continuous_score() -> None:
    rng = np.random.default_rng(0)
    quality, bad = rng.beta(2, 1, 4000), rng.random(4000) < 0.3
    quality = np.where(bad, quality**2, quality)
    found = FlagScores()
    found.add("a", counted(quality, bad))
    assert found.auroc("a") == pytest.approx(roc_auc_score(bad, -quality), abs=1e-3)


# --- Invariants --------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(samples, samples)
def test_counts_add_up_in_any_order_and_portions(first: Samples, second: Samples) -> None:
    one, other = ([(place / BINS, bad) for place, bad in pairs] for pairs in (first, second))
    together, apart = flags({"a": [*one, *other]}), flags({"a": other})
    apart.add("a", counted([q for q, _ in one], [bad for _, bad in one]))
    assert np.array_equal(apart.counts["a"], together.counts["a"])
    assert together.counts["a"].sum() == len(one) + len(other)


@settings(deadline=None, max_examples=50)
@given(samples)
def test_swapping_good_and_bad_turns_auroc_round(pairs: Samples) -> None:
    found = flags({"a": [(place / BINS, bad) for place, bad in pairs]}).auroc("a")
    swapped = flags({"a": [(place / BINS, not bad) for place, bad in pairs]}).auroc("a")
    if found is None:
        assert swapped is None
    else:
        assert swapped is not None
        assert found + swapped == pytest.approx(1)


def test_the_table_does_not_grow() -> None:
    found = flags({"a": BY_HAND})
    size = found.counts["a"].nbytes
    for _ in range(5):
        found.add("a", counted(np.linspace(0, 1, 1000), np.arange(1000) % 2 == 0))
    assert found.counts["a"].nbytes == size
