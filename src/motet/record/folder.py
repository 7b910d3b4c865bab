"""A run's folder: configuration, lock, checkpoints, history, result, report; and a stand-in for runs in memory."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from motet.errors import InputError
from motet.record import checkpoint
from motet.record.files import left_behind, sweep, write_atomic
from motet.record.result import Engine, Result, Round, read, to_json

SAVING_SHARE = 0.03
LONGEST_GAP_S = 30.0


class Memory:
    """Keeps the history and nothing else, for runs without a folder."""

    def __init__(self) -> None:
        self.rounds: list[Round] = []

    def add(self, line: Round, snapshot: Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]) -> None:
        """Record a round; `snapshot` returns the state after it."""
        self.rounds.append(line)

    def engine(self) -> Engine | None:
        """Return the engine that the run began with; none, for it begins now."""
        return None

    def latest(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return the newest checkpoint; none, for none is kept."""
        return None

    def begin(self, engine: Engine) -> None:
        """Note the engine before the first round."""

    def history(self) -> list[Round]:
        """Return all rounds recorded."""
        return self.rounds

    def stop(self, round: int, snapshot: Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]) -> None:  # noqa: A002
        """Keep the state because the run ends early."""


class RunFolder:
    """A folder that holds one run; made by `create` or `open`, locked until `close`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path, self._lock = path, lock
        self._last_save, self._save_cost = time.monotonic(), 0.0
        self._saved: int | None = None

    @classmethod
    def create(cls, path: Path, config: dict[str, Any]) -> RunFolder:
        """Make the folder and write the configuration before anything else.

        Raises
        ------
        InputError
            If the folder holds anything already, or is in use.
        """
        lock = claim(path)
        try:
            write_atomic(path / "config.json", json.dumps(config, indent=1) + "\n")
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a folder that holds a run.

        Raises
        ------
        InputError
            If it holds none, or is in use.
        """
        if not holds_run(path):
            raise no_run(path)
        lock = take_lock(path)
        sweep(path)
        checkpoint.prune(path)  # a kill may have come between writing one and letting go of the oldest
        return cls(path, lock)

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._lock)

    def config(self) -> dict[str, Any]:
        """Return the configuration of the run.

        Raises
        ------
        InputError
            If it is not readable.
        """
        try:
            found = json.loads((self.path / "config.json").read_text())
        except (ValueError, UnicodeDecodeError) as error:
            raise InputError(
                f"{self.path / 'config.json'} is damaged ({error}): start the run again elsewhere"
            ) from None
        if not isinstance(found, dict):
            raise InputError(f"{self.path / 'config.json'} is damaged: start the run again elsewhere")
        return found

    def engine(self) -> Engine | None:
        """Return the engine that the run began with; none if it did not come so far.

        Raises
        ------
        InputError
            If it is not readable.
        """
        path = self.path / "engine.json"
        return read(path, Engine) if path.is_file() else None

    def begin(self, engine: Engine) -> None:
        """Write down the engine before the first round: a run goes on with the one that it began with."""
        write_atomic(self.path / "engine.json", to_json(engine))

    def latest(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return the newest checkpoint that can be read; None if there is none at all.

        Raises
        ------
        InputError
            If there are checkpoints and none can be read.
        """
        errors = []
        for path in checkpoint.found(self.path):
            try:
                return checkpoint.load(path)
            except InputError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return None

    def rewind(self, round: int) -> None:  # noqa: A002
        """Cut the history back to the rounds before and with `round`.

        Raises
        ------
        InputError
            If it holds fewer.
        """
        path = self.path / "history.jsonl"
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        kept = lines[:round]
        if len(kept) < round or not all(line.endswith(b"\n") for line in kept):
            raise InputError(f"{path} lacks rounds that the checkpoint has: remove the checkpoint to start again")
        if len(lines) != round:
            write_atomic(path, b"".join(kept))

    def add(self, line: Round, snapshot: Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]) -> None:
        """Record a round, and a checkpoint when it is due.

        Due after round 1, then whenever saving has cost less than 3 % of the time since the last one, and at the latest
        after 30 s.
        """
        with open(self.path / "history.jsonl", "a", encoding="utf-8") as file:
            file.write(line.model_dump_json() + "\n")
        since = time.monotonic() - self._last_save
        if line.round == 1 or self._save_cost < SAVING_SHARE * since or since > LONGEST_GAP_S:
            self.stop(line.round, snapshot)

    def stop(self, round: int, snapshot: Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]) -> None:  # noqa: A002
        """Write a checkpoint now, unless this round has one already."""
        if round == self._saved:
            return
        began = time.monotonic()
        self._sync_history()
        checkpoint.save(self.path, round, *snapshot())
        self._last_save = time.monotonic()
        self._save_cost = self._last_save - began
        self._saved = round

    def _sync_history(self) -> None:
        """Bring the history to disk before the checkpoint that counts on it."""
        if (self.path / "history.jsonl").exists():
            with open(self.path / "history.jsonl", "rb") as file:
                os.fsync(file.fileno())

    def history(self) -> list[Round]:
        """Return all rounds recorded."""
        with open(self.path / "history.jsonl", encoding="utf-8") as file:
            return [Round.model_validate_json(line) for line in file]

    def finish(self, result: Result, page: str) -> None:
        """Write the report, then the result, which says that the run is over."""
        write_atomic(self.path / "report.html", page)
        write_atomic(self.path / "result.json", to_json(result))


def holds_run(path: Path) -> bool:
    """Return whether a folder holds a run."""
    return (path / "config.json").is_file()


def no_run(path: Path) -> InputError:
    """Build the error for a folder that holds none."""
    return InputError(f"{path} holds no run (no config.json): start one with `motet run --out {path}`")


def claim(path: Path) -> int:
    """Make a folder, or take an empty one, and lock it; one that holds anything is left as it is.

    Returns
    -------
    int
        The lock, as `take_lock` returns it.

    Raises
    ------
    InputError
        If the folder holds anything, is in use, or cannot be made.
    """
    try:
        _refuse_used(path)
        path.mkdir(parents=True, exist_ok=True)
        lock = take_lock(path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise InputError(f"{path} cannot be written to ({error.strerror}): choose another folder with --out") from None
    try:
        _refuse_used(path)
        sweep(path)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _refuse_used(path: Path) -> None:
    if not path.is_dir():
        if path.exists():
            raise InputError(f"{path} is a file: choose another folder with --out")
        return
    held = sorted(entry.name for entry in path.iterdir() if entry.name != "lock" and not left_behind(entry))
    if "config.json" in held or "plan.json" in held:
        raise InputError(f"{path} holds another run: choose another --out, or go on with `motet resume {path}`")
    if held:
        raise InputError(f"{path} is not empty ({held[0]}): choose an empty or a new folder with --out")


def take_lock(path: Path) -> int:
    """Take the folder's lock, which the kernel lets go when the process ends, however it ends.

    Returns
    -------
    int
        A file descriptor; closing it lets go of the lock.

    Raises
    ------
    InputError
        If another process holds it.
    """
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InputError(f"{path} is in use by another run: wait for it, or choose another --out") from None
    return descriptor


def free_folder(base: Path) -> Path:
    """Return a folder that does not exist yet: `base`, or `base-2`, `base-3`, ..."""
    number = 1
    path = base
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path
