"""The numbers behind the line figures: the mean over seeds, and the lowest and highest seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.record.result import Result, Round

MOST_POINTS = 240
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A line and its band, all of equal length.

    Attributes
    ----------
    x, mean, low, high : Numbers
    at : Numbers
        What its points are named by: the rounds, also where `x` is something else.
    """

    x: Numbers
    mean: Numbers
    low: Numbers
    high: Numbers
    at: Numbers

    def same_as(self, other: Curve) -> bool:
        """Tell whether two curves would be drawn one on the other."""
        return self.x.shape == other.x.shape and np.allclose(self.x, other.x) and np.allclose(self.mean, other.mean)


def over_rounds(runs: Sequence[Result], figure: Callable[[Round], float | None]) -> Curve | None:
    """Give a figure of the history over the rounds that computed it; None where none did."""
    values: dict[float, list[float]] = {}
    for run in runs:
        for line in run.history:
            value = figure(line)
            if value is not None and np.isfinite(value):
                values.setdefault(float(line.round), []).append(float(value))
    return _curve(values) if values else None


def over_bytes(runs: Sequence[Result]) -> Curve | None:
    """Give the accuracy over the bytes sent so far, by all clients; None where nothing was sent."""
    accuracy = over_rounds(runs, lambda line: line.accuracy)
    if accuracy is None or not any(line.bytes_up for run in runs for line in run.history):
        return None
    sent: dict[int, list[int]] = {}
    for run in runs:
        for line, total in zip(run.history, np.cumsum([line.bytes_up for line in run.history]), strict=True):
            sent.setdefault(line.round, []).append(int(total))
    x = np.array([float(np.mean(sent[int(place)])) for place in accuracy.x])
    return Curve(x, accuracy.mean, accuracy.low, accuracy.high, accuracy.at)


def over_clients(runs: Sequence[Result]) -> Curve | None:
    """Give the accuracy of clients from the worst served to the best; seeds are pooled, since clients differ."""
    pooled = np.array(sorted(value for run in runs for value in run.tail.accuracy_by_client.values()))
    pooled = pooled[np.isfinite(pooled)]
    if pooled.size < 3:
        return None
    x = np.linspace(0, 1, min(pooled.size, 101))
    mean = np.quantile(pooled, x)
    return Curve(x, mean, mean, mean, x)


def lowest_agreement(line: Round) -> float | None:
    """Give the agreement of the two modalities whose prototypes agree least; None where no two can be compared."""
    known = [value for value in line.meaning.agreement.values() if value is not None] if line.meaning else []
    return min(known, default=None)


def thinned(curve: Curve) -> tuple[Curve, int]:
    """Average neighbouring points so that a long run stays a small picture.

    Returns
    -------
    curve : Curve
    per_point : int
        How many points became one.
    """
    per_point = -(-curve.x.size // MOST_POINTS)
    if per_point == 1:
        return curve, 1
    starts = np.arange(0, curve.x.size, per_point)
    widths = np.diff(np.append(starts, curve.x.size))
    return Curve(*(np.add.reduceat(part, starts) / widths for part in _parts(curve))), per_point


def _parts(curve: Curve) -> Iterable[Numbers]:
    return curve.x, curve.mean, curve.low, curve.high, curve.at


def _curve(values: dict[float, list[float]]) -> Curve:
    x = np.array(sorted(values))
    return Curve(
        x,
        np.array([np.mean(values[place]) for place in x]),
        np.array([min(values[place]) for place in x]),
        np.array([max(values[place]) for place in x]),
        x,
    )
