"""Optimisers of many clients at once are those of `torch.optim`, one for each client."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from motet.config import TrainingSettings
from motet.engine.optimiser import Optimiser

KINDS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "adam": {"optimizer": "adam"},
}
SHAPES = {"weight": (2, 3), "bias": (3,), "gain": ()}
RATE = 0.05

every_kind = pytest.mark.parametrize("kind", KINDS)
Values = dict[str, Tensor]


def drawn(steps: int, clients: int, seed: int) -> tuple[Values, list[Values]]:
    """Return parameters to begin with, the same for all clients, and gradients of very different sizes."""
    rng = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng, dtype=torch.float64)

    scale = 10.0 ** torch.randint(-6, 3, (clients,), generator=rng)
    start = {name: numbers(*shape) for name, shape in SHAPES.items()}
    gradients = [
        {name: numbers(clients, *shape) * scale.reshape(-1, *[1] * len(shape)) for name, shape in SHAPES.items()}
        for _ in range(steps)
    ]
    return start, gradients


def at_once(kind: str, start: Values, gradients: list[Values], active: list[list[bool]]) -> list[Values]:
    """Return the parameters of all clients after each step."""
    optimiser = Optimiser(TrainingSettings(**KINDS[kind]), RATE)
    moved: Values = {}
    after = []
    for step, who in zip(gradients, active, strict=True):
        for name, gradient in step.items():
            moved[name] = optimiser.step(name, moved.get(name), gradient, torch.tensor(who))
        after.append({name: value + moved[name] if name in moved else value for name, value in start.items()})
    return after


def alone(kind: str, client: int, start: Values, gradients: list[Values], active: list[list[bool]]) -> list[Values]:
    """Return one client's parameters after each step, by `torch.optim`; a step without samples is none."""
    leaves = {name: value.clone().requires_grad_() for name, value in start.items()}
    params = list(leaves.values())
    made = {
        "sgd": lambda: torch.optim.SGD(params, lr=RATE),
        "momentum": lambda: torch.optim.SGD(params, lr=RATE, momentum=0.9),
        "adam": lambda: torch.optim.Adam(params, lr=RATE),
    }
    optimiser, after = made[kind](), []
    for step, who in zip(gradients, active, strict=True):
        if who[client]:
            for name, leaf in leaves.items():
                leaf.grad = step[name][client].clone() if name in step else None
            optimiser.step()
        after.append({name: leaf.detach().clone() for name, leaf in leaves.items()})
    return after


def check(kind: str, start: Values, gradients: list[Values], active: list[list[bool]]) -> None:
    found = at_once(kind, start, gradients, active)
    for k in range(len(active[0])):
        for now, expected in zip(found, alone(kind, k, start, gradients, active), strict=True):
            for name, wanted in expected.items():
                own = now[name][k] if now[name].dim() > wanted.dim() else now[name]
                torch.testing.assert_close(own, wanted, rtol=1e-12, atol=1e-12)


@every_kind
def test_steps_are_those_of_torch(kind: str) -> None:
    start, gradients = drawn(steps=7, clients=4, seed=0)
    check(kind, start, gradients, [[True] * 4] * 7)


@every_kind
@settings(max_examples=40, deadline=None)
@given(
    active=st.integers(1, 4).flatmap(
        lambda clients: st.lists(st.lists(st.booleans(), min_size=clients, max_size=clients), min_size=1, max_size=8)
    ),
    seed=st.integers(0, 99),
)
@example(active=[[True, False, False]] * 3 + [[False, True, False]] * 3 + [[True, True, False]] * 2, seed=0)
def test_who_has_no_samples_skips_the_step(kind: str, active: list[list[bool]], seed: int) -> None:
    start, gradients = drawn(len(active), len(active[0]), seed)
    check(kind, start, gradients, active)


@every_kind
def test_a_parameter_that_does_not_learn_in_a_phase_keeps_its_own_count_of_steps(kind: str) -> None:
    start, gradients = drawn(steps=6, clients=3, seed=1)
    for number in (0, 1, 4):
        del gradients[number]["bias"]
    check(kind, start, gradients, [[True, number % 2 == 0, True] for number in range(6)])


@every_kind
def test_rest_leaves_every_bit_whatever_the_gradient_says(kind: str) -> None:
    """Neither the parameter nor any moment or count of steps of a client moves, and nonsense does not reach it."""
    optimiser = Optimiser(TrainingSettings(**KINDS[kind]), RATE)
    _, gradients = drawn(steps=2, clients=3, seed=2)
    active = torch.tensor([True, False, True])
    before = optimiser.step("weight", None, gradients[0]["weight"], torch.ones(3, dtype=torch.bool))
    once = before.clone()
    kept = [state["weight"][1].clone() for state in moments(optimiser)]
    nonsense = gradients[1]["weight"].clone()
    nonsense[1] = float("nan")
    after = optimiser.step("weight", before, nonsense, active)
    assert torch.equal(after[1], once[1])
    assert not torch.equal(after[0], once[0])
    assert len(kept) == {"sgd": 0, "momentum": 1, "adam": 3}[kind]
    for state, own in zip(moments(optimiser), kept, strict=True):
        assert torch.equal(state["weight"][1], own)


def moments(optimiser: Optimiser) -> list[Values]:
    """Return what an optimiser remembers of clients from step to step."""
    return [state for state in (optimiser.first, optimiser.second, optimiser.steps) if state]


@every_kind
def test_single_precision_stays_single(kind: str) -> None:
    optimiser = Optimiser(TrainingSettings(**KINDS[kind]), RATE)
    value = optimiser.step("w", None, torch.ones(3, 2), torch.tensor([True, True, False]))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, -RATE * torch.tensor([[1.0, 1], [1, 1], [0, 0]]))  # Adam's first step is the rate


def test_momentum_by_hand() -> None:
    optimiser = Optimiser(TrainingSettings(momentum=0.5), 0.1)
    moved = None
    for gradient, active in (([1.0, 2.0], [True, False]), ([1.0, 2.0], [True, True]), ([0.0, 2.0], [True, True])):
        own = torch.tensor(gradient, dtype=torch.float64)[:, None]
        moved = optimiser.step("w", moved, own, torch.tensor(active))
    assert moved is not None
    # client 0: v = 1, 1.5, 0.75; client 1 begins a step later: v = 2, 3
    torch.testing.assert_close(moved, torch.tensor([[-0.325], [-0.5]], dtype=torch.float64), rtol=1e-14, atol=1e-14)
