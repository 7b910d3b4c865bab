"""Paired statistics over seeds: means, Student's t intervals, and the difference of two recipes seed by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# Accuracies are fractions of whole samples: what is nearer than this differs by rounding, not by a sample.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Difference:
    """One side minus the other, seed by seed.

    Attributes
    ----------
    mean : float
    interval : tuple of float, or None
        95 % interval of the mean by Student's t; None for one pair, and where all pairs differ alike: shares of few
        samples do that by chance, and it says nothing of how far other seeds lie.
    p_value : float or None
        Two-sided; None for one pair, or where all differ alike.
    wins, ties, losses : int
        In how many pairs the first side was above, level with, or below the second.
    """

    mean: float
    interval: tuple[float, float] | None
    p_value: float | None
    wins: int
    ties: int
    losses: int

    @property
    def above(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.interval is not None and self.interval[0] > TOLERANCE

    @property
    def below(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.interval is not None and self.interval[1] < -TOLERANCE


def _array(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"expected a non-empty list of numbers, got shape {array.shape}")
    return array


def _constant(values: NDArray[np.float64]) -> bool:
    return bool(np.ptp(values) <= TOLERANCE)


def standard_deviation(values: Sequence[float]) -> float | None:
    """Give the sample standard deviation (n - 1 in the denominator); None for one value."""
    array = _array(values)
    return float(array.std(ddof=1)) if array.size > 1 else None


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Give Student's t interval of the mean.

    Parameters
    ----------
    values : sequence of float
    level : float
        The coverage.

    Returns
    -------
    tuple of float, or None
        Low and high end; of zero width where all values are equal; None for one value, which says nothing of spread.
    """
    array = _array(values)
    if array.size < 2:
        return None
    mean = float(array.mean())
    if _constant(array):
        return (mean, mean)
    half = float(stats.t.ppf((1 + level) / 2, array.size - 1) * array.std(ddof=1) / np.sqrt(array.size))
    return (mean - half, mean + half)


def p_value(values: Sequence[float]) -> float | None:
    """Give the two-sided p value of Student's t test that the mean is zero.

    Returns
    -------
    float or None
        None for one value, and where all are equal, which leaves the test no spread to work with; 1 if all are zero.
    """
    array = _array(values)
    if array.size < 2:
        return None
    mean = float(array.mean())
    if _constant(array):
        return 1.0 if abs(mean) <= TOLERANCE else None
    t = abs(mean) / (array.std(ddof=1) / np.sqrt(array.size))
    return float(2 * stats.t.sf(t, array.size - 1))


def paired_difference(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Compare two sides that were measured on the same seeds.

    Parameters
    ----------
    a, b : sequence of float
        Figures of equal length; position i of both belongs to the same seed.

    Returns
    -------
    Difference
        Of ``a - b``.
    """
    left, right = _array(a), _array(b)
    if left.shape != right.shape:
        raise ValueError(f"paired sides must be equally long, got {left.size} and {right.size}")
    difference = left - right
    values, p = difference.tolist(), p_value(difference.tolist())
    wins, losses = int((difference > TOLERANCE).sum()), int((difference < -TOLERANCE).sum())
    return Difference(
        mean=float(difference.mean()),
        interval=None if p is None else interval(values),
        p_value=p,
        wins=wins,
        ties=len(values) - wins - losses,
        losses=losses,
    )


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p values for how many there are: the chance that any of them is a false find stays at the level.

    Holm, S. (1979): A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6.

    Parameters
    ----------
    p_values : sequence of float or None
        None, or no number, where there was no test; it is None and does not count.

    Returns
    -------
    list of float or None
        In the same order, at least as large, at most 1.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None and not math.isnan(p))
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        corrected[place] = largest
    return corrected
