"""Regret by hand, and the slopes that theory speaks of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.measure.regret import places, regret, slope


def test_regret_is_the_sum_so_far_of_what_was_lost_beyond_the_comparator() -> None:
    assert regret([3.0, 2.0, 1.5], [1.0, 1.0, 2.0]).tolist() == [2.0, 3.0, 2.5]


@given(st.floats(0.1, 2), st.floats(0.01, 100))
def test_the_slope_of_a_power_is_its_exponent(power: float, scale: float) -> None:
    assert slope(scale * np.arange(1, 501) ** power) == pytest.approx(power)


def test_the_first_tenth_does_not_count() -> None:
    curve = np.sqrt(np.arange(1.0, 1001))
    curve[:99] = 1000
    assert slope(curve) == pytest.approx(0.5)


def test_there_is_no_slope_where_regret_is_not_positive() -> None:
    assert slope(np.linspace(1, -1, 100)) is None
    assert slope(np.array([1.0])) is None


def test_places_lie_evenly_on_the_logarithm_from_the_first_tenth_on() -> None:
    found = places(1000)
    assert (found[0], found[-1], len(found)) == (100, 1000, 40)
    assert np.diff(np.log(found)) == pytest.approx(np.log(10) / 39, rel=0.15)
    assert places(1).tolist() == [1]
