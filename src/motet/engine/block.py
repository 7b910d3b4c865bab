"""The rounds of a block of clients, carried out together.

What all clients of a block begin with is the same model, so features, predictions and the first step go through one
flat batch and through weights that are not yet copied. From then on parameters have a row for each client; encoders
take such weights as they are (`motet.nets.layers`), and `torch.func.vmap` runs the members, which are written for one
client, over all of them. A client that has no minibatch left has an empty mask, and rests.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from motet.engine.client import Client, take_rows
from motet.engine.optimiser import Optimiser
from motet.engine.outcome import Outcome
from motet.engine.state import Shared
from motet.engine.steps import Epoch
from motet.errors import MotetError
from motet.learn import prototypes as proto
from motet.learn.objective import Phase
from motet.learn.sample import Batch, PerModality
from motet.nets.layers import take_many
from motet.nets.network import State
from motet.stream.view import View
from motet.wire.told import told
from motet.wire.upload import Upload, contributions, uploads


class Rectangle(NamedTuple):
    """Which flat rows stand where, when each client's rows are padded to the same number; a column for each client.

    Attributes
    ----------
    rows : int64 (n, K)
    mask : bool (n, K)
        False where a place is padding; some row of the block stands there.
    """

    rows: Tensor
    mask: Tensor

    def of(self, batch: Batch) -> Batch:
        """Return rows of a flat batch as (n, K, ...)."""
        return take_rows(batch, self.rows)._replace(mask=self.mask)

    def flat(self, values: Tensor) -> Tensor:
        """Return what stands in the places that are no padding, one client after another."""
        return values.transpose(0, 1)[self.mask.T]


class Forward(NamedTuple):
    """A minibatch of every client on its way to a loss: parameters with a row each, samples, and their features."""

    params: State
    batch: Batch
    encoded: PerModality


class Trained(NamedTuple):
    """What training leaves: how far parameters moved, (K, ...); who learnt which part; each client's mean loss."""

    moved: State
    touched: dict[str, Tensor]
    loss: Tensor


