"""Made-up results of the right shape, from a few figures that a test cares about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from motet.record.comparison import compare
from motet.record.result import (
    Assessment,
    Bytes,
    Comparison,
    Device,
    Engine,
    Meaning,
    Metrics,
    Online,
    Result,
    Round,
    Time,
)

CONFIG: dict[str, Any] = {
    "data": "wearables", "noise": {}, "encoder": "auto", "features": 64, "clients": None, "partition": None,
    "alpha": 1.0, "participation": 1.0, "rounds": 60, "local_epochs": 2, "local_cycles": 1, "batch_size": 64,
    "optimizer": "adam", "momentum": 0.0, "lr": 0.005, "lr_decay": 0.965, "lr_min": 0.0005, "buffer": 200,
    "arrivals": 20, "order": "time",
    "missing_rate": 0.6, "missing_pattern": "independent", "missing_modality": "acc", "missing_bias": 0.9,
    "missing_granularity": "round", "degraded_rate": 0.3, "degraded_pattern": "independent", "degraded_modality": None,
    "degraded_bias": 1.0, "degraded_granularity": "round", "degradation": "noise", "degradation_strength": 3.0,
    "test_missing": [], "test_degradation": None, "dtype": "float32", "impaired": True,
}  # fmt: skip
FOUR = {
    "fedavg": [0.655, 0.672, 0.661],
    "partial": [0.722, 0.731, 0.715],
    "pmm": [0.806, 0.820, 0.811],
    "full": [0.842, 0.851, 0.847],
}
CLASSES = ["walking", "running", "sitting", "standing", "lying", "cycling"]


def subsets(modalities: Sequence[str]) -> list[str]:
    """Name the subsets that an evaluation covers."""
    count = len(modalities)
    sizes = range(count, 0, -1) if count <= 4 else sorted({count, count - 1, 1}, reverse=True)
    return ["+".join(chosen) for size in sizes for chosen in combinations(modalities, size)]


def metrics(
    accuracy: float,
    modalities: Sequence[str] = ("acc", "gyro"),
    classes: int = len(CLASSES),
    clients: int = 10,
    alone: float = 0.2,
    worst: float = 0.2,
) -> Metrics:
    """Make scores: a modality alone loses `alone`, the worst class `worst`."""
    by_class = np.clip(np.linspace(accuracy - worst, accuracy + 0.1, classes), 0, 1).round(6).tolist()
    by_present = {
        name: max(0.0, accuracy - alone * (1 - len(name.split("+")) / len(modalities)) - 0.01 * place)
        for place, name in enumerate(subsets(modalities))
    }
    by_present["+".join(modalities)] = accuracy
    ours = {m: by_present[m] for m in modalities}
    return Metrics(
        accuracy=accuracy,
        balanced_accuracy=accuracy - 0.01,
        macro_f1=accuracy - 0.02,
        loss=1.5 - accuracy,
        accuracy_by_class=by_class,
        worst_class=min(by_class),
        accuracy_by_client={str(k): float(np.clip(accuracy + 0.1 * np.sin(k), 0, 1)) for k in range(clients)},
        accuracy_by_present=by_present,
        accuracy_alone=dict(ours),
        dominance={m: value / sum(ours.values()) if any(ours.values()) else None for m, value in ours.items()},
        complementarity=accuracy - max(ours.values()),
        strong_weak_gap=max(ours.values()) - min(ours.values()),
        double_fault={f"{a}~{b}": round((1 - accuracy) * 0.8, 6) for a, b in combinations(modalities, 2)},
    )


def history(
    accuracy: float,
    rounds: int = 60,
    clients: int = 10,
    modalities: Sequence[str] = ("acc", "gyro"),
    online: bool = True,
    every: int = 1,
    bytes_up: int = 400_000,
    seed: int = 0,
    impaired: bool = True,
    meaning: Meaning | None = None,
) -> list[Round]:
    """Make a history that rises to `accuracy`, with draws that depend on the seed alone."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(1, rounds + 1):
        rise = 1 - np.exp(-4 * number / rounds)
        seen = accuracy * rise + 0.01 * rng.standard_normal()
        evaluated = number % every == 0 or number > rounds - 10
        hit = rng.random((2, clients)) < ((0.6,), (0.3,))
        which = rng.integers(len(modalities), size=(2, clients))
        lost: list[dict[str, dict[str, float]]] = [{}, {}]
        for kind, client in zip(*np.nonzero(hit & impaired), strict=True):
            lost[kind].setdefault(modalities[which[kind, client]], {})[str(client)] = 1.0
        found.append(
            Round(
                round=number,
                accuracy=float(np.clip(seen, 0, 1)) if evaluated else None,
                loss=1.5 - seen if evaluated else None,
                balanced_accuracy=seen - 0.01 if evaluated else None,
                online_accuracy=max(0.0, seen - 0.1) if online else None,
                online_loss=1.8 - 1.2 * seen + 0.03 * rng.standard_normal() if online else None,
                train_loss=1.2 - seen,
                bytes_up=bytes_up,
                bytes_down=bytes_up,
                clients=clients,
                participation=dict.fromkeys(modalities, clients),
                missing=lost[0],
                degraded=lost[1],
                flagged=dict.fromkeys(modalities, 0.1),
                meaning=meaning,
                accuracy_alone={m: float(np.clip(seen - 0.1, 0, 1)) for m in modalities} if evaluated else None,
                dominance={m: 1 / len(modalities) for m in modalities} if evaluated else None,
                update_norm={m: 2.0 / number + place for place, m in enumerate(modalities)},
            )
        )
    return found


