"""The scale of recovery: by hand at 0 and 1, and which reconstruction is whose."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motet.measure.recovery import held_nearness, matched, nearness, recovery

AXES = torch.eye(2, 4)


def test_near_is_the_cosine_of_the_whole_sample() -> None:
    guesses = torch.tensor([[[3.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    found = nearness(guesses, AXES.reshape(2, 2, 2))
    assert found == pytest.approx(np.array([[1, 0], [np.sqrt(0.5), np.sqrt(0.5)], [0, 0]]))


@pytest.mark.parametrize(("near", "wanted"), [(0.6, 0.0), (1.0, 1.0), (0.8, 0.5), (0.2, 0.0)])
def test_zero_is_as_near_as_held_data_and_one_is_exact(near: float, wanted: float) -> None:
    assert recovery(near, held=0.6) == pytest.approx(wanted)


def test_nothing_is_left_to_recover_where_held_data_are_the_samples() -> None:
    assert recovery(1.0, held=1.0) == 0
    assert recovery(0.5, held=1.0) == 0


def test_held_data_guess_by_their_mean_or_at_random_whichever_is_nearer() -> None:
    corner = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    assert held_nearness(AXES, corner) == pytest.approx(1)  # the mean; either alone comes to .71
    assert held_nearness(AXES, AXES) == pytest.approx(1)  # either alone; the mean comes to .71
    assert held_nearness(AXES[:0], corner) == 0


@given(st.lists(st.lists(st.floats(-1, 1), min_size=4, max_size=4), min_size=4, max_size=4))
def test_matching_is_the_best_of_all_that_are_allowed(rows: list[list[float]]) -> None:
    near = np.array(rows)
    y = np.array([0, 0, 1, 0])
    allowed = y[:, None] == y[None]
    chosen = matched(near, allowed)
    assert sorted(chosen) == [0, 1, 2, 3]
    assert allowed[chosen, np.arange(4)].all()
    every = [order for order in permutations(range(4)) if allowed[list(order), np.arange(4)].all()]
    best = max(near[list(order), np.arange(4)].sum() for order in every)
    assert near[chosen, np.arange(4)].sum() == pytest.approx(best)
