"""What good samples of a modality look like, how far a sample is from that, and its score.

Source: Motet's specification of quality assessment. A reference is a flat mapping of names to arrays, so that it can be
sent and checkpointed; for each modality it holds, per class, a centre and a matrix that turns deviations from it into
Mahalanobis distances, and the edge: the distance within which 98 % of the reference's own samples lie.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from motet.stream.moments import Moments, join

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Reference = dict[str, NDArray[Any]]

UNLABELLED = -1
ENOUGH = 3  # samples before a class counts as known
PRIOR = 20.0  # samples that the scatter common to all classes is worth
FLOOR = 0.05  # no statistic is trusted to deviate by less than this
SHARE = 0.98  # of the reference's samples lie within the edge
BOUNDS = np.geomspace(0.25, 64, 64)  # of a histogram of distances, with a bin below and one above
NEAR = 4.0  # times the median distance: so far out are bad samples, or good ones out of the ordinary
FEW = 0.03  # share of far samples up to which they are taken for good ones


def key(modality: str, field: str) -> str:
    """Return the name of a modality's array in a reference."""
    return f"reference/{modality}/{field}"


def knows(reference: Reference, modality: str) -> bool:
    """Say whether a reference has an entry for a modality."""
    return key(modality, "edge") in reference


def build(modality: str, labels: Integers, known: Moments, distinct: Floats, edge: float) -> Reference:
    """Make a modality's part of the reference from the moments of trusted samples.

    A class's covariance is drawn towards the one common to all classes, the more so the fewer samples it has
    (regularised discriminant analysis, Friedman 1989), and floored. Where no class is known, all samples together are
    the one class of the reference.

    Parameters
    ----------
    modality : str
    labels : int64 (R,)
        Label of each set of samples, -1 for those without one.
    known : Moments of R sets
    distinct : float64 (R,)
        Number of samples of each set that are sure to be different ones.
    edge : float

    Returns
    -------
    dict
        float32 centres (C, S), whiteners (C, S, S) and the edge (); empty if there is no sample.
    """
    kept = (labels != UNLABELLED) & (distinct >= ENOUGH)
    member = np.eye(len(labels))[kept] if kept.any() else np.ones((1, len(labels)))
    sets = join(known, member)
    if sets.number.sum() <= 0:
        return {}
    covariance = regularise(sets, member @ distinct)
    return {
        key(modality, "centre"): sets.mean.astype(np.float32),
        key(modality, "whitener"): whitener(covariance).astype(np.float32),
        key(modality, "edge"): np.array(edge, dtype=np.float32),
    }


def regularise(sets: Moments, distinct: Floats) -> Floats:
    """Covariances (R, S, S) of sets of points, drawn towards their common one by `PRIOR` points and floored."""
    s = sets.mean.shape[1]
    common = sets.scatter.sum(axis=0) / max(float(sets.number.sum()), 1.0)
    own = sets.scatter / np.where(sets.number > 0, sets.number, 1)[:, None, None]
    share = (distinct / (distinct + PRIOR))[:, None, None]
    return np.asarray(share * own + (1 - share) * common + FLOOR**2 * np.eye(s))


def whitener(covariance: Floats) -> Floats:
    """Matrices (R, S, S) that turn deviations into Mahalanobis distances.

    What clients send is rounded, and a large covariance may have a negative eigenvalue for it; that is floored.
    """
    try:
        return np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(np.swapaxes(vectors / np.sqrt(np.maximum(values, FLOOR**2))[:, None, :], 1, 2))


def distance(reference: Reference, modality: str, points: Floats) -> Floats:
    """Smallest Mahalanobis distance of each sample's statistics to a class of the reference.

    Parameters
    ----------
    reference : Reference
        One that `knows` the modality.
    modality : str
    points : float64 (n, S)

    Returns
    -------
    float64 (n,)
    """
    centre = reference[key(modality, "centre")].astype(np.float64)
    whitener = reference[key(modality, "whitener")].astype(np.float64)
    whitened = (points - centre[:, None]) @ np.swapaxes(whitener, 1, 2)
    return np.asarray(np.sqrt(np.square(whitened).sum(axis=2).min(axis=0)))


def quality(distance: Floats, edge: float) -> Floats:
    """Score distances: 1 up to the edge, then ``1 - (distance - edge) / edge``, not below 0."""
    return np.clip(2 - distance / edge, 0.0, 1.0)


def histograms(distances: Floats, group: Integers, groups: int) -> Integers:
    """Count distances by the bins of `BOUNDS`, those of each group by themselves: int64 (groups, 65)."""
    bins = len(BOUNDS) + 1
    place = group * bins + np.searchsorted(BOUNDS, distances)
    return np.bincount(place, minlength=groups * bins).reshape(groups, bins)


def quantile(counts: Floats, share: float) -> float:
    """Read a quantile off a histogram, interpolating logarithmically inside its bin."""
    upto = np.cumsum(counts) / counts.sum()
    bin_ = int(np.searchsorted(upto, share))
    if bin_ == 0 or bin_ >= len(BOUNDS):
        return float(BOUNDS[min(bin_, len(BOUNDS) - 1)])
    part = (share - upto[bin_ - 1]) / (upto[bin_] - upto[bin_ - 1])
    return float(BOUNDS[bin_ - 1] * (BOUNDS[bin_] / BOUNDS[bin_ - 1]) ** part)


def edge_of(counts: Floats, s: int, *, clean: bool) -> float:
    """Distance within which 98 % of the samples lie.

    Parameters
    ----------
    counts : float64 (65,)
        Histogram of distances.
    s : int
        Number of statistics; without a count, the edge is that of a Gaussian in S dimensions.
    clean : bool
        False if bad samples may be among them: many far ones are then taken for bad and not counted; a few are what
        people do that is out of the ordinary, and count.
    """
    if counts.sum() <= 0:
        return float(np.sqrt(2 * gammaincinv(s / 2, SHARE)))
    if clean:
        return quantile(counts, SHARE)
    limit = NEAR * quantile(counts, 0.5)
    far = np.append(0.0, BOUNDS) > limit
    if counts[far].sum() > FEW * counts.sum():
        counts = np.where(far, 0.0, counts)
    return min(quantile(counts, SHARE), limit)
