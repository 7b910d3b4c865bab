"""`motet demo`."""

from __future__ import annotations

from typing import Any

from motet.cli.options import OutOption, QuietOption
from motet.cli.show import hints, show_comparison, watch

SETTING: dict[str, Any] = {
    "data": "wearables",
    "clients": 20,
    "rounds": 24,
    "buffer": 40,
    "arrivals": 10,
    "batch_size": 20,
    "optimizer": "adam",
    "lr": 0.005,
    "lr_decay": 0.96,
    "lr_min": 0.0005,
    "missing_rate": 0.6,
    "missing_modality": "acc",
    "missing_bias": 0.7,
    "degraded_rate": 0.3,
    "calibration_rounds": 5,
    "evaluate_every": 2,
}


def demo(out: OutOption = None, quiet: QuietOption = False) -> None:
    """Compare four methods on twenty simulated wearables whose sensors drop out and degrade; needs no files.

    Example: motet demo
    """
    from motet.engine import comparisons, runs

    plan = comparisons.plan(["fedavg", "partial", "pmm", "qqr"], 1, SETTING)
    folder = runs.new_folder(out, "demo")
    with hints(folder):
        comparison = comparisons.start(plan, folder, watch(quiet))
    show_comparison(comparison, folder, quiet, json=False)
