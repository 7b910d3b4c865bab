"""Weights of summed scores, fitted on samples that were held out: by hand, and what holds for any scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from checks import aux_of, known_features, rows, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motet.learn.fusion import fit_weights
from motet.learn.method import Method
from motet.measure.accuracy import log_loss
from motet.nets.network import State

Floats = NDArray[np.float64]

LN3 = math.log(3)


MANY = 100_000
"""Times that a few samples are repeated, so that the prior has no say."""


def for_class_1(*scores: list[float], times: int = 1) -> Floats:
    """Return the logits of modalities that say so much for class 1, (n, M, 2), all samples several times."""
    said = np.tile(np.array(scores, dtype=np.float64).T, (times, 1))
    return np.stack([np.zeros_like(said), said], axis=2)


def test_one_modality_by_hand() -> None:
    """It is right in 3 of 4 samples, so its best weight makes it as sure as that: w = ln 3 / 1, and w = ln 3 / 2."""
    y = np.tile([1, 1, 1, 0], MANY)
    assert fit_weights(for_class_1([1, 1, 1, 1], times=MANY), y) == pytest.approx([LN3], abs=1e-5)
    assert fit_weights(for_class_1([2, 2, 2, 2], times=MANY), y) == pytest.approx([LN3 / 2], abs=1e-5)


def test_noise_weighs_nothing_and_the_rest_what_it_does_alone() -> None:
    """The second modality says the same for either class, so by symmetry its best weight is 0."""
    y = np.tile([1, 1, 1, 0] * 2, MANY)
    own = for_class_1([1] * 8, [5, 5, 5, 5, -5, -5, -5, -5], times=MANY)
    found = fit_weights(own, y)
    assert found == pytest.approx([LN3, 0], abs=1e-5)
    assert (np.einsum("m,nmc->nc", np.ones(2), own).argmax(1) == y).mean() == 0.5  # noise is the loudest
    assert (np.einsum("m,nmc->nc", found, own).argmax(1) == y).mean() == 0.75


def test_no_weight_is_negative() -> None:
    y = np.tile([1, 1, 1, 0], 5)
    assert fit_weights(for_class_1([1, 1, 1, 1], [-1, -1, -1, 1], times=5), y)[1] == 0


def test_the_prior_by_hand() -> None:
    """One sample, z = 1 for its class: 1 / (1 + e^w) = w - 1, by bisection w = 1.2268; where nothing is said, w = 1."""
    (weight,) = fit_weights(for_class_1([1]), np.array([1]))
    assert weight - 1 == pytest.approx(1 / (1 + math.exp(weight)))
    assert weight == pytest.approx(1.2268, abs=5e-5)
    assert fit_weights(for_class_1([1], [0]), np.array([1]))[1] == 1


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(1, 40),
    modalities=st.integers(1, 5),
    classes=st.integers(2, 5),
    size=st.sampled_from([0.01, 1.0, 30.0]),
    seed=st.integers(0, 999),
)
def test_no_weights_nearby_and_no_equal_ones_are_better(
    samples: int, modalities: int, classes: int, size: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, samples)
    own = size * (rng.normal(size=(samples, modalities, classes)) + rng.random() * np.eye(classes)[y][:, None])

    def loss(some: Floats) -> float:
        return float(log_loss(np.einsum("m,nmc->nc", some, own), y).sum() + ((some - 1) ** 2).sum() / 2)

    found = fit_weights(own, y)
    assert (found >= 0).all()
    assert loss(found) <= loss(np.ones(modalities)) + 1e-9
    for _ in range(5):
        other = np.maximum(found + 0.1 * rng.normal(size=modalities), 0)
        assert loss(found) <= loss(other) + 1e-6 * (1 + size)
    assert np.array_equal(fit_weights(own, y), found)


# --- At prediction -----------------------------------------------------------------------------------------------


def with_heads(objective: str) -> tuple[Method, State]:
    """Return late fusion of two modalities, each of which says its first number for class 1."""
    method = known_features(classes=2, recipe="late", objective=objective)
    params = weights(method)
    for m in "ab":
        params[f"head.{m}.weight"] = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
        params[f"head.{m}.bias"] = torch.zeros(2, dtype=torch.float64)
    return method, params


@pytest.mark.parametrize("objective", ["late", "late-unimodal"])
def test_scores_are_weighted_at_prediction_alone_by_hand(objective: str) -> None:
    method, params = with_heads(objective)
    batch = rows({"a": [[2.0, 9.0], [3.0, 9.0]], "b": [[-4.0, 9.0], [5.0, 9.0]]}, [1, 0], present={"b": [True, False]})
    equal = aux_of(method, params, {})
    weighted = {**equal, "fusion": {"a": torch.tensor(3.0), "b": torch.tensor(0.5)}}
    encoded = method.encode(params, batch.x)

    def second(aux: dict[str, object]) -> list[float]:
        found: list[float] = method.logits(params, aux, encoded, batch)[:, 1].tolist()
        return found

    assert second(equal) == [2 - 4, 3]
    assert second(weighted) == [3 * 2 - 0.5 * 4, 3 * 3]
    own = method.own_logits(params, equal, encoded, batch)
    assert own[:, :, 1].tolist() == [[2, -4], [3, 0]]
    torch.testing.assert_close(own.sum(1), method.logits(params, equal, encoded, batch))
    phase = method.phases()[0]
    assert torch.equal(method.loss(params, equal, batch, phase), method.loss(params, weighted, batch, phase))


def test_weights_that_the_server_sends_are_what_is_predicted_with() -> None:
    method, params = with_heads("late")
    model = {name: value.detach() for name, value in params.items()}
    sent = {"a": torch.tensor(0.25), "b": torch.tensor(2.0)}
    assert method.aux({"model": model, "fusion": sent})["fusion"] == sent
    assert "fusion" not in method.aux({"model": model})
