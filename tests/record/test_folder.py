"""A run's folder: whose it is, when it saves, and what it makes of what a killed process left."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from motet.errors import InputError
from motet.record import checkpoint, folder
from motet.record.files import left_behind, sweep, write_atomic
from motet.record.folder import Memory, RunFolder, claim, free_folder, take_lock
from motet.record.result import Round

CONFIG = {"rounds": 3, "lr": 0.1}


def line(number: int) -> Round:
    """Return the line of a round."""
    return Round(
        round=number,
        accuracy=number / 7,
        loss=None,
        balanced_accuracy=None,
        online_accuracy=None,
        online_loss=0.1 + 0.2,
        train_loss=1.0,
        bytes_up=1,
        bytes_down=2,
        clients=3,
        missing={"acc": {"1": 0.5}},
        degraded={},
        flagged={},
        meaning=None,
    )


Snapshot = Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]


def state(number: int) -> Snapshot:
    """Return a function that returns the state after a round."""
    return lambda: ({"w": torch.full((3,), float(number))}, {"round": number})


def saved(path: Path) -> list[int]:
    """Return the rounds whose checkpoints a folder holds."""
    return sorted(int(file.stem.removeprefix("checkpoint-")) for file in checkpoint.found(path))


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(folder, "time", clock)
    return clock


def test_the_configuration_comes_first(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "a" / "b", CONFIG)
    assert {path.name for path in run.path.iterdir()} == {"config.json", "lock"}
    assert run.config() == CONFIG
    run.close()


def test_a_folder_is_for_one_process_at_a_time(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", CONFIG)
    with pytest.raises(InputError, match="in use"):
        RunFolder.open(run.path)
    run.close()
    again = RunFolder.open(run.path)
    with pytest.raises(InputError, match="in use"):
        take_lock(run.path)
    again.close()


def test_a_folder_is_for_one_run(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", CONFIG).close()
    with pytest.raises(InputError, match=r"holds another run: choose another --out, or go on with `motet resume"):
        RunFolder.create(tmp_path / "run", {"rounds": 4})
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == CONFIG


def test_a_lock_that_failed_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        RunFolder.create(tmp_path / "run", CONFIG)
    monkeypatch.undo()
    RunFolder.create(tmp_path / "run", CONFIG).close()


def test_what_is_in_a_folder_counts_even_without_a_lock(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"not empty \(notes.txt\)"):
        claim(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_saving_is_due_after_round_one_then_when_it_is_cheap_then_after_half_a_minute(
    tmp_path: Path, clock: Clock
) -> None:
    run = RunFolder.create(tmp_path / "run", CONFIG)

    def add(number: int, after: float, cost: float) -> bool:
        """Return whether a round that ends `after` seconds is saved, where saving costs `cost` seconds."""

        def slow() -> tuple[dict[str, Tensor], dict[str, Any]]:
            clock.now += cost
            return state(number)()

        clock.now += after
        run.add(line(number), slow)
        return saved(run.path)[-1] == number

    assert add(1, after=0.0, cost=0.3)
    assert not add(2, after=5.0, cost=0.3)
    assert not add(3, after=4.9, cost=0.3)
    assert add(4, after=0.2, cost=2.0)  # 0.3 s are less than 3 % of 10.1 s
    assert not add(5, after=29.0, cost=2.0)  # 2 s are more than 3 % of 29 s
    assert add(6, after=1.5, cost=0.0)  # but 30 s have gone by
    assert add(7, after=0.1, cost=0.0)  # saving costs nothing
    assert len((run.path / "history.jsonl").read_text().splitlines()) == 7
    run.close()


def test_a_run_that_goes_on_saves_soon(tmp_path: Path, clock: Clock) -> None:
    RunFolder.create(tmp_path / "run", CONFIG).close()
    run = RunFolder.open(tmp_path / "run")
    clock.now += 0.01
    run.add(line(41), state(41))
    assert saved(run.path) == [41]
    run.close()


def test_stopping_saves_at_once(tmp_path: Path, clock: Clock) -> None:
    run = RunFolder.create(tmp_path / "run", CONFIG)
    run.stop(0, state(0))
    assert saved(run.path) == [0]
    run.add(line(1), state(1))
    run.stop(1, state(1))
    assert saved(run.path) == [0, 1]
    run.close()


def test_a_round_is_saved_once(tmp_path: Path, clock: Clock) -> None:
    run = RunFolder.create(tmp_path / "run", CONFIG)
    run.add(line(1), state(1))
    run.stop(1, lambda: pytest.fail("it was saved already"))
    run.stop(2, state(2))
    assert saved(run.path) == [1, 2]
    run.close()


def test_the_history_is_on_disk_before_the_checkpoint_that_counts_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder.create(tmp_path / "run", CONFIG)
    synced = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    run.add(line(1), state(1))
    assert synced[0] == "history.jsonl"
    assert ".checkpoint-0000001.safetensors" in synced[1]
    assert synced[2] == "run"
    run.close()


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that was killed after round 3, with checkpoints after rounds 2 and 3."""
    run = RunFolder.create(tmp_path / "run", CONFIG)
    for number in (1, 2, 3):
        run.add(line(number), state(number))
        run.stop(number, state(number))
    return run


