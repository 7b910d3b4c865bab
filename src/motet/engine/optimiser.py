"""SGD and Adam for many clients at once, to the formulas of `torch.optim`; a client with an empty minibatch rests."""

from __future__ import annotations

import torch
from torch import Tensor

from motet.config import TrainingSettings
from motet.nets.network import State, as_wide

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Optimiser:
    """A step for each of K clients; made afresh for every round, as devices do.

    Parameters
    ----------
    settings : TrainingSettings
    rate : float
    """

    def __init__(self, settings: TrainingSettings, rate: float) -> None:
        self.settings, self.rate = settings, rate
        self.first: State = {}
        self.second: State = {}
        self.steps: dict[str, Tensor] = {}

    def step(self, name: str, moved: Tensor | None, gradient: Tensor, active: Tensor) -> Tensor:
        """Return how far a parameter has moved in the round after a step.

        That, and not the parameter, is carried on: it is what devices send, and most parameters are large.

        Parameters
        ----------
        name : str
        moved : Tensor (K, ...), optional
            Before the step; none before the first one.
        gradient : Tensor (K, ...)
        active : bool (K,)
            Who has a minibatch; for the others nothing changes, neither the parameter nor any moment.
        """
        everyone = bool(active.all())
        rows = as_wide(active, gradient)
        if self.settings.optimizer == "adam":
            change = self._adam(name, gradient, rows, everyone)
        else:
            change = self._sgd(name, gradient, rows)
        if not everyone:
            change = torch.where(rows, change, 0)
        return change * -self.rate if moved is None else torch.add(moved, change, alpha=-self.rate)

    def _sgd(self, name: str, gradient: Tensor, rows: Tensor) -> Tensor:
        """v <- mu v + g, from v = g at the client's first step."""
        if self.settings.momentum == 0:
            return gradient
        before = self.first.get(name)
        velocity = gradient if before is None else self.settings.momentum * before + gradient
        kept = torch.zeros_like(velocity) if before is None else before
        self.first[name] = torch.where(rows, velocity, kept)
        return velocity

    def _adam(self, name: str, gradient: Tensor, rows: Tensor, everyone: bool) -> Tensor:
        """m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + e), each client with its own t."""
        if name not in self.first:
            self.first[name], self.second[name] = torch.zeros_like(gradient), torch.zeros_like(gradient)
            self.steps[name] = torch.zeros_like(rows, dtype=torch.float64)
        mean, square = self.first[name], self.second[name]
        new_mean = torch.lerp(mean, gradient, 1 - BETA_1)
        new_square = BETA_2 * square + (1 - BETA_2) * gradient.square()
        self.first[name] = new_mean if everyone else torch.where(rows, new_mean, mean)
        self.second[name] = new_square if everyone else torch.where(rows, new_square, square)
        self.steps[name] = self.steps[name] + rows
        count = self.steps[name].clamp(min=1)  # who has not begun does not move
        root = torch.sqrt(1 - BETA_2**count).to(gradient.dtype)
        rate = (1 / (1 - BETA_1**count)).to(gradient.dtype)
        return rate * self.first[name] / (self.second[name].sqrt() / root + EPSILON)
