"""Gradient descent on samples: from a guess to what would explain a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from motet.learn.sample import PerModality

RATE = 0.1
"""Of Adam at the first step, in deviations of the data; it falls to zero along a cosine."""
ROUGH, FAR = 1e-3, 3e-2
"""What a guess pays for being rough, and for being far from where it began."""
_INNER = 3
"""Dimensions before those in which a sample has neighbours: problem, sample, channel."""


def descend(start: PerModality, loss: Callable[[PerModality], Tensor], steps: Iterable[int], count: int) -> PerModality:
    """Return samples after some steps of Adam down a loss and a small prior, from where held data leave off.

    The prior is that of an eavesdropper who knows such data: total variation, as in Geiping et al. 2020 (arXiv
    2003.14053), and the squared distance to the start. Adam steps by the sign and the history of each number alone, so
    the samples of many problems may go side by side.

    Parameters
    ----------
    start : dict of modality to Tensor (P, n, ...)
        n samples in each of P problems.
    loss : callable
        From samples to the loss of each problem, (P,).
    steps : iterable of int
        One item a step.
    count : int
        How many steps there are.
    """
    x = {m: value.clone().requires_grad_() for m, value in start.items()}
    optimiser = torch.optim.Adam(x.values(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, count)
    for _ in steps:
        total = loss(x).sum() + _prior(x, start)
        gradients = torch.autograd.grad(total, list(x.values()), materialize_grads=True)
        for value, gradient in zip(x.values(), gradients, strict=True):
            value.grad = gradient
        optimiser.step()
        schedule.step()
    return {m: value.detach() for m, value in x.items()}


def _prior(x: PerModality, start: PerModality) -> Tensor:
    """Return what all guesses pay for being unlikely, ()."""
    costs = [ROUGH * _roughness(value) + FAR * (value - start[m]).square().mean() for m, value in x.items()]
    return torch.stack([cost * len(value) for cost, value in zip(costs, x.values(), strict=True)]).sum()


def _roughness(x: Tensor) -> Tensor:
    """Return the mean step between neighbours in time, or in a picture, (); 0 for what has no neighbours."""
    along = [axis for axis in range(_INNER, x.dim()) if x.shape[axis] > 1]
    return torch.stack([x.new_zeros(()), *(x.diff(dim=axis).abs().mean() for axis in along)]).sum()
