"""Running the command line: as a process of its own, or in this one for speed; and what its folders hold."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import multiprocessing.process
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.cli import main as entry
from motet.data.archive import save
from motet.data.dataset import ArrayDataset, Modality
from motet.engine import comparisons
from motet.record import folder, report
from motet.record.result import Result

COMMAND = [sys.executable, "-m", "motet"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


def motet(*arguments: str | Path, cwd: Path | None = None, timeout: float = 240) -> Ran:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT,
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


class Here:
    """Runs commands in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capfd = monkeypatch, capfd

    def __call__(self, *arguments: str | Path) -> Ran:
        self.monkeypatch.setattr(sys, "argv", ["motet", *map(str, arguments)])
        self.capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            entry.main()
        out, err = self.capfd.readouterr()
        return Ran(int(left.value.code or 0), out, err)


def refused(ran: Ran, *words: str, status: int = 2) -> None:
    """Check that a command left one sentence that says these words, and no traceback."""
    assert ran.status == status, ran
    lines = ran.err.splitlines()
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("motet: ")
    assert "Traceback" not in ran.out + ran.err
    for word in words:
        assert word in lines[0], ran.err


def content(folder: Path) -> dict[str, str]:
    """Return what a folder holds: a digest of each file, by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def timeless(path: Path) -> str:
    """Return the text of a result or a comparison without its times; all else must be byte for byte as written."""
    text = path.read_text()
    record: dict[str, Any] = json.loads(text)
    assert json.dumps(record, indent=1) + "\n" == text
    for result in (record, *record.get("runs", ())):
        result.pop("time", None)
    for row in record.get("summary", ()):
        row.pop("train_s_mean")
    return json.dumps(record, indent=1)


def gestures(seed: int = 0, **changes: Any) -> ArrayDataset:
    """Make a small dataset: four people, two modalities whose order is not that of the alphabet, two classes."""
    rng = np.random.default_rng(seed)
    n = 96
    y = np.arange(n) % 2
    told: dict[str, Any] = {
        "name": "gestures",
        "modalities": {"move": Modality("move", "signal", (2, 8), 10.0), "body": Modality("body", "vector", (3,))},
        "classes": ("wave", "point"),
        "y": y,
        "split": np.where(np.arange(n) < 72, 0, 2).astype(np.uint8),
        "x": {
            "move": (rng.standard_normal((n, 2, 8)) + y[:, None, None]).astype(np.float32),
            "body": (rng.standard_normal((n, 3)) - y[:, None]).astype(np.float32),
        },
        "client": np.arange(n) // 2 % 4,
        "time": np.arange(n, dtype=np.float64),
    }
    return ArrayDataset(**{**told, **changes})


def archive(path: Path, **changes: Any) -> Path:
    """Write `gestures` as an archive."""
    save(gestures(**changes), path)
    return path


SMALL = ("--features", "4", "--batch-size", "8", "--threads", "1", "--rounds", "4", "--flags", "oracle")
"""Options of a small run."""
ROUGH = ("--missing-rate", "0.5", "--degraded-rate", "0.5")
"""Sensors that drop out and degrade."""


SLOW_TO_IMPORT = ("torch._dynamo", "safetensors.torch")


def short_report(result: Result, *_: object) -> str:
    """Stand in for the report page, which takes longer than a small run."""
    return f"<html>{result.final.accuracy}{' ' * 20000}</html>\n"


def _child(arguments: list[str], said: str, die_at: int | None, keep_often: bool) -> None:
    """Run a command as `motet` does, in a child; with `die_at`, die at that step of writing."""
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    report.run_report = short_report
    if keep_often:
        folder.SAVING_SHARE = float("inf")
    steps = 0

    def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        return counted

    os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)
    sys.argv = ["motet", *arguments]
    try:
        entry.main()
    finally:
        sys.stdout.flush()


class Children:
    """Starts commands in a fraction of a second each, by forking a process that has imported everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([entry.__name__, comparisons.__name__, report.__name__, *SLOW_TO_IMPORT])

    def start(
        self, *arguments: str | Path, die_at: int | None = None, keep_often: bool = True
    ) -> multiprocessing.process.BaseProcess:
        """Start a command; checkpoints come after every round, unless `keep_often` is false."""
        said = str(self.folder / "said")
        child = self._context.Process(target=_child, args=([*map(str, arguments)], said, die_at, keep_often))
        child.start()
        return child

    def run(self, *arguments: str | Path, die_at: int | None = None) -> int:
        """Run a command to its end and return its exit status; negative if a signal ended it."""
        child = self.start(*arguments, die_at=die_at)
        child.join(240)
        assert child.exitcode is not None
        return child.exitcode

    def said(self) -> str:
        """Return what the last command said."""
        return (self.folder / "said").read_text()
