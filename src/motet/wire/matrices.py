"""Matrices of -s, 0 and s, one s each, at two bits a number and without loss: the lowest is -s, the step is s.

It is the layout of quantised numbers (`motet.wire.message`), so whoever reads those reads these.
"""

from __future__ import annotations

import torch
from torch import Tensor

BITS = 2


def fitting(values: Tensor) -> Tensor:
    """Return whose tensor is such a matrix, and shorter this way, bool (K,).

    Parameters
    ----------
    values : Tensor (K, ...)
    """
    if values.dim() < 3 or not values.is_floating_point() or values[0].numel() == 0:
        return torch.zeros(len(values), dtype=torch.bool)
    size = values.flatten(1).abs()
    scale = size.amax(1, keepdim=True)
    whole = ((size == 0) | (size == scale)).all(1)
    said = (scale.double() == scale.float().double()) & (scale.double() * 2 <= torch.finfo(torch.float32).max)
    return (whole & said[:, 0]).cpu() & (length(values[0].numel()) < values[0].nbytes)


def length(count: int) -> int:
    """Return the bytes of a matrix of so many numbers."""
    return 4 + 8 - (-count * BITS // 8)


def split(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Return the range, float32 (1, 2), and the codes 0, 1 and 2, (1, n), of numbers (n,)."""
    scale = flat.abs().amax()
    return torch.stack([-scale, scale]).float()[None], (flat.sign() + 1)[None]
