"""What a run is followed by: its settings as texts, a round and an end as numbers by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from motet.record.result import Metrics, Result, Round

WHOLE = "bytes/down"
"""Every round has it, and it comes last: a store that has it of a round has all of that round."""
ENDED = "tail/accuracy"
"""What a store has of runs that are over."""

_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "worst_class", "loss")


def settings(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that have a value, as texts."""
    return {
        key: json.dumps(value) if isinstance(value, list | dict) else str(value)
        for key, value in config.items()
        if value is not None
    }


def of_round(line: Round) -> dict[str, float]:
    """Return what a round has computed; rates are means over the clients that trained."""
    found = {
        "accuracy": line.accuracy,
        "balanced_accuracy": line.balanced_accuracy,
        "loss": line.loss,
        "online/accuracy": line.online_accuracy,
        "online/loss": line.online_loss,
        "train/loss": line.train_loss,
        "epsilon": line.epsilon,
        "clients": line.clients,
        **_rates("missing", line.missing, line.clients),
        **_rates("degraded", line.degraded, line.clients),
        "bytes/up": line.bytes_up,
        WHOLE: line.bytes_down,
    }
    return _known(found)


def of_result(result: Result) -> dict[str, float]:
    """Return what a run ends with: the last evaluation, the mean of the last ten rounds', and sums over all rounds."""
    every = {f"final/present/{m.replace('+', ' ')}": a for m, a in result.final.accuracy_by_present.items()}
    every |= {**_of("final", result.final), **_of("tail", result.tail)}
    if result.online is not None:
        every |= {"total/online_accuracy": result.online.accuracy, "total/online_loss": result.online.loss}
    every |= {"total/bytes_up": result.bytes.up, "total/bytes_down": result.bytes.down}
    return _known(every)


def _rates(what: str, shares: Mapping[str, Mapping[str, float]], clients: int) -> dict[str, float]:
    return {f"{what}/{m}": sum(own.values()) / max(1, clients) for m, own in shares.items()}


def _of(when: str, metrics: Metrics) -> dict[str, float]:
    return {f"{when}/{name}": getattr(metrics, name) for name in _METRICS}


def _known(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in figures.items() if value is not None}
