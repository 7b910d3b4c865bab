"""How much of a sample a reconstruction recovers, beyond what other data of the same kind tell already.

Samples are standardised, so zero is what nothing is known of, and how near two are is the cosine: 1 is the same up to a
factor, which layers that normalise hide anyway, 0 has nothing in common. What looks like any sample of its class is no
leak, so recovery counts from what the eavesdropper's own data come to::

    recovery = max(0, near - held) / (1 - held)        0 no better than the held data, 1 exact

The form is that of a forecast's skill score (Murphy 1988, doi 10.1175/1520-0493(1988)116<2417:SSBOTM>2.0.CO;2); what to
hold it against is our choice, and so is the floor: whom reconstructions would mislead keeps to the held data.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

Floats = NDArray[np.float64]
SMALLEST_ROOM = 0.01
"""Between the held data and the samples; with less there is nothing left to recover."""


def nearness(guesses: Tensor, samples: Tensor) -> Floats:
    """Return the cosine of each guess (G, ...) with each sample (S, ...), float64 (G, S); 0 with what is zero."""
    one, other = (torch.nn.functional.normalize(x.flatten(1).double(), dim=1) for x in (guesses, samples))
    return np.asarray((one @ other.T).cpu().numpy())


def held_nearness(held: Tensor, samples: Tensor) -> float:
    """Return how near held data come to the closest of some samples, whichever is nearer of two guesses.

    The guesses that need no message: the mean of the held samples, and one of them at random.

    Parameters
    ----------
    held : Tensor (H, ...)
        Without any, 0.
    samples : Tensor (S, ...)
    """
    if len(held) == 0:
        return 0.0
    by_mean, at_random = (nearness(guess, samples).max(axis=1).mean() for guess in (held.mean(0, keepdim=True), held))
    return float(max(by_mean, at_random))


def recovery(near: float, held: float) -> float:
    """Return what a reconstruction adds to held data, as a share of what there was to add (see the module)."""
    return max(0.0, near - held) / (1 - held) if 1 - held > SMALLEST_ROOM else 0.0


def matched(near: Floats, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return which reconstruction is whose: the one-to-one choice of the largest summed nearness.

    Parameters
    ----------
    near : float64 (n, n)
        Of reconstruction (row) and sample.
    allowed : bool (n, n)
        Where the two may belong together; that includes the diagonal.

    Returns
    -------
    int64 (n,)
        The reconstruction of each sample.
    """
    samples, guesses = linear_sum_assignment(np.where(allowed, near, near.min() - len(near) * np.ptp(near) - 1).T, True)
    return np.asarray(guesses[np.argsort(samples)])
