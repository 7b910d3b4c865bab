"""Regret: how much more a learner loses on what arrives than the best fixed model would have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FIRST = 0.1
"""The slope is that of all rounds but the first tenth, which say more of the start than of the learner."""
PLACES = 40


def regret(losses: Sequence[float], comparator: Sequence[float]) -> Floats:
    """Return the regret after each round, (T,): the sum of F_t(theta_t) - F_t(theta*) so far.

    Parameters
    ----------
    losses : sequence of float
        F_t(theta_t): the mean loss of round t's arrivals, as clean samples, by the model they met.
    comparator : sequence of float
        F_t(theta*).
    """
    found: Floats = np.cumsum(np.subtract(losses, comparator))
    return found


def slope(curve: Floats) -> float | None:
    """Return the slope of log regret over log rounds: 1/2 where regret grows like its root, 1 where it grows evenly.

    By least squares over rounds that lie evenly on the logarithm; None where regret is not positive at all of them.
    """
    rounds = places(len(curve))
    values = curve[rounds - 1]
    if len(rounds) < 2 or (values <= 0).any():
        return None
    return float(np.polyfit(np.log(rounds), np.log(values), 1)[0])


def places(rounds: int) -> NDArray[np.int64]:
    """Return the rounds at which regret is looked at: evenly on the logarithm, from the first tenth on."""
    first = max(1, round(FIRST * rounds))
    return np.unique(np.geomspace(first, rounds, PLACES).round().astype(np.int64))
