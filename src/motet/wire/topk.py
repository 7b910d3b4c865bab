"""The largest changes of each block, which are all that is sent; the rest may be kept for the next round.

A block is what belongs to one modality, or a part that belongs to none (`Network.blocks`). Sources: FedMChain (arXiv
2606.01856) for the selection by modality, Stich et al. 2018 (arXiv 1809.07599) for the memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from motet.nets.network import State


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
    threshold = size.kthvalue(rows.shape[1] - count + 1, dim=1, keepdim=True).values
    above, equal = size > threshold, size == threshold
    room = count - above.sum(1, keepdim=True)
    return (above | (equal & (equal.cumsum(1) <= room))) & (size > 0)


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
        mine = {name: _rows(held[name], delta[name]) for name in names}
        full = {name: torch.where(mine[name], delta[name] + left.get(name, 0), 0) for name in names}
        flat = torch.cat([value.flatten(1) for value in full.values()], dim=1)
        kept = torch.where(largest(flat, math.ceil(share * sum(sizes.values()))), flat, 0)
        for name, own in zip(names, torch.split(kept, [sizes[name] for name in names], dim=1), strict=True):
            sent[name] = own.reshape(delta[name].shape)
            if memory is not None:
                left[name] = torch.where(mine[name], full[name] - sent[name], left[name])
    return {name: sent[name] for name in delta}, left


def _rows(flags: Tensor, like: Tensor) -> Tensor:
    return flags.reshape(-1, *[1] * (like.dim() - 1))
