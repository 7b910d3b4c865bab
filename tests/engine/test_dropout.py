"""Clients that drop out of a round: they hear the server, and it goes on without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from people import configured, finish, people, run_with_breaks
from test_vector import ROUGH, assert_same_runs, twice, uneven

from motet.engine.flower.deployment import fitted
from motet.engine.participants import DROPPED_OUT, dropouts, participants
from motet.engine.run import run
from motet.errors import InputError
from twins import assert_twins

OFTEN: dict[str, Any] = {"client_dropout": 0.4, "rounds": 5}


@pytest.mark.parametrize("recipe", ["fedavg", "qqr", "scaffold", "moon", "fedmchain", "local"])
def test_both_engines_go_on_alike(recipe: str) -> None:
    found, expected = twice(uneven(), recipe=recipe, upload="topk+memory", **OFTEN, **ROUGH)
    assert_twins(found, expected)
    assert found.result.refused[DROPPED_OUT]


@pytest.mark.parametrize("engine", ["loop", "vector"])
def test_a_stopped_run_goes_on_with_the_same_bits(tmp_path: Path, engine: str) -> None:
    config = configured(recipe="scaffold", engine=engine, **OFTEN)
    assert_same_runs(run_with_breaks(config, people(), tmp_path / "run"), run(config, people()))


def test_so_many_drop_out_each_round_anew() -> None:
    config = configured(client_dropout=0.3, participation=0.5, seed=4)
    total = gone = 0
    for number in range(1, 201):
        chosen = participants(config, 60, number)
        own = dropouts(config, chosen, number)
        assert set(own) <= set(chosen)
        total, gone = total + len(chosen), gone + len(own)
    assert abs(gone - 0.3 * total) < 4 * (0.3 * 0.7 * total) ** 0.5
    assert dropouts(configured(), participants(configured(), 60, 1), 1) == []


def test_who_drops_out_hears_the_server_and_is_recorded() -> None:
    plain, found = finish(rounds=1).result, finish(rounds=1, client_dropout=0.5, seed=1).result
    line = found.history[0]
    gone = line.refused[DROPPED_OUT]
    assert 0 < len(gone) < 4
    assert line.clients == 4 - len(gone)
    assert line.bytes_down == plain.history[0].bytes_down
    assert line.bytes_up < plain.history[0].bytes_up
    assert found.refused == {DROPPED_OUT: gone}


@pytest.mark.parametrize("engine", ["loop", "vector"])
@pytest.mark.parametrize("recipe", ["fedavg", "scaffold"])
def test_it_is_as_if_the_others_had_been_asked_alone(engine: str, recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = finish(recipe=recipe, engine=engine, **OFTEN)

    def asked(config: Any, clients: int, number: int) -> list[int]:
        gone = found.result.history[number - 1].refused.get(DROPPED_OUT, {})
        return [k for k in range(clients) if str(k) not in gone]

    monkeypatch.setattr("motet.engine.rounds.participants", asked)
    expected = finish(recipe=recipe, engine=engine, rounds=5)
    tensors, wanted = found.state.to_checkpoint()[0], expected.state.to_checkpoint()[0]
    assert list(tensors) == list(wanted)
    assert all(torch.equal(tensors[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("recipe", ["fedavg", "qqr", "scaffold", "fedcmi"])
def test_a_round_without_anybody_changes_nothing(recipe: str) -> None:
    found = finish(recipe=recipe, client_dropout=1.0, server_optimizer="momentum")
    model = found.state.shared["model"]
    assert all(torch.equal(value, model[name]) for name, value in found.federation.method.network.state().items())
    assert [line.clients for line in found.result.history] == [0, 0, 0]
    assert [line.train_loss for line in found.result.history] == [None] * 3
    assert found.result.refused == {DROPPED_OUT: dict.fromkeys("0123", 3)}


def test_over_a_network_devices_drop_out_by_themselves() -> None:
    with pytest.raises(InputError, match="--client-dropout is for `motet run`"):
        fitted(configured(client_dropout=0.1), people())


def test_nobody_is_named_who_was_refused_for_nothing() -> None:
    assert finish().result.refused == {}
