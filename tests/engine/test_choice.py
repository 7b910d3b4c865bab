"""Which engine a run gets: the rule, the clock, and that a run goes on with what it began with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from people import configured, federation, finish, people

from motet.engine import choice, runs, trial
from motet.engine.choice import BLOCK_LARGEST, choose
from motet.engine.federation import Federation
from motet.engine.run import Runner
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.nets.encoder import blank
from motet.record.result import Engine

WIDEST = 64
"""Numbers of the largest tensor that the perceptrons of `people` make of a sample."""


@pytest.fixture(autouse=True)
def two_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def built() -> Federation:
    return federation(encoder="mlp")


def chosen(built: Federation, clients: int, samples: int = 20, **settings: Any) -> Engine:
    """Return what the rule says."""
    modalities = built.dataset.modalities
    config = configured(**{"encoder": "mlp", "batch_size": 10**6, **settings})
    return choose(config, built.method.network, blank(modalities), clients, samples)


def test_few_clients_for_each_thread_are_left_to_the_loop(built: Federation) -> None:
    assert chosen(built, 4).name == "loop"
    assert chosen(built, 4).why == "clients a round: 4, too few for 2 threads to have several each"
    assert chosen(built, 5).name == "vector"
    torch.set_num_threads(1)
    assert [chosen(built, clients).name for clients in (2, 3)] == ["loop", "vector"]


def test_what_is_asked_for_is_given(built: Federation) -> None:
    for clients in (1, 100):
        assert chosen(built, clients, engine="loop") == Engine(name="loop", chunk=None, threads=2, why="asked for")
        assert chosen(built, clients, engine="vector").name == "vector"
    assert chosen(built, 100, engine="vector", chunk=7) == Engine(name="vector", chunk=7, threads=2, why="asked for")


def test_a_thread_gets_a_client_of_its_own_where_the_network_is_recurrent() -> None:
    network, sample = federation(encoder="move=gru").method.network, {}
    assert choose(configured(), network, sample, 4, 20).name == "loop"
    found = choose(configured(), network, sample, 5, 20)
    assert (found.name, found.chunk) == ("vector", 1)
    assert found.why == "encoder.move is recurrent, so that each thread has a client of its own"


@pytest.mark.parametrize(("clients", "chunk"), [(5, 3), (100, 50), (101, 51)])
def test_every_thread_gets_as_many_blocks(built: Federation, clients: int, chunk: int) -> None:
    found = chosen(built, clients)
    assert found.chunk == chunk
    assert found.why == f"{clients} clients a round with 20 samples each, in blocks of {chunk}"


def test_a_block_holds_no_tensor_that_is_too_large(built: Federation) -> None:
    assert built.method.network.widest(blank(built.dataset.modalities)) == WIDEST
    many = BLOCK_LARGEST // WIDEST  # samples of a block
    assert chosen(built, 10**6, samples=many // 50).chunk == 50
    assert chosen(built, 100, samples=many, engine="vector").chunk == 1
    assert chosen(built, 100, samples=100 * many, engine="vector").chunk == 1
    assert chosen(built, 100, samples=many // 3).chunk == 3
    assert chosen(built, 100, samples=many // 2).why == f"2 clients with {many // 2} samples each would fill a block"
    assert chosen(built, 10**6, samples=100 * many, batch_size=many // 50).chunk == 50  # a minibatch at a time


@pytest.mark.parametrize(("bound", "most"), [("BLOCK_PARAMETERS", 1000), ("BLOCK_LARGEST", 1000)])
def test_a_block_does_not_hold_too_many_weights(
    built: Federation, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    weights = [value.numel() for value in built.method.network.state().values()]
    monkeypatch.setattr(choice, bound, most * (sum(weights) if bound == "BLOCK_PARAMETERS" else max(weights)))
    assert chosen(built, 100 * most, samples=1).chunk == most


# --- By the clock ------------------------------------------------------------------------------------------------


def test_the_fastest_is_taken_and_the_others_are_named(built: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(engine: Engine, *rest: object) -> float:
        return {None: 0.004, 1: 0.003, 2: 0.001}[engine.chunk]

    monkeypatch.setattr(trial, "_seconds", fake)
    found = Runner(federation(engine="measure", threads=2), Watch()).engine
    assert (found.name, found.chunk) == ("vector", 2)
    assert found.why == (
        "measured: loop 4 ms a client, blocks of 1 3 ms a client, blocks of 2 1 ms a client; "
        "a run that measures again may choose otherwise, and then differ in rounding"
    )


def test_measuring_leaves_no_trace_in_the_result() -> None:
    measured = finish(engine="measure", recipe="qqr", missing_rate=0.5)
    chosen = measured.result.engine
    same = finish(engine=chosen.name, chunk=chosen.chunk, recipe="qqr", missing_rate=0.5)
    assert chosen.why.startswith("measured: ")
    for name, value in same.state.shared["model"].items():
        assert torch.equal(measured.state.shared["model"][name], value)
    assert measured.result.bytes == same.result.bytes


def test_what_cannot_be_trained_in_blocks_is_measured_client_by_client() -> None:
    found = finish(engine="measure", encoder="move=gru", rounds=1).result.engine
    assert "blocks of 1 " in found.why
    assert "blocks of 2" not in found.why


# --- Going on ----------------------------------------------------------------------------------------------------


def interrupted(folder: Path, **settings: Any) -> None:
    """Leave a run as a kill would, after its first round."""
    data = people()
    runs.start(configured(data="people", rounds=1, **settings), folder, Watch(), data)
    (folder / "result.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rounds": 1}))


def test_a_run_goes_on_with_the_engine_that_it_began_with(tmp_path: Path) -> None:
    interrupted(tmp_path / "run")
    begun = Engine(name="vector", chunk=3, threads=1, why="the rule of another version")
    (tmp_path / "run" / "engine.json").write_text(begun.model_dump_json())
    assert runs.resume(tmp_path / "run", Watch(), people()).engine == begun


def test_a_damaged_note_of_the_engine_is_named(tmp_path: Path) -> None:
    interrupted(tmp_path / "run")
    (tmp_path / "run" / "engine.json").write_text('{"name": 3}')
    with pytest.raises(InputError, match=r"engine\.json is no engine of this version"):
        runs.resume(tmp_path / "run", Watch(), people())
