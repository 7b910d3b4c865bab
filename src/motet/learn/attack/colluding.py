"""Updates that are all the same, and lead nowhere."""

from __future__ import annotations

import torch
from torch import Tensor

from motet.learn.attack import Attack
from motet.nets.network import State


class Colluding(Attack):
    """All hostile devices send, in all rounds, the same direction, drawn once, as long as the model that they received.

    Of it each sends the parameters that it would have sent anyway.
    """

    colludes = True

    def update(self, delta: State, drawn: State, model: State) -> State:
        scale = _length(model) / _length(drawn)
        return {name: scale * drawn[name] for name in delta}


def _length(state: State) -> Tensor:
    found: Tensor = torch.cat([value.flatten() for value in state.values()]).norm()
    return found
