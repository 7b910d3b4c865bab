"""Updates by hand, folded by an aggregate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from motet.learn.aggregate import Aggregate
from motet.nets.network import State

Update = tuple[State, float]
"""What a client holds, and its weight."""


def doubles(values: object) -> Tensor:
    """Return numbers in float64."""
    return torch.tensor(values, dtype=torch.float64)


def folded(
    aggregate: Aggregate,
    model: State,
    updates: Sequence[Update],
    block_of: Mapping[str, str] | None = None,
    sizes: Sequence[int] = (),
) -> State:
    """Join clients' updates.

    Parameters
    ----------
    aggregate : Aggregate
    model : State
    updates : sequence of Update
        In client order.
    block_of : mapping of name to block, optional
        By default each key is a block by itself.
    sizes : sequence of int
        How many clients each call adds; the rest come one by one, with their own keys alone. In the rows of clients
        that do not hold a key stands nonsense.
    """
    accumulator = aggregate.start(block_of or {name: name for name in model})
    low = 0
    for size in [*sizes, *[1] * len(updates)]:
        own = updates[low : low + size]
        names = [name for name in model if any(name in delta for delta, _ in own)]
        deltas = {n: torch.stack([delta.get(n, torch.full_like(model[n], 1e6)) for delta, _ in own]) for n in names}
        held = {n: torch.tensor([n in delta for delta, _ in own]) for n in names}
        if own:
            accumulator = aggregate.add(accumulator, deltas, held, doubles([weight for _, weight in own]))
        low += size
    return aggregate.finish(model, accumulator)


def drawn(clients: int, share: float, sent: float, seed: int, kinds: int = 2) -> tuple[State, list[Update]]:
    """Return a model of three keys and random updates.

    Parameters
    ----------
    clients : int
    share : float
        How likely a client holds a key.
    sent : float
        How likely a number of a key that it holds is not zero.
    seed : int
    kinds : int
        The updates are of so many directions, with noise.
    """
    rng = torch.Generator().manual_seed(seed)

    def normal(shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=rng, dtype=torch.float64)

    shapes: dict[str, tuple[int, ...]] = {"encoder.a": (4, 15), "head.a": (40,), "b": ()}
    model = {name: normal(shape) for name, shape in shapes.items()}
    directions = [{name: normal(shape) for name, shape in shapes.items()} for _ in range(kinds)]
    updates = []
    for k in range(clients):
        delta = {}
        for name, shape in shapes.items():
            value = directions[k % kinds][name] + 0.5 * normal(shape)
            value = value * (torch.rand(shape, generator=rng) < sent)
            if float(torch.rand((), generator=rng)) < share:
                delta[name] = value
        updates.append((delta, float(torch.randint(1, 90, (), generator=rng))))
    return model, updates
