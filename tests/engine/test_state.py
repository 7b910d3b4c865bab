"""The state of a run as a checkpoint: all of it comes back, in its order; that of another run is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from people import SMALL, configured, federation, people

from motet.engine.run import Finished, run
from motet.engine.state import ServerState, initial_state
from motet.errors import InputError
from motet.record import checkpoint
from motet.record.folder import Memory, RunFolder

ROUGH: dict[str, Any] = {"missing_rate": 0.5, "degraded_rate": 0.5, "buffer": 6, "arrivals": 3}


def equal(one: Any, other: Any) -> bool:
    """Return whether two parts of a state are equal, bit for bit and in order."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if hasattr(one, "__dataclass_fields__"):
        return all(equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return bool(one == other)


@pytest.mark.parametrize(
    "settings",
    [
        {"recipe": "qqr", **ROUGH},
        {"recipe": "qqr", "flags": "assessed", "calibration_rounds": 1, **ROUGH},
        {"recipe": "local", "participation": 0.5},
        {"recipe": "pmm", "dtype": "float64"},
        {"recipe": "fedavg", "upload": "q8"},
        {"recipe": "qqr", "flags": "assessed", "server_optimizer": "adam", "server_lr": 0.1, **ROUGH},
    ],
)
def test_everything_comes_back(tmp_path: Path, settings: dict[str, Any]) -> None:
    finished: Finished = run(configured(**settings), people())
    state = finished.state
    checkpoint.save(tmp_path, state.round, *state.to_checkpoint())
    read = checkpoint.load(checkpoint.found(tmp_path)[0])
    back = ServerState.from_checkpoint(*read, expected=initial_state(finished.federation))
    for field in fields(ServerState):
        assert equal(getattr(back, field.name), getattr(state, field.name)), field.name


def test_a_modality_late_in_the_alphabet_stays_first(tmp_path: Path) -> None:
    state = run(configured(recipe="qqr", **ROUGH), people()).state
    assert list(state.flags.counts) == ["move", "body"]
    checkpoint.save(tmp_path, 3, *state.to_checkpoint())
    tensors, _ = checkpoint.load(checkpoint.found(tmp_path)[0])
    assert [name for name in tensors if name.startswith("flags/")] == ["flags/move", "flags/body"]


def moved(tmp_path: Path, here: dict[str, Any], there: dict[str, Any]) -> None:
    """Move the checkpoint of one run into the folder of another, and go on with that."""
    data = {"here": here.pop("data", people()), "there": there.pop("data", people())}
    other = run(configured(**here), data["here"])
    config = configured(**there)
    folder = RunFolder.create(tmp_path / "run", config.flat())
    for line in other.result.history:
        folder.add(line, other.state.to_checkpoint)
    folder.stop(other.state.round, other.state.to_checkpoint)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    try:
        run(config, data["there"], folder)
    finally:
        folder.close()
        assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"lr": 0.06},
        {"rounds": 4},
        {"recipe": "fedavg"},
        {"features": 5},
        {"dtype": "float64"},
        {"missing_rate": 0.5},
        {"modalities": ["move"]},
    ],
)
def test_a_checkpoint_of_another_run(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"one of another run than config\.json describes: remove it"):
        moved(tmp_path, change, {})


@pytest.mark.parametrize(
    "data",
    [people(seed=1), people(each=19), people(clients=5), people(client=np.arange(96) % 4 // 2)],
)
def test_a_checkpoint_of_other_data(tmp_path: Path, data: Any) -> None:
    with pytest.raises(InputError, match="the data are not those that the run began with"):
        moved(tmp_path, {"data": data}, {})


def test_samples_that_changed_a_little(tmp_path: Path) -> None:
    data = people()
    data.x["body"] = data.x["body"] * np.float32(1.001)
    with pytest.raises(InputError, match="the data are not those"):
        moved(tmp_path, {"data": data}, {})


def test_the_same_run_elsewhere_is_the_same_run(tmp_path: Path) -> None:
    moved(tmp_path, {}, {"data": people()})


def test_a_model_of_another_version(tmp_path: Path) -> None:
    built = federation()
    state = initial_state(built)
    tensors, rest = state.to_checkpoint()
    name = next(name for name in tensors if name.startswith("shared/model/"))
    for changed in ({**tensors, name: tensors[name].double()}, {n: t for n, t in tensors.items() if n != name}):
        with pytest.raises(InputError, match="another model than this version of Motet makes"):
            ServerState.from_checkpoint(changed, rest, expected=initial_state(built))


def test_a_round_leaves_the_state_before_it_as_it_was() -> None:
    """So that a round that is stopped half-way can be saved as if it had never begun."""
    from motet.engine.interrupt import Stop
    from motet.engine.run import Runner
    from motet.engine.watch import Watch

    built = federation(recipe="qqr", **ROUGH)
    runner = Runner(built, Watch())
    before = initial_state(built)
    once, _ = runner.step(before, Stop())
    kept = {name: value.clone() for name, value in once.to_checkpoint()[0].items()}
    rest = once.to_checkpoint()[1]
    again, _ = runner.step(once, Stop())
    assert again.round == 2
    tensors, found = once.to_checkpoint()
    assert equal(tensors, kept)
    assert found == rest
    twice, _ = runner.step(once, Stop())
    assert equal(twice.to_checkpoint()[0], again.to_checkpoint()[0])


def test_a_run_without_a_folder_keeps_its_history_in_memory() -> None:
    assert Memory().history() == []
    assert [line.round for line in run(configured(), people()).result.history] == [1, 2, SMALL["rounds"]]
