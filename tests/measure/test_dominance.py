"""Which modality the model leans on, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.measure.dominance import dominance

Y = np.array([0, 1])
BOTH = np.array([True, True])


def logits(*probabilities: tuple[float, float]) -> np.ndarray:
    return np.log(np.array(probabilities))


def test_shares_of_the_true_class_score() -> None:
    # acc gives the true classes .75 and .5, .625 in the mean; gyro .25 and .5, .375; .625 + .375 = 1
    given = {"acc": logits((0.75, 0.25), (0.5, 0.5)), "gyro": logits((0.25, 0.75), (0.5, 0.5))}
    assert dominance(given, Y, {"acc": BOTH, "gyro": BOTH}) == pytest.approx({"acc": 0.625, "gyro": 0.375})


def test_the_mean_is_over_the_samples_that_have_it() -> None:
    given = {"acc": logits((0.75, 0.25), (0.5, 0.5)), "gyro": logits((0.25, 0.75), (0.5, 0.5))}
    # acc is there for the first sample alone: .75; .75 / (.75 + .375) = 2 / 3
    found = dominance(given, Y, {"acc": np.array([True, False]), "gyro": BOTH})
    assert found == pytest.approx({"acc": 2 / 3, "gyro": 1 / 3})


def test_a_modality_that_no_sample_has() -> None:
    given = {"acc": logits((0.75, 0.25), (0.5, 0.5)), "gyro": logits((0.25, 0.75), (0.5, 0.5))}
    assert dominance(given, Y, {"acc": ~BOTH, "gyro": BOTH}) == {"acc": None, "gyro": 1.0}


def test_one_modality_has_it_all() -> None:
    assert dominance({"acc": logits((0.75, 0.25), (0.5, 0.5))}, Y, {"acc": BOTH}) == {"acc": 1.0}


def test_where_nothing_is_left_of_any_score() -> None:
    hopeless = np.array([[-1e6, 0.0], [0.0, -1e6]])
    found = dominance({"acc": hopeless, "gyro": hopeless}, Y, {"acc": BOTH, "gyro": BOTH})
    assert found == {"acc": None, "gyro": None}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_shares_add_up_to_one(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    given = {f"m{i}": rng.normal(size=(7, 3)) for i in range(count)}
    found = dominance(given, rng.integers(0, 3, 7), dict.fromkeys(given, np.ones(7, dtype=bool)))
    assert sum(share or 0 for share in found.values()) == pytest.approx(1)