def newest(run: RunFolder) -> int:
    found = run.latest()
    assert found is not None
    tensors, rest = found
    assert torch.equal(tensors["w"], torch.full((3,), float(rest["round"])))
    number: int = rest["round"]
    return number


def test_the_newest_checkpoint_counts(run: RunFolder) -> None:
    assert saved(run.path) == [2, 3]
    assert newest(run) == 3


@pytest.mark.parametrize("length", [0, 5, 100])
def test_a_truncated_checkpoint_gives_way_to_the_one_before(run: RunFolder, length: int) -> None:
    latest = checkpoint.found(run.path)[0]
    latest.write_bytes(latest.read_bytes()[:length])
    assert newest(run) == 2


def test_without_a_good_checkpoint_there_is_no_going_on(run: RunFolder) -> None:
    for path in checkpoint.found(run.path):
        path.write_bytes(b"gone")
    with pytest.raises(InputError, match=r"checkpoint-0000003.safetensors is cut short or damaged.*remove it"):
        run.latest()
    assert saved(run.path) == [2, 3]


def test_without_any_checkpoint_it_starts_again(run: RunFolder) -> None:
    for path in checkpoint.found(run.path):
        path.unlink()
    assert run.latest() is None
    run.rewind(0)
    assert run.history() == []


def test_rewinding_keeps_whole_lines(run: RunFolder) -> None:
    path = run.path / "history.jsonl"
    whole = path.read_bytes()
    for rest in (b"", b"{", b'{"round":4', whole.splitlines()[0], whole):
        path.write_bytes(whole + rest)
        run.rewind(3)
        assert path.read_bytes() == whole
    run.rewind(2)
    assert [found.round for found in run.history()] == [1, 2]
    assert run.history() == [line(1), line(2)]


@pytest.mark.parametrize("text", ["", "{}", "{}\n{}\n{"])
def test_a_history_that_is_too_short_is_refused(run: RunFolder, text: str) -> None:
    path = run.path / "history.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match="lacks rounds that the checkpoint has"):
        run.rewind(3)
    assert path.read_text() == text
    path.unlink()
    with pytest.raises(InputError, match="lacks rounds"):
        run.rewind(3)


def test_lines_come_back_as_they_were(run: RunFolder) -> None:
    assert run.history() == [line(1), line(2), line(3)]


def test_memory_keeps_the_history_alone() -> None:
    memory = Memory()
    for number in (1, 2):
        memory.add(line(number), lambda: pytest.fail("no state is asked for"))
    memory.stop(2, lambda: pytest.fail("no state is asked for"))
    assert memory.history() == [line(1), line(2)]
    assert memory.latest() is None


def test_a_free_folder_is_a_new_one(tmp_path: Path) -> None:
    assert free_folder(tmp_path / "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run-2").write_text("")
    assert free_folder(tmp_path / "run") == tmp_path / "run-3"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    write_atomic(path, "old")
    for name in ("fsync", "replace"):

        def full(*arguments: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, name, full)
        with pytest.raises(OSError, match="No space"):
            write_atomic(path, "new")
        monkeypatch.undo()
        assert path.read_text() == "old"
        assert [file.name for file in tmp_path.iterdir()] == ["result.json"]
    write_atomic(path, b"new")
    assert path.read_text() == "new"


def test_what_killed_writers_leave_is_known_by_its_name(tmp_path: Path) -> None:
    for name in (".result.json.17.tmp", ".hidden", "notes.tmp", ".own.tmp"):
        (tmp_path / name).write_text("")
    assert {path.name for path in tmp_path.iterdir() if left_behind(path)} == {".result.json.17.tmp"}
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".hidden", "notes.tmp", ".own.tmp"}
