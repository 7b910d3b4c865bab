"""What a device minimises, with features that are the samples and heads set by hand."""

from __future__ import annotations

import math

import pytest
import torch
from checks import aux_of, known_features, loss_and_gradient, rows, weights
from torch import Tensor

from motet.learn.method import Method
from motet.learn.sample import Batch
from motet.nets.network import State

LN3 = math.log(3)
CASE = {"a": [[1.0, 0.0]], "b": [[1.0, 0.0]]}


def with_heads(objective: str, missing: str = "skip", names: str = "ab") -> tuple[Method, State]:
    """Return a method of two classes in which each modality's logits are (0, ln 3) times its first number."""
    method = known_features(names, classes=2, recipe="late", objective=objective, missing=missing)
    params = weights(method)
    for m in names:
        params[f"head.{m}.weight"] = torch.tensor([[0.0, 0.0], [LN3, 0.0]], dtype=torch.float64).requires_grad_()
        params[f"head.{m}.bias"] = torch.zeros(2, dtype=torch.float64).requires_grad_()
    return method, params


def loss(objective: str, batch: Batch, missing: str = "skip") -> float:
    method, params = with_heads(objective, missing)
    return float(loss_and_gradient(method, params, aux_of(method, params, {}), batch)[0])


def logits(method: Method, params: State, batch: Batch) -> Tensor:
    return method.logits(params, aux_of(method, params, {}), method.encode(params, batch.x), batch).detach()


def test_late_is_the_cross_entropy_of_the_summed_logits() -> None:
    # the sum (0, 2 ln 3) gives class 1 the probability 9 / 10
    assert loss("late", rows(CASE, [1])) == pytest.approx(math.log(10 / 9))
    assert loss("late", rows(CASE, [0])) == pytest.approx(math.log(10))


def test_late_unimodal_adds_each_modality_s_own() -> None:
    # alone each gives class 1 the probability 3 / 4
    assert loss("late-unimodal", rows(CASE, [1])) == pytest.approx(math.log(10 / 9) + 2 * math.log(4 / 3))


def test_a_modality_that_is_left_out_neither_speaks_nor_costs() -> None:
    batch = rows(CASE, [1], present={"b": [False]})
    assert loss("late", batch) == pytest.approx(math.log(4 / 3))
    assert loss("late-unimodal", batch) == pytest.approx(2 * math.log(4 / 3))
    method, params = with_heads("late-unimodal")
    _, gradient = loss_and_gradient(method, params, aux_of(method, params, {}), batch)
    assert not any(bool(gradient[name].any()) for name in gradient if ".b." in name)
    assert bool(gradient["head.a.weight"].any())


def test_a_modality_left_out_says_nothing_though_its_head_has_a_bias() -> None:
    method, params = with_heads("late")
    params["head.b.bias"] = torch.tensor([5.0, -5.0], dtype=torch.float64)
    batch = rows(CASE, [1], present={"b": [False]})
    torch.testing.assert_close(logits(method, params, batch), torch.tensor([[0.0, LN3]], dtype=torch.float64))


def test_a_zero_filled_modality_speaks() -> None:
    method, params = with_heads("late", missing="zero")
    params["head.b.bias"] = torch.tensor([0.0, LN3], dtype=torch.float64)
    batch = rows({"a": [[1.0, 0.0]], "b": [[0.0, 0.0]]}, [1], present={"b": [False]})
    torch.testing.assert_close(logits(method, params, batch), torch.tensor([[0.0, 2 * LN3]], dtype=torch.float64))


def test_with_nothing_left_the_classes_are_equally_likely() -> None:
    batch = rows(CASE, [1], present={"a": [False], "b": [False]})
    assert loss("late", batch) == pytest.approx(math.log(2))
    assert loss("late-unimodal", batch) == pytest.approx(math.log(2))


def joint_with_one_unit() -> tuple[Method, State]:
    """Return a method whose head is ReLU of the sum of the modalities' first numbers, as class 1's logit."""
    method = known_features(classes=2, recipe="fedavg")
    params = weights(method)
    for name, entries in {"head.0.weight": [(0, 0), (0, 2)], "head.2.weight": [(1, 0)]}.items():
        params[name] = torch.zeros_like(params[name])
        for entry in entries:
            params[name][entry] = 1.0
    for name in ("head.0.bias", "head.2.bias"):
        params[name] = torch.zeros_like(params[name])
    return method, params


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (math.log(2), math.log(1.5), math.log(4 / 3)),  # logits (0, ln 3)
        (-3.0, 1.0, math.log(2)),  # the unit is silent
    ],
)
def test_joint_is_one_head_with_one_hidden_layer_on_all_features(a: float, b: float, expected: float) -> None:
    method, params = joint_with_one_unit()
    batch = rows({"a": [[a, 7.0]], "b": [[b, -7.0]]}, [1])
    found = method.loss(params, aux_of(method, params, {}), batch, method.phases()[0])
    assert float(found.detach()) == pytest.approx(expected)


def test_the_joint_head_has_128_hidden_units_and_keeps_the_order_of_modalities() -> None:
    method = known_features("abc", classes=5, recipe="fedavg")
    shapes = {name: tuple(value.shape) for name, value in method.network.state().items() if name.startswith("head")}
    assert shapes == {"head.0.weight": (128, 6), "head.0.bias": (128,), "head.2.weight": (5, 128), "head.2.bias": (5,)}


@pytest.mark.parametrize("objective", ["late", "late-unimodal"])
def test_the_loss_is_the_mean_over_rows_that_are_not_padding(objective: str) -> None:
    x = {"a": [[1.0, 0.0], [2.0, 0.0], [9.0, 0.0]], "b": [[1.0, 0.0], [0.0, 0.0], [9.0, 0.0]]}
    alone = [loss(objective, rows({m: [values[i]] for m, values in x.items()}, [1])) for i in range(2)]
    assert loss(objective, rows(x, [1, 1, 0], mask=[True, True, False])) == pytest.approx(sum(alone) / 2)
