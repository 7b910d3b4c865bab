"""Minibatches of many clients at once: parameters with a row for each, one backward pass for all."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from motet.config import TrainingSettings
from motet.engine.begun import Begun
from motet.engine.optimiser import Optimiser
from motet.engine.rows import Rectangle, minibatches
from motet.engine.steps import Epoch
from motet.engine.training import Noise
from motet.errors import MotetError
from motet.learn.method import Method
from motet.learn.objective import Phase
from motet.learn.sample import Batch, PerModality
from motet.nets.layers import take_many
from motet.nets.network import State


class Forward(NamedTuple):
    """A minibatch of every client on its way to a loss.

    Attributes
    ----------
    learning : State
        Parameters that learn, (K, ...).
    seen : State
        What the network sees of all parameters, (K, ...).
    batch : Batch
    encoded : dict of modality to Tensor (B, K, d)
    """

    learning: State
    seen: State
    batch: Batch
    encoded: PerModality

    def recalling(self, places: Rectangle, batch: Batch) -> Forward:
        """Return it with what has been noted of the samples since."""
        received, previous = ({m: z[places.rows] for m, z in own.items()} for own in (batch.received, batch.previous))
        return self._replace(batch=self.batch._replace(received=received, previous=previous))


class Trained(NamedTuple):
    """What training leaves.

    Attributes
    ----------
    moved : State
        How far parameters moved, (K, ...).
    ternary : State
        Those of them that are ternary, as the network sees them, (K, ...).
    steps : dict of part to int64 (K,)
        How often each learnt.
    loss : Tensor (K,)
        Mean over steps.
    """

    moved: State
    ternary: State
    steps: dict[str, Tensor]
    loss: Tensor


class Many:
    """Encodes and trains many clients; holds nothing of any.

    Parameters
    ----------
    method : Method
    settings : TrainingSettings
    abandoned : threading.Event
        Set when nobody waits for the clients at work any more; they end after their minibatch.
    """

    def __init__(self, method: Method, settings: TrainingSettings, abandoned: threading.Event) -> None:
        self.method, self.settings, self.abandoned = method, settings, abandoned
        self._many = {m: take_many(method.network.parts[f"encoder.{m}"]) for m in method.modalities}

    def train(
        self,
        rate: float,
        noise: Noise,
        begun: Begun,
        aux: dict[str, Any],
        survey: State,
        batch: Batch,
        sizes: np.ndarray,
        epochs: Iterator[Epoch],
        first: Forward | None,
    ) -> Trained:
        """Train every client for a round.

        Parameters
        ----------
        rate : float
            Learning rate.
        noise : Noise
        begun : Begun
        aux : dict
            What is the same for all clients.
        survey : State
            What each found in its samples, (K, ...).
        batch : Batch
            The samples, one client's after another's.
        sizes : int64 (K,)
            How many are whose.
        epochs : iterator of Epoch
        first : Forward, optional
            The way of the first minibatch, where it has been gone already.
        """
        clients, device, start = len(sizes), batch.mask.device, self.method.ternary.begin(begun.model)
        optimiser = Optimiser(self.settings, rate)
        moved: State = {}
        steps = {part: torch.zeros(clients, dtype=torch.int64, device=device) for part in self.method.network.names}
        loss = torch.zeros(clients, device=device, dtype=next(iter(start.values())).dtype)
        taken = torch.zeros(clients, device=device)
        for number, (phase, orders) in enumerate(epochs):
            parts = minibatches(orders, np.cumsum(sizes) - sizes, self.settings.batch_size, device)
            for place, minibatch in enumerate(parts):
                if self.abandoned.is_set():
                    raise MotetError("nobody waits for it any more")
                way = first or self.forward(after(start, moved), phase, minibatch.of(batch))
                first = None
                gradients, losses, active = self._gradient(way, phase, begun.model, aux, survey)
                reached = self._reached(gradients, active)
                if self.method.corrects:
                    gradients = self._correct(gradients, begun, reached, noise(f"{number}/{place}", gradients))
                for name, gradient in gradients.items():
                    moved[name] = optimiser.step(name, moved.get(name), gradient, active)
                for part, flags in reached.items():
                    steps[part] += flags
                loss, taken = loss + torch.where(active, losses, 0), taken + active
        moved, ternary = self._settled(start, moved, steps)
        return Trained(moved, ternary, steps, loss / taken.clamp(min=1))

    def _settled(self, start: State, moved: State, steps: Mapping[str, Tensor]) -> tuple[State, State]:
        """Return how far parameters have moved, ternary ones to what the network sees of them, and these."""
        matrices = {n: scale for n, scale in self.method.ternary.scales.items() if n in moved}
        params = {name: start[name] + moved[name] for pair in matrices.items() for name in pair}
        counts = {name: steps[self.method.network.part_of[name]] for name in matrices}
        ternary = self.method.ternary.settled(params, start, counts)
        rest = {name: value for name, value in moved.items() if name not in params}
        return rest | {name: value - start[name] for name, value in ternary.items()}, ternary

    def forward(self, params: State, phase: Phase, batch: Batch) -> Forward:
        """Encode a minibatch of every client, (B, K, ...), so that gradients find their way to what learns."""
        every = self.rows(params, batch.mask.shape[1])
        learning = {name: every[name].detach().requires_grad_() for name in self.method.trains(phase)}
        seen = self.method.ternary.seen(every | learning)
        return Forward(learning, seen, batch, self.encode(seen, batch.x, phase))

    def _gradient(
        self, forward: Forward, phase: Phase, start: State, aux: dict[str, Any], survey: State
    ) -> tuple[State, Tensor, Tensor]:
        """Return each client's gradient and loss on its minibatch, and whether any sample of it counts.

        A client's loss depends on its own row of the parameters alone, so the gradient of the sum over clients holds
        every client's gradient.
        """

        def loss(own: State, start: State, survey: State, encoded: PerModality, batch: Batch) -> tuple[Tensor, Tensor]:
            return self.method.loss_of(own, {**aux, "model": start, "survey": survey}, encoded, batch, phase)

        received = self.rows(start, forward.batch.mask.shape[1])
        every = vmap(loss, in_dims=(0, 0, 0, 1, 1))
        losses, counts = every(forward.seen, received, survey, forward.encoded, forward.batch)
        gradients = torch.autograd.grad(losses.sum(), list(forward.learning.values()), materialize_grads=True)
        return dict(zip(forward.learning, gradients, strict=True)), losses.detach(), counts > 0

    def _correct(self, gradients: State, begun: Begun, reached: dict[str, Tensor], noise: State) -> State:
        """Return the gradients to step by."""
        by_name = {name: reached[self.method.network.part_of[name]] for name in gradients}
        own = self.rows(begun.own, len(next(iter(by_name.values()))))
        correct = vmap(self.method.correct, in_dims=(0, 0, None, 0, 0))
        return correct(gradients, own, begun.common, by_name, noise)

    def rows(self, params: State, clients: int) -> State:
        """Return parameters with a row for each client; one that is the same for all is not copied."""
        return {
            name: value if value.dim() > self.method.network.dimensions[name] else value.expand(clients, *value.shape)
            for name, value in params.items()
        }

    def encode(self, params: State, x: PerModality, phase: Phase | None = None) -> PerModality:
        """Encode what a phase sees, or all, (B, K, ...) to (B, K, d), with a row of parameters for each client."""
        found: PerModality = {}
        for m in self.method.modalities if phase is None else self.method.sees(phase):
            part = f"encoder.{m}"
            if self._many[m]:
                flat = self.method.network(params, part, x[m].flatten(0, 1))
                found[m] = flat.reshape(*x[m].shape[:2], -1)
            else:
                own = {name: params[name] for name in self.method.network.names[part]}
                found[m] = vmap(self.method.network, in_dims=(0, None, 1), out_dims=1)(own, part, x[m])
        return self.method.padded(found)

    def _reached(self, gradients: State, active: Tensor) -> dict[str, Tensor]:
        """Return whom a gradient reached, bool (K,), by part; small tensors are asked first and mostly settle it."""
        reached = {}
        for part, names in self.method.network.names.items():
            learning = sorted((n for n in names if n in gradients), key=lambda n: gradients[n][0].numel())
            if learning:
                found = torch.zeros_like(active)
                for name in learning:
                    if bool(found.all()):
                        break
                    found = found | gradients[name].flatten(1).any(1)
                reached[part] = found & active
        return reached


def after(start: State, moved: State) -> State:
    """Return parameters that have moved, (K, ...), and those that have not as they were."""
    return {name: value + moved[name] if name in moved else value for name, value in start.items()}
