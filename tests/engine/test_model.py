"""The trained model: predicts from any subset of the modalities, as the evaluation does, and stays as it was."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from people import SMALL, people

import motet
from motet.api import Run
from motet.data.dataset import TEST, Modality
from motet.errors import InputError

DATA = people(each=30)
X = {m: x[DATA.split == TEST] for m, x in DATA.x.items()}
Y = DATA.y[DATA.split == TEST]


def trained(recipe: str, data: Any = DATA, **settings: Any) -> Run:
    return motet.run(data, recipe=recipe, **{**SMALL, "rounds": 6, "missing_rate": 0.4, **settings})


def accuracy(found: NDArray[np.int64]) -> float:
    return float((found == Y).mean())


@pytest.mark.parametrize("recipe", ["fedavg", "partial", "late", "pmm", "qqr"])
def test_it_predicts_what_the_evaluation_predicted(recipe: str) -> None:
    result = trained(recipe)
    for size in (1, 2):
        for kept in combinations(X, size):
            found = result.model.predict({m: X[m] for m in kept})
            assert accuracy(found) == pytest.approx(result.final.accuracy_by_present["+".join(kept)])
    assert accuracy(result.model.predict(X)) == pytest.approx(result.final.accuracy)


def test_flags_that_were_learnt_count_for_prediction_too() -> None:
    result = trained("qqr", flags="assessed", calibration_rounds=2, degraded_rate=0.4)
    assert accuracy(result.model.predict(X)) == pytest.approx(result.final.accuracy)


def test_without_a_global_model_the_clients_models_are_averaged() -> None:
    result = trained("local", rounds=12)
    assert accuracy(result.model.predict(X)) > 0.6  # three classes; what every client began with knows nothing
    assert result.model.probabilities(X).sum(axis=1) == pytest.approx(1.0)


def test_probabilities_are_probabilities() -> None:
    model = trained("qqr").model
    found = model.probabilities(X)
    assert found.shape == (len(Y), 3)
    assert found.dtype == np.float64
    assert found.min() >= 0
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert np.array_equal(found.argmax(axis=1), model.predict(X))
    assert model.predict(X).dtype == np.int64
    assert model.classes == ("sit", "walk", "run")


def test_predicting_changes_nothing() -> None:
    result = trained("qqr")
    model = result.model
    before = {name: value.clone() for name, value in model.parameters.items()}
    inputs = {m: x.copy() for m, x in X.items()}
    first = model.probabilities(X)
    for kept in ({"move": X["move"]}, {"body": X["body"][:3]}, X):
        model.predict(kept)
    assert np.array_equal(model.probabilities(X), first)
    assert all(torch.equal(value, before[name]) for name, value in model.parameters.items())
    assert all(np.array_equal(X[m], inputs[m]) for m in X)
    model.parameters.clear()
    assert model.parameters


def test_each_sample_is_predicted_by_itself() -> None:
    model = trained("qqr").model
    whole = model.probabilities(X)
    for i in (0, 5):
        assert model.probabilities({m: x[i : i + 1] for m, x in X.items()}) == pytest.approx(whole[i : i + 1], abs=1e-5)


def test_lists_and_integers_are_arrays_too() -> None:
    model = trained("partial").model
    ones = {"body": [[1, 2, 3], [4, 5, 6]]}
    assert np.array_equal(model.predict(ones), model.predict({"body": np.array(ones["body"], dtype=np.float64)}))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ({}, "at least one modality"),
        ({"mov": X["move"]}, "unknown modality 'mov': did you mean 'move'"),
        ({"move": X["move"][:, :1]}, r"move must have shape \(n, 2, 8\), not \(24, 1, 8\)"),
        ({"move": X["move"][0]}, r"move must have shape \(n, 2, 8\), not \(2, 8\)"),
        ({"body": 3.0}, r"body must have shape \(n, 3\), not \(\)"),
        ({"body": [[1, 2, 3], [4]]}, "not rows of unequal lengths"),
        ({"body": [["a", "b", "c"]]}, "must hold numbers"),
        ({"body": [[None, 1, 2]]}, "must hold numbers"),
        ({"body": [[np.nan, 1, 2]]}, "NaN or infinite"),
        ({"body": [[np.inf, 1, 2]]}, "NaN or infinite"),
        ({"body": np.zeros((0, 3))}, "at least one modality and one sample"),
        ({"body": X["body"][:3], "move": X["move"][:4]}, "same number of samples"),
    ],
)
def test_what_cannot_be_predicted_is_refused(x: dict[str, Any], words: str) -> None:
    model = trained("partial", rounds=1).model
    with pytest.raises(InputError, match=words):
        model.predict(x)


def test_words_that_are_not_in_the_vocabulary() -> None:
    words = Modality("words", "tokens", (5,), vocabulary=9)
    x = np.random.default_rng(0).integers(0, 9, (len(DATA.y), 5))
    data = replace(DATA, modalities={**DATA.modalities, "words": words}, x={**DATA.x, "words": x}, present={})
    model = trained("qqr", data, rounds=1).model
    assert model.predict({"words": [[0, 8, 3, 0, 0]]}).shape == (1,)
    for wrong in (9, -1):
        with pytest.raises(InputError, match="words must hold ids from 0 to 8"):
            model.predict({"words": [[0, wrong, 3, 0, 0]]})


def test_it_can_be_used_after_the_next_run() -> None:
    first = trained("partial")
    before = first.model.probabilities(X)
    trained("partial", seed=1)
    assert np.array_equal(first.model.probabilities(X), before)
