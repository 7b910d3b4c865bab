"""How well one number tells two groups apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def auroc(inside: ArrayLike, outside: ArrayLike) -> float:
    """Return the probability that a number of the first group is smaller than one of the second, ties half.

    The area under the receiver operating characteristic, from ranks (Mann and Whitney 1947, doi
    10.1214/aoms/1177730491): .5 tells nothing, 1 all.

    Parameters
    ----------
    inside, outside : array_like (n,), (k,)
        Neither may be empty.
    """
    inside, outside = np.asarray(inside, dtype=np.float64), np.asarray(outside, dtype=np.float64)
    ranks = stats.rankdata(np.concatenate([inside, outside]))[: len(inside)]
    larger = ranks.sum() - len(inside) * (len(inside) + 1) / 2
    return float(1 - larger / (len(inside) * len(outside)))
