"""Numbers, means and scatters of sets of points, and how sets are joined without the points."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAD_TO_DEVIATION = 1.4826  # of a Gaussian


class Moments(NamedTuple):
    """First and second moments of several sets of S-dimensional points.

    Attributes
    ----------
    number : float64 (R,)
        Of points.
    mean : float64 (R, S)
    scatter : float64 (R, S, S)
        Sum of outer products of the deviations from the mean: the covariance times the number.
    """

    number: Floats
    mean: Floats
    scatter: Floats


def moments(points: Floats, label: Integers, labels: Integers) -> Moments:
    """Take the moments of the points of each label.

    Parameters
    ----------
    points : float64 (n, S)
    label : int64 (n,)
        The label of each point.
    labels : int64 (R,)
        The labels wanted, ascending; one without a point has number 0, mean 0 and scatter 0.
    """
    place = np.searchsorted(labels, label)
    order = np.argsort(place, kind="stable")
    number = np.bincount(place, minlength=len(labels)).astype(np.float64)
    mean = _sums(points[order], number) / np.maximum(number, 1)[:, None]
    deviation = points[order] - mean[place[order]]
    return Moments(number, mean, _sums(outer(deviation), number))


def _sums(values: Floats, number: Floats) -> Floats:
    """Sum the first number[0] values, the next number[1], and so on."""
    found = np.zeros((len(number), *values.shape[1:]))
    some = number > 0
    if some.any():
        first = (np.cumsum(number) - number).astype(np.int64)
        found[some] = np.add.reduceat(values, first[some], axis=0)
    return found


def medians(points: Floats, label: Integers, labels: Integers) -> Moments:
    """Guess the moments of the points of each label from medians, which bad points in the minority hardly move.

    Parameters
    ----------
    points, label, labels
        As for `moments`.

    Returns
    -------
    Moments
        The medians in place of the means; a diagonal scatter, from the median absolute deviations.
    """
    s = points.shape[1]
    guess = Moments(np.zeros(len(labels)), np.zeros((len(labels), s)), np.zeros((len(labels), s, s)))
    for i, wanted in enumerate(labels):
        own = points[label == wanted]
        if len(own):
            guess.number[i] = len(own)
            guess.mean[i] = np.median(own, axis=0)
            deviation = MAD_TO_DEVIATION * np.median(np.abs(own - guess.mean[i]), axis=0)
            guess.scatter[i] = len(own) * np.diag(deviation**2)
    return guess


def join(parts: Moments, member: Floats) -> Moments:
    """Join sets of points into larger ones from their moments alone (Chan, Golub and LeVeque 1979).

    Parameters
    ----------
    parts : Moments of R sets
    member : float64 (G, R)
        1 where a set belongs to one of the G larger ones, else 0.

    Returns
    -------
    Moments of G sets; an empty one has number 0, mean 0 and scatter 0.
    """
    r, s = parts.mean.shape
    weight = member * parts.number
    number = weight.sum(axis=1)
    mean = weight @ parts.mean / np.where(number > 0, number, 1)[:, None]
    within = member @ parts.scatter.reshape(r, s * s)
    between = weight @ outer(parts.mean).reshape(r, s * s)
    scatter = (within + between).reshape(-1, s, s) - number[:, None, None] * outer(mean)
    return Moments(number, mean, scatter)


def outer(points: Floats) -> Floats:
    """Outer product of each point with itself: (R, S) to (R, S, S)."""
    return np.asarray(points[:, :, None] * points[:, None, :])


def concatenate(parts: list[Moments]) -> Moments:
    """Put lists of sets one after another."""
    return Moments(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def take(parts: Moments, which: NDArray[np.bool_]) -> Moments:
    """Keep some of the sets."""
    return Moments(*(column[which] for column in parts))


def pack(scatter: Floats) -> Floats:
    """Keep the lower triangles of symmetric matrices: (R, S, S) to (R, S (S + 1) / 2)."""
    i, j = _triangle(scatter.shape[1])
    return np.asarray(scatter[:, i, j])


def unpack(packed: Floats, s: int) -> Floats:
    """Undo `pack`."""
    i, j = _triangle(s)
    full = np.zeros((len(packed), s, s))
    full[:, i, j] = packed
    full[:, j, i] = packed
    return full


@cache
def _triangle(s: int) -> tuple[Integers, Integers]:
    return np.tril_indices(s)
