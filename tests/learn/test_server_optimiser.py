"""The server's optimiser, by hand."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import pytest
import torch
from checks import assert_same_bits
from folding import doubles

from motet.config import RecipeSettings
from motet.learn.server_optimiser import TAU, moments, optimise
from motet.nets.network import State


def after(changes: Sequence[float], **settings: Any) -> tuple[list[float], State]:
    """Return a parameter that starts at 10 after each round, and the last moments; `changes` is what rounds add."""
    recipe = RecipeSettings(**settings)
    model, memory, seen = {"a": doubles([10.0])}, {}, []
    for change in changes:
        model, memory = optimise(recipe, model, {"a": model["a"] + change}, {"a"}, memory)
        seen.append(float(model["a"]))
    return seen, memory


def test_momentum_by_hand() -> None:
    """m = 1, .5 + 2 = 2.5, 1.25 - 4 = -2.75; the rate is 2."""
    seen, memory = after([1, 2, -4], server_optimizer="momentum", server_momentum=0.5, server_lr=2.0)
    assert seen == [12, 17, 11.5]
    assert {name: value.tolist() for name, value in memory.items()} == {"server_optimizer/first/a": [-2.75]}


def test_adam_by_hand() -> None:
    """m = .5, 1.25, -1.375; v begins at 1e-6, and is .01 D^2 + .99 v; tau is .001."""
    seen, memory = after([1, 2, -4], server_optimizer="adam", server_momentum=0.5, server_lr=0.1)
    squares = [0.01000099, 0.0499009801, 0.209401970299]
    expected = [10 + 0.05 / (math.sqrt(squares[0]) + 0.001)]
    expected += [expected[0] + 0.125 / (math.sqrt(squares[1]) + 0.001)]
    expected += [expected[1] - 0.1375 / (math.sqrt(squares[2]) + 0.001)]
    assert seen == pytest.approx(expected, rel=1e-12)
    assert seen == pytest.approx([10.49503, 11.0521, 10.75228], abs=1e-5)
    assert float(memory["server_optimizer/first/a"]) == -1.375
    assert float(memory["server_optimizer/second/a"]) == pytest.approx(squares[2], rel=1e-12)
    assert list(memory) == ["server_optimizer/first/a", "server_optimizer/second/a"]


def test_without_an_optimiser_the_rate_alone_counts() -> None:
    assert after([1, 2, -4], server_lr=0.5) == ([10.5, 11.5, 9.5], {})


def test_at_rate_one_the_joined_model_is_the_next() -> None:
    model, joined = {"a": torch.rand(9)}, {"a": torch.rand(9)}
    found, memory = optimise(RecipeSettings(), model, joined, {"a"}, {})
    assert found is joined
    assert memory == {}


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_a_parameter_that_nobody_trained_keeps_its_value_and_its_moments(optimizer: str) -> None:
    recipe = RecipeSettings(server_optimizer=optimizer, server_lr=0.1)

    def round_of(model: State, memory: State, trained: Collection[str]) -> tuple[State, State]:
        joined = {name: value + (name in trained) for name, value in model.items()}
        return optimise(recipe, model, joined, trained, memory)

    start = {"a": doubles([1.0, 2.0]), "b": doubles([3.0])}
    first, memory = round_of(start, {}, {"b"})
    assert torch.equal(first["a"], start["a"])
    assert not any(name.endswith("/a") for name in memory)
    second, both = round_of(first, memory, {"a", "b"})
    third, rested = round_of(second, both, {"b"})
    assert torch.equal(third["a"], second["a"])
    assert_same_bits({n: v for n, v in rested.items() if n[-1] == "a"}, {n: v for n, v in both.items() if n[-1] == "a"})
    assert not torch.equal(third["b"], second["b"])
    fourth, _ = round_of(third, rested, {"a"})
    two_rounds, _ = round_of(*round_of({"a": start["a"]}, {}, {"a"}), {"a"})
    torch.testing.assert_close(fourth["a"], two_rounds["a"])  # as if the round between had not been


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_who_trained_and_moved_nothing_is_carried_on(optimizer: str) -> None:
    seen, _ = after([1, 0], server_optimizer=optimizer)
    assert seen[1] > seen[0] > 10


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_number_types_stay_and_moments_are_exact(optimizer: str) -> None:
    model, joined = {"a": torch.zeros(3), "b": torch.zeros(())}, {"a": torch.ones(3), "b": torch.ones(())}
    found, memory = optimise(RecipeSettings(server_optimizer=optimizer), model, joined, {"b", "a"}, {})
    assert {name: (value.dtype, value.shape) for name, value in found.items()} == {
        "a": (torch.float32, (3,)),
        "b": (torch.float32, ()),
    }
    assert {value.dtype for value in memory.values()} == {torch.float64}
    assert next(iter(memory)) == "server_optimizer/first/a"  # in the model's order, whatever that of `trained`
    assert_same_bits(model, {"a": torch.zeros(3), "b": torch.zeros(())})


def test_adam_s_step_is_near_its_rate_whatever_the_size_of_updates() -> None:
    small, large = (after([size] * 400, server_optimizer="adam", server_lr=0.5)[0] for size in (1.0, 1e6))
    for seen in (small, large):
        assert seen[-1] - seen[-2] == pytest.approx(0.5, rel=0.02)


def test_tau_holds_back_updates_that_are_smaller() -> None:
    seen, _ = after([TAU * 1e-3] * 2000, server_optimizer="adam", server_lr=0.5)
    assert seen[-1] - seen[-2] == pytest.approx(0.5e-3, rel=0.02)


def test_moments_are_told_from_what_else_the_server_remembers() -> None:
    memory = {"reference/acc/mean": doubles([1.0]), "server_optimizer/first/a": doubles([2.0])}
    assert list(moments(memory)) == ["server_optimizer/first/a"]
