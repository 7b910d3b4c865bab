"""Figures from predictions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from motet.measure.accuracy import accuracy, by_client, confusion, log_loss, mean, scores


def logits_of(predicted: list[int], classes: int) -> np.ndarray:
    """Return logits whose largest is the class predicted."""
    return np.eye(classes)[predicted] * 2.0


# --- By hand -----------------------------------------------------------------------------------------------------

# class 0: 3 of 4 right, one taken for 1; class 1: 1 of 2 right, one taken for 0; class 2: never there, predicted once
TRUE = np.array([0, 0, 0, 0, 1, 1, 0])
PREDICTED = [0, 0, 0, 1, 1, 0, 2]


def test_confusion_counts_truth_by_prediction() -> None:
    found = confusion(TRUE, np.array(PREDICTED), 3)
    assert found.tolist() == [[3, 1, 1], [1, 1, 0], [0, 0, 0]]


def test_scores_by_hand() -> None:
    found = scores(logits_of(PREDICTED, 3), TRUE)
    assert found["accuracy"] == pytest.approx(4 / 7)
    assert found["accuracy_by_class"] == [pytest.approx(3 / 5), pytest.approx(1 / 2), None]
    assert found["balanced_accuracy"] == pytest.approx((3 / 5 + 1 / 2) / 2)
    assert found["worst_class"] == pytest.approx(1 / 2)
    # F1: class 0 has 3 hits, 5 true, 4 predicted: 6 / 9; class 1: 2 / 4; class 2 is not there and counts in no average
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_loss_by_hand() -> None:
    logits = np.log([[1.0, 3.0], [1.0, 1.0]])
    assert log_loss(logits, np.array([1, 0])) == pytest.approx([math.log(4 / 3), math.log(2)])
    assert scores(logits, np.array([1, 0]))["loss"] == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_a_perfect_and_a_hopeless_prediction() -> None:
    y = np.array([0, 1, 2])
    for predicted, value in (([0, 1, 2], 1.0), ([1, 2, 0], 0.0)):
        found = scores(logits_of(predicted, 3), y)
        for figure in ("accuracy", "balanced_accuracy", "macro_f1", "worst_class"):
            assert found[figure] == value


def test_by_client() -> None:
    y, client = np.array([0, 1, 1, 0]), np.array([7, 7, 2, 2])
    assert by_client(logits_of([0, 0, 1, 0], 2), y, client) == {"2": 1.0, "7": 0.5}
    assert by_client(logits_of([0, 0, 1, 0], 2), y, None) == {}


def test_accuracy_on_some_of_the_samples() -> None:
    logits, y = logits_of([0, 0, 1, 0], 2), np.array([0, 1, 1, 1])
    assert accuracy(logits, y, np.array([True, True, True, False])) == pytest.approx(2 / 3)
    assert accuracy(logits, y, np.zeros(4, dtype=bool)) is None


# --- Extremes ----------------------------------------------------------------------------------------------------


def test_loss_of_huge_logits_is_exact() -> None:
    logits = np.array([[1e6, 0.0], [-1e6, 0.0], [1e300, -1e300], [0.0, 0.0]])
    y = np.array([1, 1, 0, 0])
    assert log_loss(logits, y) == pytest.approx([1e6, 0.0, 0.0, math.log(2)])


@settings(deadline=None, max_examples=50)
@given(
    hnp.arrays(np.float64, (3, 4), elements=st.floats(-50, 50)),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
    st.floats(-1e4, 1e4),
)
def test_loss_does_not_depend_on_where_zero_is(logits: np.ndarray, y: list[int], shift: float) -> None:
    found = log_loss(logits, np.array(y))
    assert (found >= 0).all()
    assert log_loss(logits + shift, np.array(y)) == pytest.approx(found, abs=1e-9, rel=1e-9)


# --- Against scikit-learn ----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 40))
def test_scores_agree_with_scikit_learn(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    y, logits = rng.integers(0, classes, count), rng.normal(size=(count, classes))
    predicted, there = logits.argmax(1), np.unique(y)
    found = scores(logits, y)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    f1 = metrics.f1_score(y, predicted, labels=there, average="macro", zero_division=0)
    recall = metrics.recall_score(y, predicted, labels=there, average=None, zero_division=0)
    table = metrics.confusion_matrix(y, predicted, labels=range(classes))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, predicted))
    assert found["balanced_accuracy"] == pytest.approx(recall.mean())
    assert found["worst_class"] == pytest.approx(recall.min())
    assert found["macro_f1"] == pytest.approx(f1)
    assert found["loss"] == pytest.approx(metrics.log_loss(y, probabilities, labels=range(classes)))
    assert [found["accuracy_by_class"][c] for c in there] == pytest.approx(list(recall))
    assert confusion(y, predicted, classes).tolist() == table.tolist()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.permutations(range(9)))
def test_the_order_of_samples_does_not_matter(seed: int, order: list[int]) -> None:
    rng = np.random.default_rng(seed)
    y, logits = rng.integers(0, 3, 9), rng.normal(size=(9, 3))
    found, expected = scores(logits[order], y[order]), scores(logits, y)
    assert found.pop("loss") == pytest.approx(expected.pop("loss"))
    assert found == expected


# --- Means of records --------------------------------------------------------------------------------------------


def test_records_are_averaged_number_by_number() -> None:
    records = [
        {"accuracy": 0.5, "by_class": [1.0, None, 0.0], "by_client": {"1": 0.25}},
        {"accuracy": 1.0, "by_class": [0.5, 0.5, None], "by_client": {"1": 0.75}},
    ]
    assert mean(records) == {"accuracy": 0.75, "by_class": [0.75, None, None], "by_client": {"1": 0.5}}


def test_the_mean_of_one_record_is_the_record() -> None:
    record = scores(logits_of(PREDICTED, 3), TRUE)
    assert mean([record]) == record


def test_records_with_lists_of_different_length_have_no_mean() -> None:
    with pytest.raises(ValueError, match="shorter"):
        mean([[1.0, 2.0], [1.0]])
