"""How cost and memory grow with clients and with parameters, and whether memory grows with rounds.

    python benchmarks/growth.py [--threads 2]

Each work runs in a process of its own, on Linux. Memory is the process's peak above what it holds once data and engine
stand.
Writes docs/performance/growth.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "docs" / "performance" / "growth.json"
FEATURES = 64
WORKS = [  # clients, samples, features, rounds
    *[(clients, 20, FEATURES, rounds) for clients, rounds in ((100, 6), (1000, 6), (10_000, 4))],
    *[(clients, 4, FEATURES, 6) for clients in (100, 1000, 10_000)],
    *[(1000, 4, features, 6) for features in (256, 1024)],
    (1000, 4, FEATURES, 30),
]


def grow(clients: int, samples: int, features: int, rounds: int, threads: int) -> dict[str, float]:
    """Train; return seconds a client-round and megabytes above the start."""
    import torch
    from work import Training, noise

    torch.set_num_threads(threads)
    settings = {"recipe": "qqr", "missing_rate": 0.5, "features": features}
    training = Training(noise(clients, samples), samples, "vector", "benchmark", **settings)
    before = held()
    seconds = [training.round() for _ in range(rounds)][1:]
    return {
        "clients": clients,
        "samples": samples,
        "parameters": sum(value.numel() for value in training.state.shared["model"].values()),
        "rounds": rounds,
        "ms": statistics.median(seconds) / clients * 1e3,
        "lowest_ms": min(seconds) / clients * 1e3,
        "highest_ms": max(seconds) / clients * 1e3,
        "megabytes": peak() - before,
    }


def peak() -> float:
    """Return the most memory this process has held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def held() -> float:
    """Return the memory that this process holds now, in megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024**2


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    names = ("CLIENTS", "SAMPLES", "FEATURES", "ROUNDS")
    parser.add_argument("--one", nargs=4, type=int, metavar=names, help="one work, in this process")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(grow(*options.one, options.threads)))
        return
    found = []
    for work in WORKS:
        command = [sys.executable, __file__, "--threads", str(options.threads), "--one", *map(str, work)]
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(found[-1], flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
