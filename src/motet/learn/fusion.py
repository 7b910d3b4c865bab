"""How much each modality's own scores count in late fusion, fitted on samples that were held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SMALLEST = 1e-3
"""A weight as it is used: a modality that is left alone must still be able to speak."""
NEAR = {"ftol": 1e-15, "gtol": 1e-9}
"""When to stop: about as near as the rounding of sums allows."""


def fit_weights(own: Floats, y: Integers) -> Floats:
    """Return the weights w >= 0 at which sum_i CE(sum_m w_m z_i^m, y_i) + |w - 1|^2 / 2 is least.

    The second term, a Gaussian prior around equal weights, is our own: it is nothing beside many samples, and keeps
    weights finite where a few are all predicted rightly. The problem is convex and has M unknowns; L-BFGS-B starts from
    equal weights. A modality that is nowhere there keeps the weight 1.

    Parameters
    ----------
    own : float64 (n, M, C)
        Each modality's logits z^m, zero where it has no part in the prediction.
    y : int64 (n,)

    Returns
    -------
    float64 (M,)
    """
    n, modalities = own.shape[:2]
    true = own[np.arange(n), :, y]

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits, off = np.einsum("m,nmc->nc", weights, own), weights - 1
        expected = np.einsum("nc,nmc->nm", softmax(logits, axis=1), own)
        error = (logsumexp(logits, axis=1) - true @ weights).sum() + off @ off / 2
        return float(error) / n, ((expected - true).sum(axis=0) + off) / n

    bounds = [(0, None)] * modalities
    found = minimize(loss, np.ones(modalities), jac=True, method="L-BFGS-B", bounds=bounds, options=NEAR)
    return np.asarray(found.x)
