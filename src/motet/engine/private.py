"""What stays on devices between rounds, of all clients in one memory-mapped array.

It may be many times the model, so it lies in a file without a name, in the folder for temporary files (``TMPDIR``), and
the system keeps in memory what is in use. Every client has two rows: a round writes the one that is not current, so
that a round that fails, or is done again, finds everything as it was.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.nets.network import State

NOTHING = -1
Shapes = dict[str, tuple[int, ...]]


def section(state: Mapping[str, Tensor], owner: str) -> State:
    """Return what one owner keeps in a client's state: ``model``, ``drift`` or ``upload``."""
    start = f"{owner}/"
    return {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}


def owned(owner: str, state: Mapping[str, Tensor]) -> State:
    """Undo `section`."""
    return {f"{owner}/{name}": value for name, value in state.items()}


class Rows(NamedTuple):
    """The array: a current and a spare row for each client, and what stands where in a row."""

    array: Tensor
    shapes: Shapes

    @classmethod
    def like(cls, state: State, clients: int) -> Rows:
        """Make room for states like one, for so many clients."""
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        dtype = next(iter(state.values())).numpy().dtype
        size = (2, clients, sum(map(math.prod, shapes.values())))
        with tempfile.TemporaryFile(prefix="motet-") as file:
            length = max(1, math.prod(size)) * dtype.itemsize
            file.truncate(length)
            if hasattr(os, "posix_fallocate"):  # a full disk is said here, not when a page is first written
                os.posix_fallocate(file.fileno(), 0, length)
            array = np.memmap(file, dtype, "r+", shape=size)
        return cls(torch.from_numpy(array), shapes)

    def read(self, slot: int, client: int) -> State:
        """Return a row as a state, without a copy."""
        return {name: own[0] for name, own in self.part(self.array[slot, client][None]).items()}

    def part(self, rows: Tensor) -> State:
        """Part rows, (n, numbers), into what they hold, (n, *shape)."""
        pieces = torch.split(rows, [math.prod(shape) for shape in self.shapes.values()], dim=1)
        named = zip(self.shapes.items(), pieces, strict=True)
        return {name: own.reshape(len(rows), *shape) for (name, shape), own in named}

    def write(self, slot: int, client: int, state: State) -> None:
        """Write a state into a row."""
        torch.cat([state[name].detach().flatten() for name in self.shapes], out=self.array[slot, client])


class Private(Mapping[int, State]):
    """The states of those clients that have one, after a round; only to be read.

    Parameters
    ----------
    clients : int
        K.
    rows : Rows, optional
    slot : int8 (K,), optional
        Which of its rows is current for a client; -1 where there is nothing yet.
    """

    def __init__(self, clients: int, rows: Rows | None = None, slot: NDArray[np.int8] | None = None) -> None:
        self._rows = rows
        self._slot = np.full(clients, NOTHING, dtype=np.int8) if slot is None else slot

    def __getitem__(self, client: int) -> State:
        if self._rows is None or self._slot[client] == NOTHING:
            raise KeyError(client)
        return self._rows.read(int(self._slot[client]), client)

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self._slot != NOTHING).tolist())

    def __len__(self) -> int:
        return int((self._slot != NOTHING).sum())

    def put(self, client: int, state: State) -> None:
        """Write what a client keeps of the next round; it is seen in what `after` returns."""
        state = {name: value.cpu() for name, value in state.items()}
        if self._rows is None:
            self._rows = Rows.like(state, len(self._slot))
        self._rows.write(self._spare(client), client, state)

    def after(self, clients: Iterable[int]) -> Private:
        """Return the states after a round in which some clients `put` theirs."""
        slot = self._slot.copy()
        for client in clients:
            slot[client] = self._spare(client)
        return Private(len(slot), self._rows, slot)

    def _spare(self, client: int) -> int:
        return 1 - max(int(self._slot[client]), 0)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return all of it: ``clients`` (n,), and their states under their names, (n, *shape)."""
        clients = list(self)
        if self._rows is None or not clients:
            return {}
        rows = self._rows.array[self._slot[clients].tolist(), clients]
        return {"clients": torch.tensor(clients), **self._rows.part(rows)}

    def filled(self, tensors: Mapping[str, Tensor]) -> Private:
        """Undo `to_tensors`, for as many clients as there are here."""
        own = dict(tensors)
        clients = own.pop("clients", torch.zeros(0, dtype=torch.int64)).tolist()
        found = Private(len(self._slot))
        for place, client in enumerate(clients):
            found.put(client, {name: value[place] for name, value in own.items()})
        return found.after(clients)
