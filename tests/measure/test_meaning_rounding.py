"""What is rounded off prototypes, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motet.measure.meaning import rounding


def state(mean: list[list[float]], updates: list[int]) -> dict[str, Tensor]:
    return {"mean/acc": torch.tensor(mean), "updates/acc": torch.tensor(updates)}


def test_it_is_what_was_rounded_off_over_the_spread_between_classes() -> None:
    """Means 0 and 2 lie 1 from their mean: spread sqrt 2; one is off by .1. The third class is not known."""
    exact = state([[0.0], [2.0], [9.0]], [1, 1, 0])
    sent = state([[0.1], [2.0], [5.0]], [1, 1, 0])
    assert rounding(exact, sent) == {"acc": pytest.approx(0.1 / 2**0.5, abs=1e-6)}


def test_nothing_is_off_that_is_exact() -> None:
    exact = state([[0.0], [2.0]], [1, 1])
    assert rounding(exact, exact) == {"acc": 0.0}


@pytest.mark.parametrize("updates", [[0, 0], [1, 0]])
def test_there_is_no_spread_between_fewer_than_two(updates: list[int]) -> None:
    exact = state([[0.0], [2.0]], updates)
    assert rounding(exact, exact) == {"acc": None}


def test_without_prototypes_there_is_nothing_to_tell() -> None:
    assert rounding({}, {}) == {}
