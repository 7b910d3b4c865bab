"""Differential privacy of clients: what one of them can change is bounded, and noise hides which one it was.

Source: McMahan et al. 2018, "Learning Differentially Private Recurrent Language Models" (arXiv 1710.06963), with its
first estimator, whose denominators are fixed in advance. K clients; all rows of a content belong to one vector each.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motet.nets.network import State, as_wide


def clipped(content: State, bound: float) -> State:
    """Return clients' vectors, none longer than the bound: v min(1, S / |v|).

    Parameters
    ----------
    content : dict of name to Tensor (K, ...)
        A client's vector is all of its rows, one after another.
    bound : float
        S, of the Euclidean norm.

    Returns
    -------
    dict of name to Tensor (K, ...), float64
    """
    rows = {name: value.double() for name, value in content.items()}
    if not rows:
        return rows
    lengths: Tensor = torch.stack([value.reshape(len(value), -1).norm(dim=1) for value in rows.values()]).norm(dim=0)
    scale = torch.where(lengths > bound, bound / lengths, 1.0)  # a division alone may round what is short enough
    return {name: value * as_wide(scale, value) for name, value in rows.items()}
