"""The largest changes of each block, which are all that is sent; the rest may be kept for the next round.

A block is what belongs to one modality, or a part that belongs to none (`Network.blocks`). Sources: FedMChain (arXiv
2606.01856) for the selection by modality, Stich et al. 2018 (arXiv 1809.07599) for the memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.nets.network import State, as_wide

_UNSIGNED = {4: np.uint32, 8: np.uint64}
_HIGH = {4: 13, 8: 16}
"""Bits that are counted first, one of them the sign: few enough for a short count, enough to leave little to sort."""


def largest(rows: Tensor, count: int) -> Tensor:
    """Mark the numbers of each row that are largest in absolute value.

    All above the threshold count, and of those equal to it the first ones: `torch.topk` breaks ties anyhow, and a
    stable sort costs two thirds of a training step.

    Parameters
    ----------
    rows : Tensor (R, n)
    count : int
        How many; all of a shorter row.

    Returns
    -------
    bool (R, n)
        Never a zero.
    """
    size, count = rows.abs(), min(rows.shape[1], count)
    threshold = torch.tensor([_nth_largest(row, count) for row in size.cpu().numpy()], dtype=size.dtype)[:, None]
    threshold = threshold.to(size.device)
    found = size >= threshold
    for row in torch.nonzero(found.count_nonzero(1) > count)[:, 0].tolist():  # more are equal to it than there is room
        above, equal = size[row] > threshold[row], size[row] == threshold[row]
        found[row] = above | (equal & (equal.cumsum(0) <= count - above.sum()))
    return found & (size > 0)


def _nth_largest(sizes: NDArray[np.floating[Any]], count: int) -> float:
    """Return the count-th largest of some numbers that are not negative.

    Such numbers are in the order of their bits. So the highest bits of each are counted first, and only the numbers
    that share those of the one looked for are put in order: several times as fast as looking through all of them.
    """
    width = sizes.dtype.itemsize
    keys = sizes.view(_UNSIGNED[width]) >> (8 * width - _HIGH[width])
    at_least = np.cumsum(np.bincount(keys.astype(np.int64), minlength=1)[::-1])
    place = int(np.searchsorted(at_least, count))
    same = sizes[keys == len(at_least) - 1 - place]
    rank = count - (int(at_least[place - 1]) if place else 0)
    return float(np.partition(same, len(same) - rank)[len(same) - rank])


def sparsify(
    delta: State,
    held: Mapping[str, Tensor],
    blocks: Mapping[str, Mapping[str, int]],
    share: float,
    memory: State | None,
) -> tuple[State, State]:
    """Keep the largest changes of each block.

    Parameters
    ----------
    delta : dict of name to Tensor (K, ...)
        Changes of K clients.
    held : mapping of name to bool (K,)
        Whose delta has the name; it is zero in the others.
    blocks : mapping of block to mapping of name to int
        How many numbers each name of a block has, learnt or not.
    share : float
        Of a block's numbers, rounded up.
    memory : dict of name to Tensor (K, ...), optional
        What was left over so far, of all names. It is added to a change that is held; that of the others waits.

    Returns
    -------
    sent : dict of name to Tensor (K, ...)
        `delta` with zeros in place of what is not sent.
    left : dict of name to Tensor (K, ...)
        The next memory; empty without one.
    """
    sent, left = {}, dict(memory or {})
    for sizes in blocks.values():
        names = [name for name in sizes if name in delta]
        if not names:
            continue
        full = {name: _of_holders(delta[name] + left[name] if memory else delta[name], held[name]) for name in names}
        flat = torch.cat([value.flatten(1) for value in full.values()], dim=1)
        kept = torch.where(largest(flat, math.ceil(share * sum(sizes.values()))), flat, 0)
        for name, own in zip(names, torch.split(kept, [sizes[name] for name in names], dim=1), strict=True):
            sent[name] = own.reshape(delta[name].shape)
            if memory is not None:
                rest = full[name] - sent[name]
                left[name] = (
                    rest if bool(held[name].all()) else torch.where(as_wide(held[name], rest), rest, left[name])
                )
    return {name: sent[name] for name in delta}, left


def _of_holders(values: Tensor, held: Tensor) -> Tensor:
    """Return the rows of those who have them, and zeros for the others."""
    return values if bool(held.all()) else torch.where(as_wide(held, values), values, 0)
