"""Modulated gradients."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from checks import assert_same_bits, aux_of, finish, known_features, loss_and_gradient, rows, toy, trained, weights
from torch import Tensor

from motet.learn.objective.ogm import Ogm, coefficient, deviation


def factors(scores: list[float], known: list[bool] | None = None) -> list[float]:
    numbers = torch.tensor(scores, dtype=torch.float64)
    found: list[float] = coefficient(numbers, torch.tensor(known or [True] * len(scores)), 0.3).tolist()
    return found


def test_the_modality_ahead_is_slowed_by_tanh_of_its_lead() -> None:
    assert factors([0.6, 0.2]) == pytest.approx([1 - math.tanh(0.9), 1])
    assert factors([0.2, 0.6]) == pytest.approx([1, 1 - math.tanh(0.9)])
    assert factors([0.5, 0.5]) == [1, 1]


def test_among_several_the_others_are_averaged() -> None:
    assert factors([0.8, 0.2, 0.2]) == pytest.approx([1 - math.tanh(0.3 * 4), 1, 1])


def test_a_modality_without_a_score_neither_leads_nor_trails() -> None:
    assert factors([0.6, 0.2, 9.0], [True, True, False]) == pytest.approx([1 - math.tanh(0.9), 1, 1])
    assert factors([0.6, 0.0], [True, False]) == [1, 1]
    assert factors([0.6]) == [1]


def example(objective: str, **kinds: Any) -> dict[str, Tensor]:
    method = known_features(classes=2, recipe="fedavg", objective=objective)
    params = weights(method)
    batch = rows({"a": [[2.0, 0.0], [1.0, 0.5]], "b": [[0.1, 0.0], [0.0, 0.2]]}, [1, 0], **kinds)
    return loss_and_gradient(method, params, aux_of(method, params, {}), batch)[1]


def test_each_encoder_s_gradient_is_scaled_and_the_head_s_is_not() -> None:
    plain, found = example("joint"), example("ogm")
    assert_same_bits({n: v for n, v in found.items() if "head" in n}, {n: v for n, v in plain.items() if "head" in n})
    scale = {m: float(found[f"encoder.{m}.weight"] / plain[f"encoder.{m}.weight"]) for m in "ab"}
    assert sorted(scale.values())[1] == pytest.approx(1)
    assert 0 < sorted(scale.values())[0] < 1 - math.tanh(0.3)
    alone = example("ogm", present={"b": [False, False]}), example("joint", present={"b": [False, False]})
    assert torch.allclose(alone[0]["encoder.a.weight"], alone[1]["encoder.a.weight"])


def test_deviation_is_that_of_a_tensor_s_numbers() -> None:
    assert float(deviation(torch.tensor([[1.0, 3.0], [5.0, 7.0]]))) == pytest.approx(math.sqrt(5))
    assert float(deviation(torch.tensor(4.0))) == 0


def test_noise_is_as_large_as_the_gradient_varies_and_on_encoders_alone() -> None:
    gradients = {"encoder.a.weight": torch.tensor([1.0, 3.0]), "head.weight": torch.tensor([1.0, 3.0])}
    noise = {name: torch.tensor([0.5, -2.0]) for name in gradients}
    found = Ogm().correct(gradients, noise)
    assert found["encoder.a.weight"].tolist() == [1.5, 1.0]  # deviation 1
    assert found["head.weight"].tolist() == [1.0, 3.0]


def test_noise_is_drawn_anew_for_every_step_client_and_seed() -> None:
    choices: dict[str, Any] = {"recipe": "fedavg", "rounds": 1, "batch_size": 64}
    quiet, noisy = (finish(toy(), objective=o, **choices) for o in ("ogm:noise=false", "ogm"))
    again, other = (finish(toy(), objective="ogm", seed=seed, **choices) for seed in (0, 1))
    assert_same_bits(trained(again), trained(noisy))
    name = "encoder.m0.hidden.weight"
    assert not torch.equal(trained(quiet)[name], trained(noisy)[name])
    assert_same_bits(
        *({"b": trained(f)["head.0.bias"]} for f in (quiet, noisy))
    )  # one step: the head is not yet moved by it
    assert not torch.equal(trained(other)[name], trained(noisy)[name])
    assert not torch.equal(noisy.state.shared["model"][name], quiet.state.shared["model"][name])
