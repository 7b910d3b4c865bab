"""The data that studies run on, each with the settings that fit it; what all of them train with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from motet.study.design import Variant

STREAM: dict[str, Any] = {
    "rounds": 30,
    "local_epochs": 2,
    "batch_size": 100,
    "buffer": 200,
    "arrivals": 20,
    "optimizer": "adam",
    "lr": 0.005,
    "lr_decay": 0.965,
    "lr_min": 0.0005,
    "partition": "dirichlet",
    "evaluate_every": 1000,
    "flags": "none",
}
"""A stream that ten clients learn from. Where nothing is degraded nothing is flagged: a flag would be a false alarm."""

UCIHAR = Variant("ucihar", {"data": "ucihar", "encoder": "summary", "clients": 10})
PHONEWATCH = Variant("phonewatch", {"data": "phonewatch", "encoder": "summary", "clients": 10})
AVDIGITS = Variant("avdigits", {"data": "avdigits", "encoder": "mlp", "clients": 10, "noise": "image=1.5,audio=1"})
"""With noise that makes the two equally hard: without it nearly all is recognised."""

MVSA = Variant("mvsa_single", {"data": "mvsa_single", "encoder": "mlp", "clients": 5})
ARCHIVES = (UCIHAR, PHONEWATCH, AVDIGITS, MVSA)

WATCHES = Variant("ucihar", {"data": "ucihar", "modalities": ["body_acc", "gyro"], "clients": 5, "rounds": 60})
"""Body acceleration and gyroscope of UCI-HAR with convolutions: the setting of docs/results.md (examples/s60.toml)."""

SMALL = Variant("wearables", {"data": "wearables", "encoder": "summary", "clients": 10})
QUICK: dict[str, Any] = {**STREAM, "rounds": 15, "buffer": 60, "arrivals": 10, "batch_size": 30, "lr": 0.01}
"""What small presets train with: data that need no file, and seconds a run."""


def panel(archive: Variant, what: str = "", **settings: Any) -> Variant:
    """Return an archive under some circumstances, named after both."""
    name = f"{archive.name}, {what}" if what else archive.name
    return replace(archive, name=name, settings={**archive.settings, **settings})


def points(key: str, *values: Any, **also: Any) -> tuple[Variant, ...]:
    """Return a point of the axis for each value of a key."""
    return tuple(
        Variant(f"{value:g}" if isinstance(value, float) else str(value), {key: value, **also}) for value in values
    )


def recipes(*names: str) -> tuple[Variant, ...]:
    """Return rows that are recipes as they stand; SCAFFOLD, which is made for plain SGD, with that and rates for it."""
    sgd = {"scaffold": {"optimizer": "sgd", "momentum": 0, "lr": 0.1}}
    rates = {"scaffold": {"lr": (0.1, 0.03, 0.3)}}
    return tuple(Variant(name, {"recipe": name, **sgd.get(name, {})}, grid=rates.get(name)) for name in names)
