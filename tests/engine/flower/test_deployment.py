"""A run on nodes is the run of the loop, bit for bit; what nodes do wrong changes nothing but who takes part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from grids import FakeGrid, nodes
from people import configured, people

from motet.config import Config
from motet.data.dataset import ArrayDataset
from motet.engine.flower import fleet, gather
from motet.engine.flower.deployment import carry_out
from motet.engine.flower.mail import Mail
from motet.engine.flower.plan import Plan
from motet.engine.run import run
from motet.record import checkpoint
from motet.record.folder import RunFolder
from motet.record.result import Result


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "FETCH_S", 0.0)
    monkeypatch.setattr(fleet, "LOOK_S", 0.0)
    monkeypatch.setattr(gather, "LOOK_S", 0.0)


def served(
    folder: Path,
    config: Config,
    grid: FakeGrid,
    data: ArrayDataset,
    nodes: int = 2,
    deadline: float = 30,
    quorum: float = 1,
) -> Result:
    """Serve a run to the nodes of a grid."""
    if not folder.exists():
        RunFolder.create(folder, config.flat()).close()
        Plan(run="abcdef012345", nodes=nodes, deadline=deadline, quorum=quorum).write(folder)
    return carry_out(Mail(grid), folder, data)  # type: ignore[arg-type]


def bits(folder: Path) -> dict[str, bytes]:
    """Return the shared state at the end."""
    tensors, _ = checkpoint.load(checkpoint.found(folder)[0])
    return {name: value.numpy().tobytes() for name, value in tensors.items() if name.startswith(("shared/", "memory/"))}


def loop(folder: Path, config: Config, data: ArrayDataset) -> Result:
    """Carry out the same run here."""
    opened = RunFolder.create(folder, config.flat())
    result = run(config, data, opened).result
    opened.close()
    return result


def grid_of(folder: Path, data: ArrayDataset, count: int = 2, **changes: Any) -> FakeGrid:
    grid = FakeGrid(**changes)
    for number, node in enumerate(nodes(folder, count, lambda config: data)):
        grid.add(number, node)
    return grid


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
