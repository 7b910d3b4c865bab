"""A full disk: one sentence, nothing half written, and the run goes on once there is room."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import ROUGH, SMALL, Here, content, refused, timeless

from motet.record import folder

pytestmark = pytest.mark.usefixtures("no_figures")

RUN = (*SMALL, *ROUGH, "--rounds", "2", "--buffer", "12", "--arrivals", "4", "--quiet")


class Disk:
    """Lets a number of writing steps through and says that it is full at every later one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.steps = -1, 0
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, function: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            self.steps += 1
            if self.left == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.left -= 1
            return function(*arguments)

        return counted


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Checkpoints after every round, on a disk that can be full."""
    monkeypatch.setattr(folder, "SAVING_SHARE", float("inf"))
    return Disk(monkeypatch)


def test_full_at_every_step(here: Here, data: Path, tmp_path: Path, disk: Disk) -> None:
    assert here("run", "--data", data, *RUN, "--out", tmp_path / "whole").status == 0
    expected, steps = timeless(tmp_path / "whole" / "result.json"), disk.steps
    assert steps > 15
    for step in range(steps):
        out = tmp_path / f"run{step}"
        disk.left = step
        ran = here("run", "--data", data, *RUN, "--out", out)
        refused(ran, "the disk is full", "free some space", status=1)
        assert not list(out.glob("*.tmp")) + list(out.glob(".*.tmp"))
        disk.left = -1
        if (out / "config.json").exists():
            assert f"motet resume {out}" in ran.err
            assert here("resume", out, "--quiet").status == 0
        else:
            assert set(content(out)) <= {"lock"}
            assert here("run", "--data", data, *RUN, "--out", out).status == 0
        assert timeless(out / "result.json") == expected, step


def test_full_while_a_resumed_run_saves(here: Here, data: Path, tmp_path: Path, disk: Disk) -> None:
    assert here("run", "--data", data, *RUN, "--out", tmp_path / "whole").status == 0
    expected, out = timeless(tmp_path / "whole" / "result.json"), tmp_path / "run"
    disk.left = 6
    here("run", "--data", data, *RUN, "--out", out)
    for left in (0, 3, 1, 5):  # it gets on a little, or not at all
        disk.left = left
        refused(here("resume", out), "the disk is full", f"motet resume {out}", status=1)
    disk.left = -1
    assert here("resume", out, "--quiet").status == 0
    assert timeless(out / "result.json") == expected


def test_a_report_that_cannot_be_written_leaves_the_old_one(here: Here, data: Path, tmp_path: Path, disk: Disk) -> None:
    out = tmp_path / "run"
    assert here("run", "--data", data, *RUN, "--out", out).status == 0
    before = content(out)
    disk.left = 0
    refused(here("report", out), "the disk is full", status=1)
    assert content(out) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system that holds next to nothing."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=512k tmpfs '{place}' 2>/dev/null"):
        pytest.skip("no file system can be mounted here")
    yield place
    os.system(f"umount -l '{place}'")


def test_a_disk_that_is_really_full(here: Here, data: Path, tmp_path: Path, small_disk: Path) -> None:
    assert here("run", "--data", data, *RUN, "--out", tmp_path / "whole").status == 0
    out, ballast = small_disk / "run", small_disk / "ballast"
    ended = []
    for free in (0, 4, 8, 16, 28, 44, 64, 96, 160, 400):  # kilobytes
        if out.exists():
            shutil.rmtree(out)
        ballast.write_bytes(bytes((508 - free) * 1024))
        ran = here("run", "--data", data, *RUN, "--out", out)
        ended.append(ran.status)
        ballast.unlink()
        if ran.status == 0:
            break
        refused(ran, "the disk is full", status=1)
        begun = (out / "config.json").exists()
        again = ("resume", out, "--quiet") if begun else ("run", "--data", data, *RUN, "--out", out)
        assert here(*again).status == 0
        assert timeless(out / "result.json") == timeless(tmp_path / "whole" / "result.json")
    assert ended.count(1) >= 5
    assert ended[-1] == 0