class Block:
    """Runs blocks of clients; holds nothing of any client.

    Parameters
    ----------
    client : Client
    abandoned : threading.Event
        Set when nobody waits for the blocks at work any more; they end after their minibatch.
    """

    def __init__(self, client: Client, abandoned: threading.Event) -> None:
        self.client, self.method, self.abandoned = client, client.method, abandoned
        parts = self.method.network.parts
        self._many = {m: take_many(parts[f"encoder.{m}"]) for m in self.method.modalities}

    def run(
        self,
        round: int,  # noqa: A002
        clients: list[int],
        view: View,
        shared: Shared,
        privates: list[State],
    ) -> Outcome:
        """Run a block; a failure names its clients, the round and the stage."""
        who, stage = _named(clients), "assessing quality"
        try:
            quality, summaries = self.client.assessor.look(round, view, shared["quality"])
            batch = self.client.batch(view, quality)
            stage = "receiving"
            shared = self.client.receive(shared)
            start = self._receive(shared["model"], privates)
            aux = self.method.aux(shared)
            places = _consecutive(view.sizes, batch.mask.device)
            stage = "evaluating arrivals"
            whole = len(places.mask) <= self.client.config.training.batch_size
            first = self._forward(start, self.method.phases()[0], places.of(batch)) if whole else None
            encoded, hits, online_loss = self._evaluate(round, start, aux, batch, view, places, first)
            stage = "building prototypes"
            prototypes = self._prototypes(encoded, batch, places) if self.client.prototypes_due(round) else None
            stage = "training"
            epochs = self.client.plan(round, clients, view.sizes.tolist())
            trained = self._train(round, start, aux, batch, view, epochs, first)
            for k, loss in zip(clients, trained.loss.tolist(), strict=True):
                if not np.isfinite(loss):
                    who = f"client {k}"
                    raise MotetError(self.client.diverged(loss, round))
            stage = "sending"
            tells = told(summaries, len(clients))
            model = self._updates(trained)
            kept = self._keep(start, trained)
        except MotetError as error:
            raise MotetError(f"{who}, round {round}, {stage}: {error}") from error
        except Exception as error:
            raise MotetError(f"{who}, round {round}, {stage}: {type(error).__name__}: {error}") from error
        return Outcome(
            clients=clients,
            view=view,
            quality=quality,
            trained=self.client.epochs * len(view.y),
            loss=float(trained.loss.double().sum()),
            hits=hits,
            online_loss=online_loss,
            told=tells,
            model=model,
            prototypes=prototypes,
            private={k: {n: value[i] for n, value in kept.items()} for i, k in enumerate(clients) if kept},
        )

    def _receive(self, model: State, privates: list[State]) -> State:
        """Return the parameters to begin with: the model as it is, or each client's own, stacked."""
        own = [self.method.aggregate.receive(model, private) for private in privates]
        if all(state is model for state in own):
            return model
        return {name: torch.stack([state[name].to(value.device) for state in own]) for name, value in model.items()}

    def _is_shared(self, params: State) -> bool:
        return all(value.dim() == self.method.network.dimensions[name] for name, value in params.items())

    def _evaluate(
        self,
        round: int,  # noqa: A002
        start: State,
        aux: dict[str, Any],
        batch: Batch,
        view: View,
        places: Rectangle,
        first: Forward | None,
    ) -> tuple[PerModality, int, float]:
        """Return features, and hits and summed loss over the arrivals, each predicted before it is learnt from.

        Where the first minibatch is the whole view its features are taken, so that nothing is encoded twice.
        """
        if self._is_shared(start):
            if first is None:
                encoded = self.client.look(round, start, batch, view)
            else:
                encoded = {m: places.flat(z.detach()) for m, z in first.encoded.items()}
            return encoded, *self.client.predict(start, aux, encoded, batch, view)

        inside = places.of(batch) if first is None else first.batch

        def one(params: State, features: PerModality, own: Batch) -> Tensor:
            return self.method.logits(params, {**aux, "model": params}, features, own)

        with torch.no_grad():
            features = self._encode(start, inside.x) if first is None else first.encoded
            logits = vmap(one, in_dims=(0, 1, 1), out_dims=1)(start, features, inside)
        encoded = {m: places.flat(z.detach()) for m, z in features.items()}
        arrived = torch.from_numpy(view.arrived()).to(logits.device)
        return encoded, *self.client.score(places.flat(logits)[arrived], view)

    def _prototypes(self, encoded: PerModality, batch: Batch, places: Rectangle) -> Upload | None:
        """Return what each client contributes to the prototypes; None where nobody has a good sample."""

        def one(features: PerModality, own: Batch) -> dict[str, PerModality]:
            return proto.summarise(features, own, self.method.classes)

        without_samples = places.of(batch._replace(x={}))  # they are encoded already, and large
        with torch.no_grad():
            summary = vmap(one, in_dims=1)({m: z[places.rows] for m, z in encoded.items()}, without_samples)
        found = contributions(summary, self.client.config.recipe.prototype_bits)
        return found if found.lengths.any() else None

    def _train(
        self,
        round: int,  # noqa: A002
        start: State,
        aux: dict[str, Any],
        batch: Batch,
        view: View,
        epochs: Iterator[Epoch],
        first: Forward | None,
    ) -> Trained:
        """Train every client; `first` is the way of the first minibatch, where it has been gone already."""
        clients, device = len(view.sizes), batch.mask.device
        optimiser = Optimiser(self.client.config.training, self.client.rate(round))
        moved: State = {}
        touched = {part: torch.zeros(clients, dtype=torch.bool, device=device) for part in self.method.network.names}
        loss, steps = torch.zeros(clients, device=device, dtype=self.client.dtype), torch.zeros(clients, device=device)
        begins = np.cumsum(view.sizes) - view.sizes
        for phase, orders in epochs:
            for minibatch in _minibatches(orders, begins, self.client.config.training.batch_size, device):
                if self.abandoned.is_set():
                    raise MotetError("nobody waits for it any more")
                forward = first or self._forward(_after(start, moved), phase, minibatch.of(batch))
                first, active = None, forward.batch.mask.any(0)
                gradients, losses = self._gradient(forward, phase, start, aux)
                for name, gradient in gradients.items():
                    moved[name] = optimiser.step(name, moved.get(name), gradient, active)
                self._touch(touched, gradients)
                loss, steps = loss + torch.where(active, losses, 0), steps + active
        return Trained(moved, touched, loss / steps.clamp(min=1))

    def _forward(self, params: State, phase: Phase, batch: Batch) -> Forward:
        """Encode a minibatch of every client, (B, K, ...), so that gradients find their way to what learns."""
        every = self._rows(params, batch.mask.shape[1])
        every |= {name: every[name].detach().requires_grad_() for name in self.method.trains(phase)}
        return Forward(every, batch, self._encode(every, batch.x))

    def _gradient(self, forward: Forward, phase: Phase, start: State, aux: dict[str, Any]) -> tuple[State, Tensor]:
        """Return each client's gradient and loss on its minibatch.

        A client's loss depends on its own row of the parameters alone, so the gradient of the sum over clients holds
        every client's gradient.
        """

        def loss(own: State, start: State, encoded: PerModality, batch: Batch) -> Tensor:
            return self.method.loss_of(own, {**aux, "model": start}, encoded, batch, phase)

        received = self._rows(start, forward.batch.mask.shape[1])
        losses = vmap(loss, in_dims=(0, 0, 1, 1))(forward.params, received, forward.encoded, forward.batch)
        learn = {name: forward.params[name] for name in self.method.trains(phase)}
        gradients = torch.autograd.grad(losses.sum(), list(learn.values()), materialize_grads=True)
        return dict(zip(learn, gradients, strict=True)), losses.detach()

    def _rows(self, params: State, clients: int) -> State:
        """Return parameters with a row for each client; one that is the same for all is not copied."""
        return {
            name: value if value.dim() > self.method.network.dimensions[name] else value.expand(clients, *value.shape)
            for name, value in params.items()
        }

    def _encode(self, params: State, x: PerModality) -> PerModality:
        """Encode minibatches, (B, K, ...) to (B, K, d), with a row of parameters for each client."""
        found = {}
        for m in self.method.modalities:
            part = f"encoder.{m}"
            if self._many[m]:
                flat = self.method.network(params, part, x[m].flatten(0, 1))
                found[m] = flat.reshape(*x[m].shape[:2], -1)
            else:
                own = {name: params[name] for name in self.method.network.names[part]}
                found[m] = vmap(self.method.network, in_dims=(0, None, 1), out_dims=1)(own, part, x[m])
        return found

    def _touch(self, touched: dict[str, Tensor], gradients: State) -> None:
        """Note whom a gradient reached, part by part; small tensors are asked first, and mostly settle it."""
        for part, names in self.method.network.names.items():
            for name in sorted((n for n in names if n in gradients), key=lambda n: gradients[n][0].numel()):
                if bool(touched[part].all()):
                    break
                touched[part] = touched[part] | gradients[name].flatten(1).any(1)

    def _updates(self, trained: Trained) -> Upload | None:
        changed = [n for part, names in self.method.network.names.items() if trained.touched[part].any() for n in names]
        part_of = self.method.network.part_of
        delta = self.method.aggregate.message({name: trained.moved[name] for name in changed})
        if not delta:
            return None
        return uploads(delta, {name: trained.touched[part_of[name]] for name in delta}, self.client.bits)

    def _keep(self, start: State, trained: Trained) -> State:
        if not self.method.aggregate.personal:
            return {}
        return self.method.aggregate.keep(self._rows(_after(start, trained.moved), len(trained.loss)))


