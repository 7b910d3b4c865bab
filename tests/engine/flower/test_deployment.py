"""A run on nodes is the run of the loop, bit for bit; what nodes do wrong changes nothing but who takes part."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from grids import bits, grid_of, loop, served
from people import configured, people

from motet.engine.flower import deployment
from motet.errors import InputError
from motet.record.folder import RunFolder

CASES: dict[str, dict[str, Any]] = {
    "fedavg": {"recipe": "fedavg"},
    "qqr": {
        "recipe": "qqr",
        "missing_rate": 0.5,
        "degraded_rate": 0.3,
        "buffer": 10,
        "arrivals": 2,
        "flags": "assessed",
    },
    "fedmchain": {"recipe": "fedmchain", "upload": "topk+memory", "unimodal_share": 0.5, "missing_rate": 0.3},
    "fedcmi": {"recipe": "fedcmi", "unimodal_share": 0.5},
    "scaffold": {"recipe": "scaffold", "participation": 0.6, "momentum": 0.0, "optimizer": "sgd"},
    "t-fedavg": {"recipe": "t-fedavg"},
    "motet": {"recipe": "motet", "missing_rate": 0.5, "participation": 0.5},
    "chain": {"recipe": "fedmchain", "objective": "chain:order=weakest"},
    "labels": {
        "recipe": "qqr",
        "label_rate": 0.6,
        "label_delay": 1,
        "label_noise": 0.2,
        "buffer": 10,
        "arrivals": 2,
        "flags": "assessed",
    },
    "gain": {"recipe": "partial", "drift_at": [2, 3], "buffer": 6, "arrivals": 2},
    "classes": {"recipe": "partial", "drift_at": [2, 3], "drift_kind": "classes", "buffer": 6, "arrivals": 2},
    "attacked": {"recipe": "fedavg", "attack": "sign-flip", "hostile_share": 0.3, "aggregate": "median"},
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_on_nodes_is_the_run_of_the_loop(case: str, tmp_path: Path) -> None:
    data, config = people(), configured(**CASES[case], engine="loop", rounds=4)
    grid = grid_of(tmp_path / "nodes", data)
    there, here = served(tmp_path / "there", config, grid, data), loop(tmp_path / "here", config, data)
    assert bits(tmp_path / "there") == bits(tmp_path / "here")
    assert there.tail == here.tail
    assert there.online == here.online
    assert there.assessment == here.assessment
    assert there.device == here.device
    assert there.bytes.up_by_kind == here.bytes.up_by_kind
    for one, other in zip(there.history, here.history, strict=True):
        assert one.model_copy(update={"bytes_down": other.bytes_down}) == other


@pytest.mark.parametrize("case", ["qqr", "fedmchain"])
def test_the_ledger_is_the_bytes_of_the_letters(case: str, tmp_path: Path) -> None:
    data, config = people(), configured(**CASES[case], engine="loop", rounds=3)
    grid = grid_of(tmp_path / "nodes", data)
    result = served(tmp_path / "run", config, grid, data)
    sizes = {way: sum(letter.size for where, letter in grid.carried if where == way) for way in ("up", "down")}
    assert (result.bytes.up, result.bytes.down) == (sizes["up"], sizes["down"])


def test_a_folder_that_a_killed_server_has_not_let_go_of_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    held = RunFolder.create(folder, {})
    monkeypatch.setattr(deployment, "LOCKED_S", 0.5)
    with pytest.raises(InputError, match="in use"):
        deployment.open_again(folder)
    monkeypatch.setattr(deployment, "LOCKED_S", 60.0)
    threading.Timer(0.5, held.close).start()
    deployment.open_again(folder).close()
    with pytest.raises(InputError, match="holds no run"):
        deployment.open_again(tmp_path)
