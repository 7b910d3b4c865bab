"""Many clients and many rounds in little memory."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from people import configured, people

from motet.engine.run import run
from motet.engine.watch import Watch
from motet.record.folder import RunFolder

STREAM = """
import sys
import torch
import motet
from motet.engine.federation import build_federation
from motet.engine.participants import participants
from motet.engine.watch import Watch
from motet.learn.recipe import resolve


def most():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


clients, trained = int(sys.argv[1]), int(sys.argv[2])
config = resolve({"clients": clients, "buffer": 40, "arrivals": 10, "missing_rate": 0.5, "degraded_rate": 0.3,
                  "participation": trained / clients, "recipe": "qqr", "missing_pattern": "bursty"})
torch.zeros(8, 8) @ torch.zeros(8, 8)
before = most()
data = motet.wearables(clients=clients)
federation = build_federation(config, data, Watch())
assert federation.clients == clients
for number in (1, 2, 7):
    for client in participants(config, clients, number):
        assert len(federation.views.view(number, client).y) == 40
print(most() - before)
"""


def streamed(clients: int, trained: int) -> int:
    """Return how many bytes it takes at most to share out and stream that many simulated people."""
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(clients), str(trained)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_a_thousand_clients_take_little() -> None:
    assert streamed(1000, 50) < 200e6


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_ten_thousand_clients_in_a_gigabyte() -> None:
    assert streamed(10_000, 500) < 1e9


class Scale(Watch):
    """Weighs a run after some of its rounds."""

    def __init__(self, rounds: tuple[int, ...]) -> None:
        self.rounds, self.weight = rounds, list[int]()

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        if number in self.rounds:
            gc.collect()
            self.weight.append(tracemalloc.get_traced_memory()[0])


def test_memory_does_not_grow_with_rounds(tmp_path: Path) -> None:
    settings = {"recipe": "qqr", "missing_rate": 0.5, "buffer": 6, "arrivals": 3, "evaluate_every": 50}
    config, scale = configured(rounds=170, **settings), Scale((30, 150))
    folder = RunFolder.create(tmp_path / "run", config.flat())
    tracemalloc.start()
    try:
        run(config, people(clients=2), folder, scale)
    finally:
        tracemalloc.stop()
        folder.close()
    assert scale.weight[1] - scale.weight[0] < 120 * 1000  # a line of the history alone takes 4 kB


def test_a_checkpoint_does_not_grow_with_rounds(tmp_path: Path) -> None:
    sizes = []
    for rounds in (20, 60):
        config = configured(rounds=rounds, recipe="qqr", missing_rate=0.5, buffer=6, arrivals=3)
        folder = RunFolder.create(tmp_path / str(rounds), config.flat())
        finished = run(config, people(), folder)
        folder.stop(rounds, finished.state.to_checkpoint)
        sizes.append(max(path.stat().st_size for path in folder.path.glob("checkpoint-*")))
        folder.close()
    assert abs(sizes[1] - sizes[0]) < 500
