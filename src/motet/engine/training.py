"""One client's training in plain autograd: the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from motet.config import TrainingSettings
from motet.engine.begun import Begun
from motet.engine.rows import take_rows
from motet.engine.steps import Epoch
from motet.learn.method import Method
from motet.learn.objective import Phase
from motet.learn.sample import Batch
from motet.nets.network import State

Noise = Callable[[str, State], State]
"""From a minibatch's name and gradients to standard normal numbers for them, with a row for each client."""


class Trained(NamedTuple):
    """What training leaves.

    Attributes
    ----------
    params : State
        Ternary ones as the network sees them.
    moved : State
        How far the parameters that learnt have moved.
    steps : dict of parameter name to Tensor
        How many minibatches reached the part that a parameter belongs to.
    loss : float
        Mean over steps.
    """

    params: State
    moved: State
    steps: dict[str, Tensor]
    loss: float


class Training:
    """Trains one client for a round.

    A parameter has learnt if a gradient of some sample reached its part. A part is asked as a whole: an encoder
    that was given zeros has learnt from them, though the gradient of its first weights is zero.

    Parameters
    ----------
    method : Method
    settings : TrainingSettings
    rate : float
        Learning rate of the round.
    noise : Noise
    begun : Begun
    aux : dict
    """

    def __init__(
        self,
        method: Method,
        settings: TrainingSettings,
        rate: float,
        noise: Noise,
        begun: Begun,
        aux: dict[str, Any],
    ) -> None:
        self.method, self.settings, self.noise, self.begun, self.aux = method, settings, noise, begun, aux
        self.start = method.ternary.begin(begun.model)
        self.params = {name: value.detach().clone().requires_grad_() for name, value in self.start.items()}
        self.optimiser = self._optimiser(rate)
        self.steps: dict[str, Tensor] = {}
        self.losses: list[Tensor] = []

    def run(self, batch: Batch, epochs: Iterator[Epoch]) -> Trained:
        """Train on a buffer."""
        for number, (phase, orders) in enumerate(epochs):
            order = torch.from_numpy(orders[0]).to(batch.mask.device)
            for place, rows in enumerate(torch.split(order, self.settings.batch_size)):
                self._step(f"{number}/{place}", phase, take_rows(batch, rows))
        mean = float(torch.stack(self.losses).mean()) if self.losses else 0.0
        nothing = torch.zeros((), dtype=torch.int64)
        steps = {n: self.steps.get(part, nothing) for part, names in self.method.network.names.items() for n in names}
        params = {name: value.detach() for name, value in self.params.items()}
        params = self.method.ternary.settled(params, self.start, steps)
        moved = {name: params[name] - self.begun.model[name] for name, count in steps.items() if count > 0}
        return Trained(params, moved, steps, mean)

    def _step(self, name: str, phase: Phase, batch: Batch) -> None:
        learning = self.method.trains(phase)
        params = {name: value if name in learning else value.detach() for name, value in self.params.items()}
        seen = self.method.ternary.seen(params)
        encoded = self.method.encode(seen, batch.x, phase)
        loss, count = self.method.loss_of(seen, self.aux, encoded, batch, phase)
        if not bool(count):
            return
        found = torch.autograd.grad(loss, [self.params[name] for name in learning], materialize_grads=True)
        gradients = dict(zip(learning, found, strict=True))
        reached = self._note(gradients)
        if self.method.corrects:
            noise = {n: value[0] for n, value in self.noise(name, gradients).items()}
            gradients = self.method.correct(gradients, self.begun.own, self.begun.common, reached, noise)
        for parameter, gradient in gradients.items():
            self.params[parameter].grad = gradient
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.losses.append(loss.detach())

    def _note(self, gradients: State) -> Mapping[str, Tensor]:
        """Count the parts that gradients reached, and return for each parameter whether its part is one."""
        part_of, reached = self.method.network.part_of, dict[str, Tensor]()
        for name, gradient in gradients.items():
            reached[part_of[name]] = reached.get(part_of[name], False) | gradient.any()
        for part, flag in reached.items():
            self.steps[part] = self.steps.get(part, 0) + flag.to(torch.int64)
        return {name: reached[part_of[name]] for name in gradients}

    def _optimiser(self, rate: float) -> torch.optim.Optimizer:
        params = list(self.params.values())
        if self.settings.optimizer == "adam":
            return torch.optim.Adam(params, lr=rate)
        return torch.optim.SGD(params, lr=rate, momentum=self.settings.momentum)
