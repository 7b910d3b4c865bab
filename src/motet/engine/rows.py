"""Some rows of a batch; and rows of several clients, padded to a rectangle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from motet.learn.sample import Batch, PerModality
from motet.nets.network import State


def take_rows(batch: Batch, rows: slice | Tensor) -> Batch:
    """Return some rows of a batch."""

    def chosen(tensors: PerModality) -> PerModality:
        return {m: tensor[rows] for m, tensor in tensors.items()}

    return Batch(
        x=chosen(batch.x),
        y=None if batch.y is None else batch.y[rows],
        mask=batch.mask[rows],
        present=chosen(batch.present),
        quality=chosen(batch.quality),
        received=chosen(batch.received),
        previous=chosen(batch.previous),
    )


def stacked(states: Sequence[State]) -> State:
    """Stack what clients, or their minibatches, have under the same names, (K, ...)."""
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


class Rectangle(NamedTuple):
    """Which flat rows stand where, when each client's rows are padded to the same number; a column for each client.

    Attributes
    ----------
    rows : int64 (n, K)
    mask : bool (n, K)
        False where a place is padding; some row of the block stands there.
    """

    rows: Tensor
    mask: Tensor

    def of(self, batch: Batch) -> Batch:
        """Return rows of a flat batch as (n, K, ...)."""
        found = take_rows(batch, self.rows)
        return found._replace(mask=found.mask & self.mask)

    def flat(self, values: Tensor) -> Tensor:
        """Return what stands in the places that are no padding, one client after another."""
        return values.transpose(0, 1)[self.mask.T]


def consecutive(sizes: np.ndarray, device: torch.device) -> Rectangle:
    """Return the rows of each client, one after another."""
    return _rectangle([np.arange(end - n, end) for n, end in zip(sizes, np.cumsum(sizes), strict=True)], device)


def minibatches(orders: list[np.ndarray], first: np.ndarray, size: int, device: torch.device) -> Iterator[Rectangle]:
    """Yield the minibatches of an epoch; `first` is each client's first flat row."""
    for low in range(0, max(map(len, orders)), size):
        yield _rectangle([at + order[low : low + size] for at, order in zip(first, orders, strict=True)], device)


def _rectangle(rows: list[np.ndarray], device: torch.device) -> Rectangle:
    """Pad clients' rows to the longest."""
    sizes = np.array([len(own) for own in rows])
    mask = np.arange(sizes.max()) < sizes[:, None]
    padded = np.zeros(mask.shape, dtype=np.int64)
    padded[mask] = np.concatenate(rows)
    return Rectangle(*(torch.from_numpy(np.ascontiguousarray(part.T)).to(device) for part in (padded, mask)))
