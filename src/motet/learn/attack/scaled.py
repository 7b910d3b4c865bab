"""Updates that outweigh the others'."""

from __future__ import annotations

from motet.learn.attack import Attack
from motet.nets.network import State

FACTOR = 10.0


class Scaled(Attack):
    """The update times 10."""

    def update(self, delta: State, drawn: State, model: State) -> State:
        return {name: FACTOR * value for name, value in delta.items()}
