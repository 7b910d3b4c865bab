"""What a method costs beside fedavg in the vector engine, and what the engine costs when the model does nothing.

    python benchmarks/methods.py [--rounds 30] [--threads 2]

Recipes take turns, round by round, in one process; sensors drop out and degrade half of the time, so that there is
something to mend. The no-op model has one weight a modality. Writes docs/performance/methods.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from work import Training, noise

from motet.data.dataset import ArrayDataset, Modality
from motet.nets.encoder import ENCODERS
from motet.nets.layers import Linear

OUT = Path(__file__).resolve().parent.parent / "docs" / "performance" / "methods.json"
RECIPES = ("fedavg", "partial", "late", "late-unimodal", "fedprox", "pmm", "qqr")
MORE = ("fedavg", "fedproto", "moon", "scaffold", "ogm-ge", "fedcmi", "fedmchain", "fedmchain-mean")
"""Those whose further cost flags have no part in; a round of fedmchain goes over the samples once for each modality."""
UPLOADS = ("dense", "q8", "topk", "topk+memory+q8", "topk+memory+q8+deflate")
"""Of fedavg; what they select, quantise and count."""
EPOCHS = (1, 5)
"""Local epochs beside which uploads are timed: one step is the least that a client can do, five are what many do."""
ROUGH = {"missing_rate": 0.5, "degraded_rate": 0.5}
CLIENTS, SAMPLES = 100, 20


class Nothing(nn.Module):
    """One weight."""

    def __init__(self, modality: Modality, features: int) -> None:
        super().__init__()
        self.out = Linear(1, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x)


ENCODERS["vector"]["nothing"] = Nothing


def small(clients: int) -> ArrayDataset:
    """Return the benchmark's clients with one number a modality."""
    data = noise(clients, SAMPLES)
    x = {m: np.ascontiguousarray(value[:, 0, :1]) for m, value in data.x.items()}
    modalities = {m: Modality(m, "vector", (1,)) for m in x}
    return ArrayDataset(
        name="nothing", modalities=modalities, classes=data.classes, y=data.y, split=data.split, x=x,
        client=data.client, time=data.time,
    )  # fmt: skip


def in_turns(workers: dict[str, Training], rounds: int) -> dict[str, list[float]]:
    """Time rounds in turns; the first is left out."""
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for number in range(rounds + 1):
        for name, worker in workers.items():
            took = worker.round()
            if number > 0:
                seconds[name].append(took)
    return seconds


def measure(data: ArrayDataset, rows: dict[str, dict[str, str]], flags: str, rounds: int) -> dict[str, list[float]]:
    """Time rounds of some rows in turns, and print how they compare to the first."""
    rough = {**ROUGH, "flags": flags}
    workers = {name: Training(data, SAMPLES, "vector", "benchmark", **rough, **row) for name, row in rows.items()}
    found = in_turns(workers, rounds)
    first = next(iter(rows))
    base = statistics.median(found[first])
    for name, seconds in found.items():
        median = statistics.median(seconds)
        print(f"{flags:9} {name:24} {median * 1e3:8.1f} ms  {median / base:.2f} of {first}", flush=True)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = noise(CLIENTS, SAMPLES)
    recipes = {name: {"recipe": name} for name in RECIPES}
    rows = {flags: measure(data, recipes, flags, options.rounds) for flags in ("oracle", "assessed")}
    more = measure(data, {name: {"recipe": name} for name in MORE}, "oracle", options.rounds)
    uploads = {}
    for epochs in EPOCHS:
        codings = {name: {"recipe": "fedavg", "upload": name, "local_epochs": str(epochs)} for name in UPLOADS}
        uploads[epochs] = measure(data, codings, "oracle", options.rounds)
    nothing = {}
    for clients in (100, 1000):
        kinds = {"objective": "late", "features": 1}
        workers = {e: Training(small(clients), SAMPLES, e, "nothing", **kinds) for e in ("loop", "vector")}
        nothing[clients] = in_turns(workers, options.rounds)
        for name, values in nothing[clients].items():
            cost = statistics.median(values) / clients * 1e3
            print(f"no-op     {name:7} {clients:5} clients {cost:.3f} ms a client-round", flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"recipes": rows, "more": more, "uploads": uploads, "nothing": nothing}, indent=1) + "\n")


if __name__ == "__main__":
    main()
