"""One client's round: receive, evaluate the arrivals, build prototypes, train, send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motet.config import Config
from motet.engine.outcome import Outcome
from motet.engine.state import Shared
from motet.engine.steps import Epoch, plan
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
from motet.wire.told import encode_summaries
from motet.wire.told import received as received_told
from motet.wire.upload import received, received_prototypes


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

    @property
    def epochs(self) -> int:
        """How often a client goes over its samples in a round, in all cycles and phases."""
        return self.config.training.local_cycles * len(self.method.phases()) * self.config.training.local_epochs

    def plan(self, round: int, clients: Sequence[int], sizes: Sequence[int]) -> Iterator[Epoch]:  # noqa: A002
        """Yield the epochs of a round for some clients; `sizes` says how many samples they hold."""
        return plan(self.config.training, self.method.phases(), self.config.run.seed, round, clients, sizes)

    def run(
        self,
        round: int,  # noqa: A002
        client: int,
        view: View,
        shared: Shared,
        private: State,
    ) -> Outcome:
        """Run one client's round; a failure names the client, the round and the stage."""
        stage = "assessing quality"
        prototypes = model = None
        try:
            quality, summaries = self.assessor.look(round, view, shared["quality"])
            batch = self.batch(view, quality)
            stage = "receiving"
            shared = self.receive(shared)
            start = {n: v.to(self.device) for n, v in self.method.aggregate.receive(shared["model"], private).items()}
            aux = {**self.method.aux(shared), "model": start}
            stage = "evaluating arrivals"
            encoded = self.look(round, start, batch, view)
            hits, online_loss = self.predict(start, aux, encoded, batch, view)
            stage = "building prototypes"
            packed = self._prototypes(round, encoded, batch)
            if packed:
                message = encode(packed, self.config.recipe.prototype_bits, by_row=True)
                prototypes = received_prototypes(message, self.method.classes)
            stage = "training"
            epochs = self.plan(round, [client], [len(view.y)])
            params, learnt, loss = self.train(round, start, aux, batch, epochs)
            stage = "sending"
            told = received_told(encode_summaries(summaries), self.method.modalities)
            update = self.method.aggregate.message({name: params[name] - start[name] for name in learnt})
            if update:
                model = received(encode(update, self.bits))
        except MotetError as error:
            raise MotetError(f"client {client}, round {round}, {stage}: {error}") from error
        except Exception as error:
            raise MotetError(f"client {client}, round {round}, {stage}: {type(error).__name__}: {error}") from error
        kept = self.method.aggregate.keep(params)
        return Outcome(
            clients=[client],
            view=view,
            quality=quality,
            trained=self.epochs * len(view.y),
            loss=loss,
            hits=hits,
            online_loss=online_loss,
            told=told,
            model=model,
            prototypes=prototypes,
            private={client: kept} if kept else {},
        )

    def receive(self, shared: Shared) -> Shared:
        """Return what the server sent, on the device that computes."""
        return {kind: {name: value.to(self.device) for name, value in state.items()} for kind, state in shared.items()}

    def models(self, shared: State, private: Mapping[int, State], clients: int) -> list[State]:
        """Return the models to evaluate, on the device that computes: the global one, or the clients' own."""
        own = [{n: v.to(self.device) for n, v in private.get(k, {}).items()} for k in range(clients)]
        return self.method.aggregate.models(shared, own)

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

    def look(self, round: int, params: State, batch: Batch, view: View) -> PerModality:  # noqa: A002
        """Encode the view with the model received; only the arrivals where no prototype is due."""
        x = batch.x if self.prototypes_due(round) else take_rows(batch, self._arrived(view)).x
        with torch.no_grad():
            return self.method.encode(params, x)

    def prototypes_due(self, round: int) -> bool:  # noqa: A002
        """Return whether clients build prototypes in a round."""
        return self.method.uses_prototypes and (round - 1) % self.config.recipe.prototype_delay == 0

    def predict(
        self, params: State, aux: dict[str, Any], encoded: PerModality, batch: Batch, view: View
    ) -> tuple[int, float]:
        """Return hits and summed loss over the arrivals; `encoded` is what `look` returned."""
        rows = self._arrived(view)
        if len(rows) == 0:
            return 0, 0.0
        every = len(next(iter(encoded.values()))) == len(batch.mask)
        with torch.no_grad():
            tail = {m: z[rows] if every else z for m, z in encoded.items()}
            return self.score(self.method.logits(params, aux, tail, take_rows(batch, rows)), view)

    def score(self, logits: Tensor, view: View) -> tuple[int, float]:
        """Return hits and summed loss of what was predicted of the arrivals."""
        found, y = logits.double().cpu().numpy(), view.y[view.arrived()]
        return int((found.argmax(axis=1) == y).sum()), float(log_loss(found, y).sum())

    def _arrived(self, view: View) -> Tensor:
        return torch.from_numpy(view.arrived()).to(self.device)

    def _prototypes(self, round: int, encoded: PerModality, batch: Batch) -> State:  # noqa: A002
        """Return this client's prototypes; none where none is due, or there is no good sample."""
        if not self.prototypes_due(round):
            return {}
        with torch.no_grad():
            return proto.pack(proto.summarise(encoded, batch, self.method.classes))

    def train(
        self,
        round: int,  # noqa: A002
        start: State,
        aux: dict[str, Any],
        batch: Batch,
        epochs: Iterator[Epoch],
    ) -> tuple[State, list[str], float]:
        """Train on a buffer.

        Returns
        -------
        params : State
        learnt : list of str
            The parameters of the parts that a gradient of some sample reached. A part is asked as a whole: an encoder
            that was given zeros has learnt from them, though the gradient of its first weights is zero.
        loss : float
            Mean over steps.
        """
        params = {name: value.detach().clone().requires_grad_() for name, value in start.items()}
        optimiser = self._optimiser(list(params.values()), self.rate(round))
        touched = {part: torch.zeros((), dtype=torch.bool, device=self.device) for part in self.method.network.names}
        losses = []
        for phase, orders in epochs:
            learning = self.method.trains(phase)
            for rows in torch.split(torch.from_numpy(orders[0]).to(self.device), self.config.training.batch_size):
                seen = {name: value if name in learning else value.detach() for name, value in params.items()}
                loss = self.method.loss(seen, aux, take_rows(batch, rows), phase)
                gradients = torch.autograd.grad(loss, [params[name] for name in learning], materialize_grads=True)
                for name, gradient in zip(learning, gradients, strict=True):
                    params[name].grad = gradient
                    touched[self.method.network.part_of[name]] |= gradient.any()
                optimiser.step()
                optimiser.zero_grad()
                losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        if not np.isfinite(mean):
            raise MotetError(self.diverged(mean, round))
        learnt = [name for part, names in self.method.network.names.items() if touched[part] for name in names]
        return {n: p.detach() for n, p in params.items()}, learnt, mean

    def rate(self, round: int) -> float:  # noqa: A002
        """Return the learning rate of a round."""
        settings = self.config.training
        return max(settings.lr * settings.lr_decay ** (round - 1), settings.lr_min)

    def diverged(self, loss: float, round: int) -> str:  # noqa: A002
        """Return the sentence for a training loss that is no number."""
        return f"the loss became {loss}: lower --lr (now {self.rate(round):g}), or look at the data"

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
