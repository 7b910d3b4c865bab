"""The weighted mean of updates, counted per key (FedAvg, arXiv 1602.05629)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from motet.learn.aggregate import Aggregate, stepped
from motet.nets.network import State


@dataclass
class Sums:
    """What the fold has seen so far: per key, the weighted sum of updates and the sum of weights."""

    total: State = field(default_factory=dict)
    weight: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Mean(Aggregate):
    """w + sum_k n_k delta_k / sum_k n_k, over the clients that hold the key; a key that nobody holds stays."""

    weighs: ClassVar[bool] = True

    def start(self, block_of: Mapping[str, str]) -> Sums:
        return Sums()

    def add(self, accumulator: Sums, deltas: State, held: Mapping[str, Tensor], weights: Tensor) -> Sums:
        for name, value in deltas.items():
            own = weights * held[name]
            if not bool(own.any()):
                continue
            joined = own.to(value.dtype) @ value.reshape(len(value), -1)  # in double only from call to call: it is fast
            share = joined.reshape(value.shape[1:]).to(torch.float64)
            before = accumulator.total.get(name)
            accumulator.total[name] = share if before is None else before + share
            accumulator.weight[name] = accumulator.weight.get(name, 0.0) + float(own.sum())
        return accumulator

    def finish(self, model: State, accumulator: Sums) -> State:
        return stepped(model, {name: total / accumulator.weight[name] for name, total in accumulator.total.items()})
