import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from motet.measure.statistics import holm, interval, p_value, paired_difference, standard_deviation

ACCURACY = st.floats(0, 1).map(lambda value: round(value, 6))
PAIRS = st.lists(st.tuples(ACCURACY, ACCURACY), min_size=1, max_size=12)


def test_interval_by_hand():
    # mean 2, sd 1, n 3: t(0.975, 2) = 4.302652..., so half a width is 4.302652 / sqrt(3) = 2.484138
    low, high = interval([1.0, 2.0, 3.0])
    assert low == pytest.approx(2 - 2.484138, abs=1e-6)
    assert high == pytest.approx(2 + 2.484138, abs=1e-6)


def test_interval_of_another_level_by_hand():
    # t(0.75, 1) = tan(pi / 4) = 1, and sd / sqrt(2) of (0, 2) is 1
    assert interval([0.0, 2.0], level=0.5) == pytest.approx((0.0, 2.0))


def test_p_value_by_hand():
    # n 2: the t distribution with one degree of freedom is Cauchy's, so p = 1 - 2 atan(t) / pi, and t = 2 / 1
    assert p_value([1.0, 3.0]) == pytest.approx(1 - 2 * math.atan(2) / math.pi)


def test_agrees_with_scipy():
    rng = np.random.default_rng(0)
    for count in (2, 3, 10, 30):
        a, b = rng.random(count), rng.random(count)
        found, expected = paired_difference(a, b), stats.ttest_rel(a, b)
        ends = expected.confidence_interval(0.95)
        assert found.p_value == pytest.approx(expected.pvalue)
        assert found.interval == pytest.approx((ends.low, ends.high))


def test_pairs_count_wins_ties_and_losses():
    found = paired_difference([0.5, 0.6, 0.7, 0.8], [0.4, 0.6, 0.6, 0.9])
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)
    assert found.mean == pytest.approx(0.025)


def test_pairing_removes_what_seeds_share():
    seeds = [0.1, 0.5, 0.9]
    found = paired_difference([0.12, 0.521, 0.919], seeds)
    assert found.above
    assert found.interval[1] - found.interval[0] < 0.01


def test_one_seed_has_no_interval():
    found = paired_difference([0.8], [0.7])
    assert (found.interval, found.p_value, standard_deviation([0.8])) == (None, None, None)
    assert (found.wins, found.ties, found.losses) == (1, 0, 0)
    assert not found.above
    assert not found.below


def test_identical_sides_do_not_differ():
    found = paired_difference([0.7, 0.8, 0.6], [0.7, 0.8, 0.6])
    assert (found.interval, found.p_value) == ((0.0, 0.0), 1.0)
    assert (found.wins, found.ties, found.losses) == (0, 3, 0)
    assert not found.above
    assert not found.below


def test_the_same_difference_on_every_seed_cannot_be_tested():
    found = paired_difference([0.3, 0.5, 0.7], [0.1, 0.3, 0.5])  # 0.2 but for rounding
    assert (found.interval, found.p_value) == (None, None)
    assert found.mean == pytest.approx(0.2)
    assert not found.above


@pytest.mark.parametrize("sides", [([], []), ([0.1], [0.1, 0.2]), ([[0.1]], [[0.1]])])
def test_sides_that_cannot_be_paired_are_refused(sides):
    with pytest.raises(ValueError, match=r"equally long|non-empty"):
        paired_difference(*sides)


@given(PAIRS)
def test_swapping_the_sides_turns_the_sign(pairs):
    a, b = zip(*pairs, strict=True)
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert one.mean == -other.mean
    assert (one.wins, one.ties, one.losses) == (other.losses, other.ties, other.wins)
    assert one.p_value == other.p_value
    if one.interval:
        assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]), abs=1e-12)


@given(PAIRS, st.integers(-3, 3))
def test_what_both_sides_share_does_not_count(pairs, shift):
    a, b = zip(*pairs, strict=True)
    one, other = paired_difference(a, b), paired_difference([x + shift for x in a], [x + shift for x in b])
    assert (one.wins, one.ties, one.losses) == (other.wins, other.ties, other.losses)
    assert one.mean == pytest.approx(other.mean, abs=1e-12)
    if one.interval:
        assert one.interval == pytest.approx(other.interval, abs=1e-8)
        assert one.p_value == pytest.approx(other.p_value, abs=1e-6)


@given(PAIRS)
def test_the_interval_excludes_zero_where_p_is_under_a_twentieth(pairs):
    found = paired_difference(*zip(*pairs, strict=True))
    if found.p_value is not None and abs(found.p_value - 0.05) > 1e-6:
        assert (found.above or found.below) == (found.p_value < 0.05)


def test_holm_by_hand() -> None:
    """Sorted .01, .02, .04: times 3, 2, 1; what comes later is never smaller."""
    assert holm([0.04, 0.01, None, 0.02]) == pytest.approx([0.04, 0.03, None, 0.04])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_holm_never_makes_a_p_value_smaller_nor_changes_their_order(values: list[float | None]) -> None:
    corrected = holm(values)
    known = [(p, c) for p, c in zip(values, corrected, strict=True) if p is not None and c is not None]
    assert [c is None for c in corrected] == [p is None for p in values]
    assert all(p <= c <= 1 for p, c in known)
    assert all(c <= d for (p, c), (q, d) in zip(sorted(known), sorted(known)[1:], strict=False) if p <= q)
