"""All updates of a round, kept as they came: for aggregates that no running sum can serve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from motet.learn.aggregate import Aggregate, stepped
from motet.nets.network import State

PIECE = 2**22
"""Numbers of all clients in a piece, at most, unless it is of one coordinate: 32 MiB in float64."""

COLUMN_BYTES = 4


class Rows(NamedTuple):
    """What some clients sent of one key.

    Attributes
    ----------
    clients : int64 (n,)
        Their places in the round, ascending.
    values : Tensor (n, size), or (count,)
        All numbers; or those that are not zero, row by row.
    columns : int32 (count,), optional
        Where these stand in their rows.
    counts : int64 (n,), optional
        How many of them each row has.
    """

    clients: Tensor
    values: Tensor
    columns: Tensor | None = None
    counts: Tensor | None = None

    @classmethod
    def of(cls, clients: Tensor, values: Tensor) -> Rows:
        """Keep numbers (n, size) in whichever way takes less."""
        there = values != 0
        width = values.element_size()
        if int(there.sum()) * (width + COLUMN_BYTES) >= values.numel() * width:
            return cls(clients, values)
        return cls(clients, values[there], there.nonzero()[:, 1].to(torch.int32), there.sum(1))

    def between(self, low: int, high: int) -> Tensor:
        """Return some coordinates of every row, float64 (n, high - low)."""
        if self.columns is None or self.counts is None:
            return self.values[:, low:high].to(torch.float64)
        inside = (self.columns >= low) & (self.columns < high)
        row, column = torch.repeat_interleave(self.counts)[inside], self.columns[inside].long() - low
        found = torch.zeros(len(self.clients), high - low, dtype=torch.float64)
        return found.index_put((row, column), self.values[inside].to(torch.float64))


class Kept:
    """The updates of a round, in client order; clients of weight 0 are left out.

    Memory: what is sent. A number takes its 4 or 8 bytes; where so few of a call's numbers are not zero that it is less
    (in float32 under a half), only those are kept, with 4 bytes more each. So 1,000 clients with 50,000 numbers each in
    float32 take 200 MB, or 80 MB where they send a fifth. Whoever reads it needs some pieces (see `PIECE`) besides.

    Parameters
    ----------
    block_of : mapping of parameter name to block

    Attributes
    ----------
    weights : float64 (K,)
        Of all clients so far.
    """

    def __init__(self, block_of: Mapping[str, str]) -> None:
        self.block_of = block_of
        self.weights = torch.zeros(0, dtype=torch.float64)
        self._rows: dict[str, list[Rows]] = {}
        self._sizes: dict[str, int] = {}

    def add(self, deltas: State, held: Mapping[str, Tensor], weights: Tensor) -> None:
        """Keep the updates of some clients (see `Aggregate.add`)."""
        places = torch.arange(len(weights)) + len(self.weights)
        self.weights = torch.cat([self.weights, weights])
        for name, value in deltas.items():
            own = held[name] & (weights > 0)
            if bool(own.any()):
                flat = value.reshape(len(value), -1)
                self._rows.setdefault(name, []).append(Rows.of(places[own], flat if bool(own.all()) else flat[own]))
                self._sizes[name] = flat.shape[1]

    @property
    def names(self) -> list[str]:
        """The keys that anybody sent, in the network's order, whoever sent them first."""
        return [name for name in self.block_of if name in self._rows]

    @property
    def blocks(self) -> dict[str, list[str]]:
        """The keys that anybody sent, by block."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(self.block_of[name], []).append(name)
        return found

    def holders(self, names: Iterable[str]) -> Tensor:
        """Return who sent any of some keys: places in the round, ascending, int64 (n,)."""
        found: Tensor = torch.unique(torch.cat([rows.clients for name in names for rows in self._rows[name]]))
        return found

    def pieces(self, names: Iterable[str], clients: Tensor) -> Iterator[Tensor]:
        """Yield some keys of some clients, one after another, in pieces that may hold several keys or part of one.

        Parameters
        ----------
        names : iterable of str
        clients : int64 (n,)
            Ascending, with all holders of the keys among them.

        Yields
        ------
        float64 (n, c)
            Zero where a client has not sent the key.
        """
        width, waiting, parts = max(1, PIECE // len(clients)), 0, list[Tensor]()
        for name in names:
            place = torch.searchsorted(clients, self.holders([name]))
            for low in range(0, self._sizes[name], width):
                high = min(low + width, self._sizes[name])
                if waiting + high - low > width:
                    yield torch.cat(parts, dim=1)
                    waiting, parts = 0, []
                sent = torch.cat([rows.between(low, high) for rows in self._rows[name]])
                everyone = len(place) == len(clients)
                parts.append(sent if everyone else sent.new_zeros(len(clients), high - low).index_copy(0, place, sent))
                waiting += high - low
        yield torch.cat(parts, dim=1)

    def lengths(self, names: Sequence[str], clients: Tensor) -> Tensor:
        """Return the Euclidean norm of what each client sent of some keys, float64 (n,); for arguments see `pieces`."""
        squares = torch.zeros(len(clients), dtype=torch.float64)
        for piece in self.pieces(names, clients):
            squares += piece.square().sum(1)
        return squares.sqrt()

    def by_key(self, names: Sequence[str], joined: Tensor) -> State:
        """Take the coordinates of some keys, one after another, apart."""
        return dict(zip(names, torch.split(joined, [self._sizes[name] for name in names]), strict=True))

    def each_coordinate(self, join: Callable[[Tensor], Tensor]) -> State:
        """Join every key's coordinates by themselves, (n, c) to (c,) over the n clients that hold it."""
        return {
            name: torch.cat([join(piece) for piece in self.pieces([name], self.holders([name]))]) for name in self.names
        }


class OfAll(Aggregate):
    """An aggregate that needs all updates of a round at once."""

    def start(self, block_of: Mapping[str, str]) -> Kept:
        return Kept(block_of)

    def add(self, accumulator: Kept, deltas: State, held: Mapping[str, Tensor], weights: Tensor) -> Kept:
        accumulator.add(deltas, held, weights)
        return accumulator

    def finish(self, model: State, accumulator: Kept) -> State:
        return stepped(model, self.steps(accumulator) if accumulator.names else {})

    def steps(self, kept: Kept) -> State:
        """Return the step of each key that has one, float64 and flat; somebody has sent something."""
        raise NotImplementedError
