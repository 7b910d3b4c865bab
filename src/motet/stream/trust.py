"""Which clients' rounds to believe when any of them may have been recorded with a bad sensor.

A fault hits a whole view, so the thing to trust or not is a client's round. This is the minimum covariance determinant
(Rousseeuw and Van Driessen 1999) with client-rounds in place of points: from a start at medians, the half nearest to
the current centres and covariances is refitted until it settles; then every client-round near enough joins. It holds
while fewer than half of the client-rounds are bad, and no longer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.stream.moments import MAD_TO_DEVIATION, Moments, outer
from motet.stream.reference import FLOOR, regularise

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEAR_ENOUGH = 2.0  # mean squared distance, in multiples of the number of statistics; good client-rounds have .3 to 1.4
CONCENTRATIONS = 10
REFITS = 3


def trusted(parts: Moments, label: Integers, group: Integers) -> Flags:
    """Choose the client-rounds whose samples go together.

    Parameters
    ----------
    parts : Moments of R sets
        Each the samples of one class in one client's round.
    label : int64 (R,)
        Class of each set, 0..C-1.
    group : int64 (R,)
        Client-round of each set, 0..G-1, each of them at least once.

    Returns
    -------
    bool (G,)
    """
    start = _medians(parts, label)
    sums = _raw(parts)
    distance = _distances(sums, label, group, *start)
    chosen = _nearest_half(distance)
    for _ in range(CONCENTRATIONS):
        distance = _distances(sums, label, group, *_fit(sums, label, chosen[group], start))
        before, chosen = chosen, _nearest_half(distance)
        if np.array_equal(before, chosen):
            break
    for _ in range(REFITS):
        chosen = (distance <= NEAR_ENOUGH) | _nearest_half(distance)
        distance = _distances(sums, label, group, *_fit(sums, label, chosen[group], start))
    return (distance <= NEAR_ENOUGH) | _nearest_half(distance)


def _raw(parts: Moments) -> Floats:
    """Number, sum and sum of outer products of each set's points, (R, 1 + S + S * S): these join by adding."""
    square = parts.scatter + parts.number[:, None, None] * outer(parts.mean)
    return np.hstack([parts.number[:, None], parts.number[:, None] * parts.mean, square.reshape(len(square), -1)])


def _fit(sums: Floats, label: Integers, used: Flags, start: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Centre (C, S) and covariance (C, S, S) of each class over the sets used; the start's where there are none."""
    centre, covariance = start
    c, s = centre.shape
    total = ((np.arange(c)[:, None] == label) & used).astype(np.float64) @ sums
    number = total[:, 0]
    mean = total[:, 1 : s + 1] / np.maximum(number, 1)[:, None]
    scatter = total[:, s + 1 :].reshape(c, s, s) - number[:, None, None] * outer(mean)
    fitted = regularise(Moments(number, mean, scatter), number)
    some = number > 0
    return np.where(some[:, None], mean, centre), np.where(some[:, None, None], fitted, covariance)


def _distances(sums: Floats, label: Integers, group: Integers, centre: Floats, covariance: Floats) -> Floats:
    """Mean squared Mahalanobis distance of each client-round's samples to their classes, over the dimension."""
    c, s = centre.shape
    precision = np.linalg.inv(covariance)
    towards = np.einsum("cij,cj->ci", precision, centre)
    constant = (towards * centre).sum(axis=1, keepdims=True)
    form = np.hstack([constant, -2 * towards, precision.reshape(c, -1)])  # of the squared distance, in `_raw`'s sums
    total = np.einsum("rk,rk->r", form[label], sums)
    return np.asarray(np.bincount(group, total) / np.bincount(group, sums[:, 0]) / s)


def _nearest_half(distance: Floats) -> Flags:
    """Flag just over half of the client-rounds."""
    chosen = np.zeros(len(distance), dtype=bool)
    chosen[np.argsort(distance, kind="stable")[: len(distance) // 2 + 1]] = True
    return chosen


def _medians(parts: Moments, label: Integers) -> tuple[Floats, Floats]:
    """Start: of each class, the median of the sets' means, and a diagonal covariance within and between the sets."""
    c, s = int(label.max()) + 1, parts.mean.shape[1]
    centre, variance = np.zeros((c, s)), np.ones((c, s))
    within = np.diagonal(parts.scatter, axis1=1, axis2=2) / parts.number[:, None]
    for i in np.unique(label):
        own = label == i
        weight = parts.number[own]
        centre[i] = _weighted_median(parts.mean[own], weight)
        between = MAD_TO_DEVIATION * _weighted_median(np.abs(parts.mean[own] - centre[i]), weight)
        variance[i] = _weighted_median(within[own], weight) + between**2 + FLOOR**2
    return centre, variance[:, :, None] * np.eye(s)


def _weighted_median(values: Floats, weight: Floats) -> Floats:
    """Median of each column: the least value that half of the weight does not exceed."""
    order = values.argsort(axis=0, kind="stable")
    reached = weight[order].cumsum(axis=0) >= weight.sum() / 2
    return np.asarray(np.take_along_axis(values, order, axis=0)[reached.argmax(axis=0), np.arange(values.shape[1])])