def result(
    name: str = "fedavg",
    accuracy: float = 0.66,
    seed: int = 0,
    *,
    rounds: int = 60,
    clients: int = 10,
    modalities: Sequence[str] = ("acc", "gyro"),
    classes: Sequence[str] = CLASSES,
    online: bool = True,
    assessed: bool = False,
    meaning: Meaning | None = None,
    every: int = 1,
    bytes_up: int = 400_000,
    alone: float = 0.2,
    worst: float = 0.2,
    recipe: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    train_s: float = 12.3,
) -> Result:
    """Make the result of one run."""
    impaired = name != "full"
    scores = metrics(accuracy, modalities, len(classes), clients, alone, worst)
    return Result(
        recipe={
            "name": name, "summary": "what it does, in one line", "source": "a paper", "upper_bound": not impaired,
            "objective": "joint", "missing": "zero", "degraded": "as-is", "drift": "none", "aggregate": "mean",
            "weights": "equal", "upload": "dense", "prototype_bits": 32, "impaired": impaired, **(recipe or {}),
        },
        config={**CONFIG, "rounds": rounds, "recipe": name, "impaired": impaired, "seed": seed, **(config or {})},
        seed=seed,
        engine=Engine(name="vector", chunk=32, threads=2, why="many small clients"),
        versions={"motet": "0.1.0", "python": "3.11.9", "torch": "2.6.0", "numpy": "2.1.0"},
        data={
            "name": "wearables", "source": "simulated", "classes": list(classes),
            "modalities": {m: {"kind": "signal", "shape": [3, 64], "encoder": "conv"} for m in modalities},
            "train_samples": 2400, "test_samples": 800, "parameters": 48_310, "partition": "dirichlet",
            "clients": clients, "samples_min": 31, "samples_median": 240.0, "samples_max": 512, "label_skew": 0.31,
            "merged": 0,
        },
        final=scores,
        tail=scores,
        online=Online(accuracy=accuracy - 0.1, loss=0.9, samples=12_000) if online else None,
        assessment=Assessment(auroc=dict.fromkeys(modalities, 0.94), precision=0.88, recall=None) if assessed else None,
        bytes=Bytes(
            up=bytes_up * rounds, down=bytes_up * rounds, up_by_kind={"model": bytes_up * rounds - 9, "prototypes": 9},
            down_by_kind={"model": bytes_up * rounds}, rounds=rounds,
        ),
        device=Device(buffer_bytes=300_000, prototype_bytes=2_000, private_state_bytes=0, train_flops=10**9),
        time=Time(train_s=train_s, evaluate_s=1.2, samples_per_s=4_000.0),
        history=history(accuracy, rounds, clients, modalities, online, every, bytes_up, seed, impaired, meaning),
    )  # fmt: skip


def comparison(accuracies: Mapping[str, Sequence[float]], **common: Any) -> Comparison:
    """Make a comparison from each recipe's accuracy on each seed; `common` goes to every `result`."""
    seeds = list(range(len(next(iter(accuracies.values())))))
    results = {
        (name, seed): result(name, values[seed], seed, **common)
        for name, values in accuracies.items()
        for seed in seeds
    }
    return compare(list(accuracies), seeds, {"data": "wearables"}, results)
