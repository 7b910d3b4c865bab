"""How the server steps after a round, and that a run that was stopped goes on with its optimiser's moments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from people import configured, federation, finish, people, run_with_breaks

from motet.engine.interrupt import Stop
from motet.engine.outcome import Outcome
from motet.engine.run import Runner, run
from motet.engine.state import initial_state
from motet.engine.watch import Watch
from motet.stream.assessment import Assessed

ROUGH: dict[str, Any] = {"missing_rate": 0.5, "degraded_rate": 0.5, "buffer": 6, "arrivals": 3}
both_optimisers = pytest.mark.parametrize("optimizer", ["momentum", "adam"])


@both_optimisers
@pytest.mark.parametrize(
    "settings",
    [{"recipe": "fedavg", "participation": 0.5}, {"recipe": "qqr", "flags": "assessed"}, {"aggregate": "ssca"}],
    ids=str,
)
def test_a_stopped_run_goes_on_with_the_same_bits(tmp_path: Path, optimizer: str, settings: dict[str, Any]) -> None:
    config = configured(server_optimizer=optimizer, server_lr=0.1, rounds=5, **ROUGH, **settings)
    whole = run(config, people())
    finished = run_with_breaks(config, people(), tmp_path / "run")
    found, expected = (each.state.to_checkpoint()[0] for each in (finished, whole))
    assert list(found) == list(expected)
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []
    assert any(name.startswith("memory/server_optimizer/first/") for name in found)
    assert any(name.startswith("memory/reference/") for name in found) == (settings.get("flags") == "assessed")


@both_optimisers
def test_an_optimiser_changes_what_is_learnt_but_not_what_is_sent(optimizer: str) -> None:
    plain, moved = finish(), finish(server_optimizer=optimizer, server_lr=0.1)
    assert moved.result.bytes == plain.result.bytes
    same = [torch.equal(v, moved.state.shared["model"][n]) for n, v in plain.state.shared["model"].items()]
    assert not any(same)


def test_momentum_of_nothing_is_no_optimiser() -> None:
    """But for rounding: the step is taken apart and put together again."""
    plain, moved = (
        finish(dtype="float64", **choices).state.shared["model"]
        for choices in ({}, {"server_optimizer": "momentum", "server_momentum": 0.0})
    )
    torch.testing.assert_close(moved, plain, rtol=1e-12, atol=1e-12)


def test_settings_of_an_optimiser_that_is_not_there_change_no_bit() -> None:
    plain, other = (finish(**choices).state for choices in ({}, {"server_momentum": 0.1}))
    assert all(torch.equal(v, other.shared["model"][n]) for n, v in plain.shared["model"].items())
    assert plain.memory == other.memory == {}


@both_optimisers
def test_a_part_that_nobody_trains_has_no_moments_and_stays(optimizer: str) -> None:
    """Body is away from every device in every round, and its slot is not encoded."""
    gone = {"missing_rate": 1.0, "missing_modality": "body"}
    finished = finish(recipe="partial", server_optimizer=optimizer, server_lr=0.1, **gone)
    start, end = finished.federation.method.network.state(), finished.state.shared["model"]
    body = [name for name in start if name.startswith("encoder.body")]
    assert body
    assert all(torch.equal(end[name], start[name]) for name in body)
    remembered = {name.split("/")[-1] for name in finished.state.memory}
    assert remembered == set(start) - set(body)


class Forgetful:
    """An engine whose clients send no parameter of body's encoder, though they name them all."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def train(self, *arguments: Any) -> Iterator[Outcome]:
        """Yield outcomes in client order."""
        for outcome in self.trainer.train(*arguments):
            for name, held in outcome.model.held.items():
                outcome.model.held[name] = held & (not name.startswith("encoder.body"))
            yield outcome


def test_what_is_named_but_held_by_nobody_is_not_stepped_by() -> None:
    runner = Runner(federation(server_optimizer="momentum"), Watch())
    runner.trainer = Forgetful(runner.trainer)
    state, _ = runner.step(initial_state(runner.federation), Stop())
    assert any("encoder.move" in name for name in state.memory)
    assert not any("encoder.body" in name for name in state.memory)


def test_the_assessor_is_handed_its_own_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    learn = Assessed.learn

    def note(self: Assessed, round: int, memory: Any, told: Any) -> Any:  # noqa: A002
        seen.extend(memory)
        return learn(self, round, memory, told)

    monkeypatch.setattr(Assessed, "learn", note)
    finish(recipe="qqr", flags="assessed", server_optimizer="adam", server_lr=0.1)
    assert seen
    assert not any(name.startswith("server_optimizer/") for name in seen)


@pytest.mark.parametrize("aggregate", ["clip", "median", "trimmed-mean", "krum:best=2", "ssca"])
def test_any_aggregate_may_be_stepped_by(aggregate: str) -> None:
    settings = {"server_optimizer": "momentum", "rounds": 12, "aggregate": aggregate}
    assert finish(people(each=40, test=90), **settings).result.final.accuracy > 0.6
