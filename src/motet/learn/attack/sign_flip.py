"""Updates that go the other way, and farther."""

from __future__ import annotations

from motet.learn.attack import Attack
from motet.nets.network import State

FACTOR = -3.0


class SignFlip(Attack):
    """The update times -3."""

    def update(self, delta: State, drawn: State, model: State) -> State:
        return {name: FACTOR * value for name, value in delta.items()}
