"""How near the engines come to the floor: one centralised model over the same samples.

    python benchmarks/throughput.py [--rounds 10] [--threads 2] [--only benchmark]

Engines and floor take turns, round by round, in one process; the first round is left out. Writes
docs/performance/throughput.json, from which `benchmarks/performance.py` makes the page.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from pathlib import Path
from typing import Any

import torch
from work import Floor, Training, noise

OUT = Path(__file__).resolve().parent.parent / "docs" / "performance" / "throughput.json"
GRID = [
    *[("benchmark", k, n) for k, n in ((5, 20), (30, 20), (100, 20), (1000, 20), (100, 4), (1000, 4), (10_000, 4))],
    *[("benchmark", k, 500) for k in (5, 30, 100)],
    *[("mlp", k, n) for k, n in ((5, 20), (30, 20), (100, 20), (1000, 20), (1000, 4), (10_000, 4), (30, 500))],
    *[("lstm", k, n) for k, n in ((5, 20), (30, 20), (100, 20), (30, 500))],
]
MANY = 10_000
"""Samples of a round above which a few rounds are measured."""


def measure(encoder: str, clients: int, samples: int, rounds: int) -> dict[str, Any]:
    """Measure one size of the work, all in turns."""
    dataset = noise(clients, samples)
    workers: dict[str, Floor | Training] = {"floor": Floor(dataset, clients, samples, encoder)}
    engines = ["loop", "vector"] if clients <= 1000 else ["vector"]
    workers |= {engine: Training(dataset, samples, engine, encoder) for engine in engines}
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    if clients * samples > MANY:
        rounds = min(rounds, 4)
    for number in range(rounds + 1):
        for name, worker in workers.items():
            if name == "loop" and number > (3 if clients < 1000 else 1):  # the slowest by far, and steady
                continue
            took = worker.round()
            if number > 0:
                seconds[name].append(took)
    auto = Training(dataset, samples, "auto", encoder).runner.engine
    chunk = workers["vector"].chunk if "vector" in workers else None
    return {"encoder": encoder, "clients": clients, "samples": samples, "chunk": chunk, "auto": auto.name, "s": seconds}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    about = {"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()}
    found = []
    for encoder, clients, samples in GRID:
        if options.only not in (None, encoder, f"{clients}x{samples}"):
            continue
        found.append(measure(encoder, clients, samples, options.rounds))
        print(line(found[-1]), flush=True)
        if options.only is None:  # what is measured is kept, however the rest ends
            OUT.parent.mkdir(parents=True, exist_ok=True)
            OUT.write_text(json.dumps({**about, "threads": options.threads, "work": found}, indent=1) + "\n")


def line(found: dict[str, Any]) -> str:
    """Write out one size of the work."""
    seconds = {name: statistics.median(values) for name, values in found["s"].items()}
    ratios = " ".join(
        f"{name} {value * 1e3:9.1f} ms ({seconds['floor'] / value:.2f} of the floor)"
        for name, value in seconds.items()
        if name != "floor"
    )
    work = f"{found['encoder']:9} {found['clients']:6} x {found['samples']:<3}"
    return f"{work} floor {seconds['floor'] * 1e3:9.1f} ms  {ratios}  chunk {found['chunk']} auto {found['auto']}"


if __name__ == "__main__":
    main()
