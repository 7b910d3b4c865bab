"""Motet's vector engine and its rivals on the same work, in turns: whole runs of each, one after another, twice.

    python benchmarks/rivals/turns.py --flower rival-flower/bin/python --pfl rival-pfl/bin/python

Runs in Motet's environment; each rival in its own (see README.md). Writes docs/performance/rivals.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE.parent.parent / "docs" / "performance" / "rivals.json"
SIZES = ((30, 20, 10), (100, 20, 5), (1000, 4, 2))  # clients, samples, rounds in a turn
TURNS = 2


def motet(clients: int, samples: int, rounds: int, threads: int) -> list[float]:
    """Time rounds of the vector engine in a process of its own."""
    code = (
        "import json, torch; from work import Training, noise\n"
        f"torch.set_num_threads({threads})\n"
        f"training = Training(noise({clients}, {samples}), {samples}, 'vector', 'benchmark')\n"
        f"print(json.dumps([training.round() for _ in range({rounds + 1})][1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def rival(python: Path, script: str, *options: object) -> list[float]:
    """Time rounds of a rival."""
    command = [python, HERE / script, *options]
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])["rounds"]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flower", type=Path)
    parser.add_argument("--pfl", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    found = []
    for clients, samples, rounds in SIZES:
        work = ("--clients", clients, "--samples", samples, "--rounds", rounds, "--threads", options.threads)
        set_ups = {}
        if options.flower:
            set_ups |= {
                "Flower, an actor a core": (options.flower, "flower_simulation.py", *work, "--client-cpus", 1),
                "Flower, two actors a core": (options.flower, "flower_simulation.py", *work, "--client-cpus", 0.5),
            }
        if options.pfl:
            set_ups |= {
                "pfl-research, two processes": (options.pfl, "pfl_research.py", *work, "--processes", 2),
                "pfl-research, one process": (options.pfl, "pfl_research.py", *work, "--processes", 1),
            }
        ours: list[float] = []
        theirs: dict[str, list[float]] = {name: [] for name in set_ups}
        for _ in range(TURNS):
            ours += motet(clients, samples, rounds, options.threads)
            for name, how in set_ups.items():
                theirs[name] += rival(*how)
        found.append({"clients": clients, "samples": samples, "motet": ours, "rivals": theirs})
        print(json.dumps(found[-1]), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
