"""Updates over a noisy channel: broken rather than hostile."""

from __future__ import annotations

import torch

from motet.learn.attack import Attack
from motet.nets.network import State


class Noise(Attack):
    """The update and Gaussian noise, whose deviation is that of all the update's numbers."""

    draws = True

    def update(self, delta: State, drawn: State, model: State) -> State:
        deviation = torch.cat([value.flatten() for value in delta.values()]).std(correction=0)
        return {name: value + deviation * drawn[name] for name, value in delta.items()}
