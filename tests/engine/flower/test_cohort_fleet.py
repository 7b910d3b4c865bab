"""Two nodes with five hundred clients each, trained in blocks, are the run in one process; no node needs a gigabyte."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'flower' is not installed")

import torch
from fleets import motet

from motet.engine.flower.processes import descendants
from motet.record import checkpoint

SETTINGS = ["--data", "wearables", "--clients", "1000", "--buffer", "20", "--arrivals", "5", "--batch-size", "20"]
SETTINGS += ["--encoder", "summary", "--features", "16", "--rounds", "3", "--missing-rate", "0.5"]
SETTINGS += ["--engine", "vector", "--chunk", "25", "--threads", "1", "--dtype", "float64"]
GIGABYTE = 10**9


class Largest:
    """The most memory that any node's process has needed, in bytes."""

    def __init__(self) -> None:
        self.bytes, self.over = 0, threading.Event()
        self.thread = threading.Thread(target=self._look)

    def __enter__(self) -> Largest:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.over.is_set():
            self.bytes = max([self.bytes, *(_peak(pid) for pid in descendants(os.getpid()))])
            time.sleep(0.2)


def _peak(pid: int) -> int:
    """Return the most memory that a process has needed; nothing for one that is no node, or has gone."""
    try:
        if b"join" not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return 0
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


@pytest.mark.slow
@pytest.mark.timeout(900)
# No top k here: its choice between equal numbers turns with the last bit, in one process with other blocks as well.
@pytest.mark.parametrize(
    "recipe", [["qqr"], ["scaffold", "--optimizer", "sgd", "--momentum", "0"]], ids=lambda own: own[0]
)
def test_a_cohort_s_run_is_that_of_one_process(recipe: list[str], tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    motet("run", "--recipe", *recipe, *SETTINGS, "--out", here, "--quiet")
    with Largest() as largest:
        motet("fleet", "--nodes", 2, "--recipe", *recipe, *SETTINGS, "--out", there, "--quiet")
    one, other = (checkpoint.load(checkpoint.found(folder)[0])[0] for folder in (there, here))
    names = [name for name in other if name.startswith("shared/")]
    assert [name for name in one if name.startswith("shared/")] == names
    for name in names:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-9)
    print(f"largest node: {largest.bytes / 1e6:.0f} MB")
    assert 0 < largest.bytes < GIGABYTE
