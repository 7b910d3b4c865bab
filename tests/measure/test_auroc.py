"""How well one number tells two groups apart: by hand, and against counting pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.measure.auroc import auroc

NUMBERS = st.lists(st.integers(-3, 3), min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("inside", "outside", "wanted"),
    [([1, 2], [3, 4], 1.0), ([3, 4], [1, 2], 0.0), ([1], [1], 0.5), ([1, 3], [2, 3], 0.625), ([1, 2, 3], [2], 0.5)],
)
def test_by_hand(inside: list[float], outside: list[float], wanted: float) -> None:
    assert auroc(inside, outside) == pytest.approx(wanted)


@given(NUMBERS, NUMBERS)
def test_it_counts_the_pairs_in_which_the_first_is_smaller(inside: list[int], outside: list[int]) -> None:
    one, other = np.array(inside)[:, None], np.array(outside)[None]
    assert auroc(inside, outside) == pytest.approx(float((one < other).mean() + (one == other).mean() / 2))
    assert auroc(inside, outside) + auroc(outside, inside) == pytest.approx(1)