def _after(start: State, moved: State) -> State:
    """Return parameters that have moved, (K, ...), and those that have not as they were."""
    return {name: value + moved[name] if name in moved else value for name, value in start.items()}


def _consecutive(sizes: np.ndarray, device: torch.device) -> Rectangle:
    """Return the rows of each client, one after another."""
    return _rectangle([np.arange(end - n, end) for n, end in zip(sizes, np.cumsum(sizes), strict=True)], device)


def _minibatches(orders: list[np.ndarray], first: np.ndarray, size: int, device: torch.device) -> Iterator[Rectangle]:
    """Yield the minibatches of an epoch; `first` is each client's first flat row."""
    for low in range(0, max(map(len, orders)), size):
        yield _rectangle([at + order[low : low + size] for at, order in zip(first, orders, strict=True)], device)


def _rectangle(rows: list[np.ndarray], device: torch.device) -> Rectangle:
    """Pad clients' rows to the longest."""
    sizes = np.array([len(own) for own in rows])
    mask = np.arange(sizes.max()) < sizes[:, None]
    padded = np.zeros(mask.shape, dtype=np.int64)
    padded[mask] = np.concatenate(rows)
    return Rectangle(*(torch.from_numpy(np.ascontiguousarray(part.T)).to(device) for part in (padded, mask)))


def _named(clients: list[int]) -> str:
    return f"client {clients[0]}" if len(clients) == 1 else f"clients {clients[0]} to {clients[-1]}"
