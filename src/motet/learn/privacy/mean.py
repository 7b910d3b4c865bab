"""The mean of updates in which no client shows."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from motet.learn.aggregate import Aggregate, stepped
from motet.learn.privacy import clipped
from motet.nets.network import State, as_wide


class PrivateMean(Aggregate):
    """w + (sum_k clip(delta_k) + noise) / n: clients weigh the same, and n is known before the round.

    Parameters
    ----------
    expected : mapping of parameter name to float
        n, how many clients with the parameter's modality are expected in a round; who is there makes no difference.
    bound : float, optional
        Of the norm of an update; without one they have been clipped where they were made.
    noise : dict of name to Tensor
        Of the sum; empty where it is in the updates.
    """

    def __init__(self, expected: Mapping[str, float], bound: float | None, noise: State) -> None:
        self.expected, self.bound, self.noise = expected, bound, noise

    def start(self, block_of: Mapping[str, str]) -> State:
        return dict(self.noise)

    def add(self, accumulator: State, deltas: State, held: Mapping[str, Tensor], weights: Tensor) -> State:
        rows = {n: torch.where(as_wide(held[n], v), v, 0) for n, v in deltas.items()}
        rows = rows if self.bound is None else clipped(rows, self.bound)
        return accumulator | {name: accumulator.get(name, 0) + value.double().sum(0) for name, value in rows.items()}

    def finish(self, model: State, accumulator: State) -> State:
        return stepped(model, {name: total / self.expected[name] for name, total in accumulator.items()})
