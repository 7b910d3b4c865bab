"""Whether the server's prototypes still mean something: the same across modalities, and other things across classes.

A prototype can stand in for an absent feature only as long as both hold. The shapes: C classes, d features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from torch import Tensor

DIGITS = 6
FEWEST_CLASSES = 3
"""With two classes there is one distance, and nothing to rank."""

Floats = NDArray[np.float64]
Known = NDArray[np.bool_]


def agreement(prototypes: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Compare what lies near what in each pair of modalities.

    Spearman's rank correlation between the upper triangles of the two matrices of distances between class prototypes,
    as in representational similarity analysis (Kriegeskorte et al. 2008, doi 10.3389/neuro.06.004.2008).

    Parameters
    ----------
    prototypes : mapping
        The server's state: ``mean/<m>`` (C, d) and ``updates/<m>`` (C,); see `motet.learn.prototypes.initial`.

    Returns
    -------
    dict of "a~b" to float or None
        In [-1, 1]; None with fewer than three classes known in both, or where all distances of one are equal.
    """
    means, known = _means(prototypes), _known(prototypes)
    return {f"{a}~{b}": _rank_correlation(means[a], means[b], known[a] & known[b]) for a, b in combinations(means, 2)}


def separation(prototypes: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Tell how far apart each modality's classes lie, for how much they spread.

    The silhouette (Rousseeuw 1987, doi 10.1016/0377-0427(87)90125-7), simplified to centroids: a^2 = d V is the mean
    squared distance of a sample to its own prototype, b_c^2 = min over c' of |P_c - P_c'|^2 + d V that to the nearest
    other one, s_c = (b_c - a) / max(a, b_c), averaged over the known classes. To read it off prototypes and their one
    variance, which all classes share, is our choice: no samples reach the server.

    Parameters
    ----------
    prototypes : mapping
        As for `agreement`, with ``variance/<m>`` (): V.

    Returns
    -------
    dict of modality to float or None
        From 0, all prototypes in one place, to 1, no spread; None with fewer than two known classes.
    """
    means, known = _means(prototypes), _known(prototypes)
    return {m: _silhouette(mean[known[m]], float(prototypes[f"variance/{m}"])) for m, mean in means.items()}


def rounding(exact: Mapping[str, Tensor], sent: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Tell how far each modality's prototypes are off as devices receive them, in few bits.

    The norm of what is rounded off, over that of the prototypes less their mean over classes: it is what tells classes
    apart that may not be lost.

    Parameters
    ----------
    exact, sent : mapping
        The server's state, as for `agreement`, and what it decodes to on a device.

    Returns
    -------
    dict of modality to float or None
        0 for 32 bits; None with fewer than two known classes, or where all prototypes are equal.
    """
    means, received, known = _means(exact), _means(sent), _known(exact)
    return {m: _share_off(mean[known[m]], received[m][known[m]]) for m, mean in means.items()}


def _share_off(mean: Floats, received: Floats) -> float | None:
    spread = float(np.linalg.norm(mean - mean.mean(axis=0))) if len(mean) > 1 else 0.0
    return round(float(np.linalg.norm(received - mean)) / spread, DIGITS) if spread else None


def _means(prototypes: Mapping[str, Tensor]) -> dict[str, Floats]:
    names = [name for name in prototypes if name.startswith("mean/")]
    return {name.removeprefix("mean/"): prototypes[name].numpy().astype(np.float64) for name in names}


def _known(prototypes: Mapping[str, Tensor]) -> dict[str, Known]:
    """Return which classes have a prototype; one that has overflowed is none."""
    return {
        m: (prototypes[f"updates/{m}"].numpy() > 0) & np.isfinite(mean).all(axis=1)
        for m, mean in _means(prototypes).items()
    }


def _rank_correlation(one: Floats, other: Floats, known: Known) -> float | None:
    if known.sum() < FEWEST_CLASSES:
        return None
    distances = pdist(one[known]), pdist(other[known])
    if any(np.ptp(column) == 0 for column in distances):  # a correlation with what is constant is not defined
        return None
    return round(float(stats.spearmanr(*distances).statistic), DIGITS)


def _silhouette(mean: Floats, variance: float) -> float | None:
    classes, features = mean.shape
    if classes < 2 or not math.isfinite(variance):
        return None
    nearest = (squareform(pdist(mean, "sqeuclidean")) + np.diag(np.full(classes, np.inf))).min(axis=1)
    a, b = math.sqrt(features * variance), np.sqrt(nearest + features * variance)
    each = 1 - np.divide(a, b, out=np.ones(classes), where=b > 0)  # b >= a, and b = 0 is all in one place
    return round(float(each.mean()), DIGITS)
