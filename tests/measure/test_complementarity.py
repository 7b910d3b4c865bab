"""Whether modalities help each other, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.measure.complementarity import complementarity, double_fault

ALL = np.ones(5, dtype=bool)


def flags(*ones: int, count: int = 5) -> np.ndarray:
    return np.isin(np.arange(count), ones)


def test_what_is_reached_beyond_the_best_alone() -> None:
    assert complementarity(0.75, {"acc": 0.5, "gyro": 0.25}) == 0.25
    assert complementarity(0.5, {"acc": 0.75, "gyro": 0.25}) == -0.25


def test_a_modality_that_no_sample_has_is_not_the_best() -> None:
    assert complementarity(0.75, {"acc": None, "gyro": 0.25}) == 0.5
    assert complementarity(0.75, {"acc": None}) is None


def test_one_modality_adds_nothing_to_itself() -> None:
    assert complementarity(0.625, {"acc": 0.625}) == 0
    assert double_fault({"acc": flags(1)}, {"acc": ALL}) == {}


def test_faults_that_two_share() -> None:
    # acc is wrong on samples 0, 1, 2, gyro on 1, 2, 4: both on 1 and 2, of five
    assert double_fault({"acc": flags(0, 1, 2), "gyro": flags(1, 2, 4)}, {"acc": ALL, "gyro": ALL}) == {
        "acc~gyro": pytest.approx(2 / 5)
    }


def test_only_samples_that_have_both_count() -> None:
    wrong = {"acc": flags(0, 1, 2), "gyro": flags(1, 2, 4)}
    # acc has samples 0, 1, 3; gyro 1, 3, 4: both have 1 and 3, and of these both get 1 wrong
    assert double_fault(wrong, {"acc": flags(0, 1, 3), "gyro": flags(1, 3, 4)}) == {"acc~gyro": 1 / 2}
    assert double_fault(wrong, {"acc": flags(0), "gyro": flags(1)}) == {"acc~gyro": None}


def test_each_pair_once_in_the_order_of_the_modalities() -> None:
    names = ("gyro", "acc", "heart")
    found = double_fault(dict.fromkeys(names, flags(1)), dict.fromkeys(names, ALL))
    assert list(found) == ["gyro~acc", "gyro~heart", "acc~heart"]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_a_double_fault_is_no_more_than_either_fault(faults: list[tuple[bool, bool]]) -> None:
    a, b = np.array(faults).T
    everywhere = np.ones(len(faults), dtype=bool)
    found = double_fault({"a": a, "b": b}, {"a": everywhere, "b": everywhere})["a~b"]
    assert found is not None
    assert a.mean() + b.mean() - 1 - 1e-12 <= found <= min(a.mean(), b.mean())
