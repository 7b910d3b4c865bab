"""One client's round: receive, evaluate the arrivals, build prototypes, train, send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motet.config import Config
from motet.engine.state import Shared
from motet.engine.steps import Steps, plan
from motet.errors import MotetError
from motet.learn import prototypes as proto
from motet.learn.method import Method
from motet.learn.sample import Batch, PerModality
from motet.measure.accuracy import log_loss
from motet.nets.network import State
from motet.stream.assessment import Assessor
from motet.stream.view import View
from motet.wire.codec import parse
from motet.wire.message import encode


@dataclass
class Outcome:
    """What a client's round leaves: messages to the server, and figures for the record.

    Attributes
    ----------
    client : int
    messages : dict of kind to bytes
    samples : int
        Size of the buffer.
    trained : int
        Samples times epochs.
    loss : float
        Mean training loss over steps.
    hits, online_loss, arrivals : int, float, int
        Over the arrivals, before learning.
    view : View
    quality : dict of modality to float64 (n,)
    private : State
    """

    client: int
    messages: dict[str, bytes]
    samples: int
    trained: int
    loss: float
    hits: int
    online_loss: float
    arrivals: int
    view: View
    quality: dict[str, np.ndarray]
    private: State = field(default_factory=dict)


class Client:
    """Runs client rounds; holds nothing of any client.

    Parameters
    ----------
    config : Config
    method : Method
    assessor : Assessor
    """

    def __init__(self, config: Config, method: Method, assessor: Assessor) -> None:
        self.config, self.method, self.assessor = config, method, assessor
        self.bits = parse(config.recipe.upload)
        self.dtype = torch.float64 if config.run.dtype == "float64" else torch.float32
        self.device = torch.device(config.run.device)

    def plan(self, round: int, clients: Sequence[int], sizes: Sequence[int]) -> list[Steps]:  # noqa: A002
        """Return each client's steps of a round; `sizes` says how many samples they hold."""
        return plan(self.config.training, self.method.phases(), self.config.run.seed, round, clients, sizes)

    def run(
        self,
        round: int,  # noqa: A002
        client: int,
        view: View,
        shared: Shared,
        private: State,
        steps: Steps,
    ) -> Outcome:
        """Run one client's round; a failure names the client, the round and the stage."""
        stage = "assessing quality"
        try:
            quality, told = self.assessor.look(round, view, shared["quality"])
            batch = self.batch(view, quality)
            stage = "receiving"
            start = self.method.aggregate.receive(shared["model"], private)
            aux = {**self.method.aux(shared), "model": start}
            stage = "evaluating arrivals"
            encoded = self._look(round, start, batch, view.arrivals)
            hits, online_loss = self._predict(start, aux, encoded, batch, view)
            stage = "building prototypes"
            messages = self._prototypes(round, encoded, batch)
            if told:
                messages["quality"] = encode(told)
            stage = "training"
            params, received, loss, trained = self.train(round, start, aux, batch, steps)
            stage = "sending"
            delta = {name: params[name] - start[name] for name in received}
            update = self.method.aggregate.message(delta)
            if update:
                messages["model"] = encode(update, self.bits)
        except MotetError as error:
            raise MotetError(f"client {client}, round {round}, {stage}: {error}") from error
        except Exception as error:
            raise MotetError(f"client {client}, round {round}, {stage}: {type(error).__name__}: {error}") from error
        return Outcome(
            client=client,
            messages=messages,
            samples=len(view.y),
            trained=trained,
            loss=loss,
            hits=hits,
            online_loss=online_loss,
            arrivals=view.arrivals,
            view=view,
            quality=quality,
            private=self.method.aggregate.keep(params),
        )

    def batch(self, view: View, quality: Mapping[str, np.ndarray]) -> Batch:
        """Return a view as tensors."""

        def tensor(array: np.ndarray) -> Tensor:
            found = torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
            return found.to(self.dtype) if found.is_floating_point() else found

        return Batch(
            x={m: tensor(x) for m, x in view.x.items()},
            y=tensor(view.y),
            mask=torch.ones(len(view.y), dtype=torch.bool, device=self.device),
            present={m: tensor(present) for m, present in view.present.items()},
            quality={m: tensor(q) for m, q in quality.items()},
        )

    def _look(self, round: int, params: State, batch: Batch, arrivals: int) -> PerModality:  # noqa: A002
        """Encode the view with the model received; only the arrivals where no prototype is due."""
        first = 0 if self._prototypes_due(round) else len(batch.mask) - arrivals
        with torch.no_grad():
            return self.method.encode(params, {m: x[first:] for m, x in batch.x.items()})

    def _prototypes_due(self, round: int) -> bool:  # noqa: A002
        return self.method.uses_prototypes and (round - 1) % self.config.recipe.prototype_delay == 0

    def _predict(
        self, params: State, aux: dict[str, Any], encoded: PerModality, batch: Batch, view: View
    ) -> tuple[int, float]:
        """Return hits and summed loss over the arrivals."""
        if view.arrivals == 0:
            return 0, 0.0
        last = take_rows(batch, slice(len(batch.mask) - view.arrivals, None))
        with torch.no_grad():
            tail = {m: z[len(z) - view.arrivals :] for m, z in encoded.items()}
            logits = self.method.logits(params, aux, tail, last).double().cpu().numpy()
        y = view.y[-view.arrivals :]
        return int((logits.argmax(axis=1) == y).sum()), float(log_loss(logits, y).sum())

    def _prototypes(self, round: int, encoded: PerModality, batch: Batch) -> dict[str, bytes]:  # noqa: A002
        """Return the message of this client's prototypes; none where none is due, or there is no good sample."""
        if not self._prototypes_due(round):
            return {}
        with torch.no_grad():
            packed = proto.pack(proto.summarise(encoded, batch, self.method.classes))
        return {"prototypes": encode(packed, self.config.recipe.prototype_bits, by_row=True)} if packed else {}

    def train(
        self,
        round: int,  # noqa: A002
        start: State,
        aux: dict[str, Any],
        batch: Batch,
        steps: Steps,
    ) -> tuple[State, list[str], float, int]:
        """Train on a buffer.

        Returns
        -------
        params : State
        received : list of str
            The parameters of the parts that a gradient of some sample reached. A part is asked as a whole: an encoder
            that was given zeros has learnt from them, though the gradient of its first weights is zero.
        loss : float
            Mean over steps.
        trained : int
            Samples times epochs.
        """
        settings = self.config.training
        params = {name: value.detach().clone().requires_grad_() for name, value in start.items()}
        rate = max(settings.lr * settings.lr_decay ** (round - 1), settings.lr_min)
        optimiser = self._optimiser(list(params.values()), rate)
        touched = {part: torch.zeros((), dtype=torch.bool, device=self.device) for part in self.method.network.names}
        losses = []
        for step in steps:
            learning = self.method.trains(step.phase)
            seen = {name: value if name in learning else value.detach() for name, value in params.items()}
            rows = torch.from_numpy(step.rows).to(self.device)
            loss = self.method.loss(seen, aux, take_rows(batch, rows), step.phase)
            gradients = torch.autograd.grad(loss, [params[name] for name in learning], materialize_grads=True)
            for name, gradient in zip(learning, gradients, strict=True):
                params[name].grad = gradient
                touched[self.method.network.part_of[name]] |= gradient.any()
            optimiser.step()
            optimiser.zero_grad()
            losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        if not np.isfinite(mean):
            raise MotetError(f"the loss became {mean}: lower --lr (now {rate:g}), or look at the data")
        received = [name for part, names in self.method.network.names.items() if touched[part] for name in names]
        epochs = len(self.method.phases()) * settings.local_cycles * settings.local_epochs
        return {n: p.detach() for n, p in params.items()}, received, mean, epochs * len(batch.mask)

    def _optimiser(self, params: list[Tensor], rate: float) -> torch.optim.Optimizer:
        if self.config.training.optimizer == "adam":
            return torch.optim.Adam(params, lr=rate)
        return torch.optim.SGD(params, lr=rate, momentum=self.config.training.momentum)


def take_rows(batch: Batch, rows: slice | Tensor) -> Batch:
    """Return some rows of a batch."""

    def chosen(tensors: PerModality) -> PerModality:
        return {m: tensor[rows] for m, tensor in tensors.items()}

    y = None if batch.y is None else batch.y[rows]
    return Batch(chosen(batch.x), y, batch.mask[rows], chosen(batch.present), chosen(batch.quality))
