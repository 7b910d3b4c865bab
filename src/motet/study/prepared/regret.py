"""Regret on a stream: what missing and bad data cost that accuracy in the end does not show."""

from __future__ import annotations

from typing import Any

from motet.study.archives import panel, points, recipes
from motet.study.design import Design, Study, Variant

SETTINGS: dict[str, Any] = {
    "encoder": "fixed",
    "features": 30,
    "objective": "late",
    "clients": 5,
    "partition": "dirichlet",
    "buffer": 20,
    "arrivals": 20,
    "batch_size": 100,
    "local_epochs": 1,
    "optimizer": "sgd",
    "lr": 16,
    "lr_schedule": "sqrt",
    "lr_min": 0,
    "flags": "oracle",
    "evaluate_every": 1000,
}
"""Softmax regression on fixed features, one step on what arrives, rate eta / sqrt(t): online gradient descent.

Of eta 1, 4, 16 and 64, 16 has the least regret where nothing is missing.
"""
UCIHAR = Variant("ucihar", {"data": "ucihar", "modalities": ["body_acc", "gyro"]})
WEARABLES = Variant("wearables", {"data": "wearables", "modalities": ["acc", "gyro"]})
_ROWS = recipes("full", "fedavg", "partial", "qqr")


_MOSTLY = {"missing_modality": "body_acc", "missing_bias": 0.9}
_NETWORK: dict[str, Any] = {
    "encoder": "summary",
    "features": 64,
    "objective": "joint",
    "buffer": 100,
    "lr": 0.1,
    "rounds": 300,
}
"""Not convex: its comparator is no optimum but a reference, trained by Adam on all that arrived."""

STUDY = Study(
    name="regret",
    question="How much more does a learner lose on the way than the best model in hindsight?",
    axis="missing rate",
    small=Design(
        settings={**SETTINGS, "rounds": 60, "missing_modality": "acc"},
        panels=(WEARABLES,),
        points=points("missing_rate", 0.1, 0.9),
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings={**SETTINGS, "rounds": 1000},
        panels=(panel(UCIHAR, "convex", **_MOSTLY), panel(UCIHAR, "a network", **_NETWORK, **_MOSTLY)),
        points=points("missing_rate", 0.1, 0.5, 0.9),
        rows=_ROWS,
        seeds=5,
    ),
    pairs=(("fedavg", "full"), ("qqr", "fedavg"), ("partial", "fedavg")),
    figures=("regret", "slope", "accuracy"),
    said=("regret", "slope"),
    kind="regret",
)
