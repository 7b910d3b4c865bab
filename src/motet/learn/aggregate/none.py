"""Nothing is joined: every client keeps a model of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from motet.learn.aggregate import Aggregate
from motet.nets.network import State


@dataclass(frozen=True)
class NoAggregate(Aggregate):
    """Local training alone; the global model never changes."""

    personal: ClassVar[bool] = True

    def receive(self, model: State, private: State) -> State:
        return private or model

    def keep(self, params: State) -> State:
        return {name: value.detach().clone() for name, value in params.items()}

    def message(self, delta: State) -> State:
        return {}

    def models(self, model: State, privates: list[State]) -> list[State]:
        return [private or model for private in privates]

    def start(self, block_of: Mapping[str, str]) -> None:
        return None

    def add(self, accumulator: None, deltas: State, held: Mapping[str, Tensor], weights: Tensor) -> None:
        return None

    def finish(self, model: State, accumulator: None) -> State:
        return model
