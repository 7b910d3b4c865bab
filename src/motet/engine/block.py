"""The rounds of a block of clients, carried out together.

What all clients of a block begin with is the same model, so features, predictions and the first step go through one
flat batch and through weights that are not yet copied. From then on parameters have a row for each client; encoders
take such weights as they are (`motet.nets.layers`), and `torch.func.vmap` runs the members, which are written for one
client, over all of them. A client that has no minibatch left has an empty mask, and rests.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from motet.engine.account import Floats, account
from motet.engine.begun import Begun
from motet.engine.client import Client
from motet.engine.many import Forward, Many, Trained, after
from motet.engine.outcome import Outcome
from motet.engine.private import owned
from motet.engine.rows import Rectangle, consecutive, stacked
from motet.engine.sender import Update
from motet.engine.state import Shared
from motet.errors import MotetError
from motet.learn import confidence
from motet.learn import prototypes as proto
from motet.learn.objective import Phase
from motet.learn.sample import Batch, PerModality
from motet.nets.network import State
from motet.stream.view import View
from motet.wire.told import told
from motet.wire.upload import Upload, uploads


class Block:
    """Runs blocks of clients; holds nothing of any client.

    Parameters
    ----------
    client : Client
    abandoned : threading.Event
        Set when nobody waits for the blocks at work any more; they end after their minibatch.
    """

    def __init__(self, client: Client, abandoned: threading.Event) -> None:
        self.client, self.method = client, client.method
        self.many = Many(self.method, client.config.training, abandoned)

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
            batch = self.client.attackers.relabel(clients, view, self.client.batch(view, quality))
            stage = "receiving"
            shared = self.client.receive(shared)
            begun = self._begin(shared, privates)
            aux, phases = self.method.aux(shared), self.method.phases(round, shared)
            places = consecutive(view.sizes, batch.mask.device)
            stage = "evaluating arrivals"
            first = self._first(begun.model, phases[0], batch, places)
            encoded, hits, losses = self._evaluate(round, begun.model, aux, batch, view, places, first)
            stage = "building prototypes"
            prototypes = self._prototypes(round, clients, encoded, batch, places)
            stage = "looking at the samples"
            batch = self._remember(begun, encoded, batch, places)
            first = first and first.recalling(places, batch)
            survey = self._survey(begun.model, encoded, batch, places)
            stage = "training"
            epochs = self.client.plan(round, phases, clients, view.sizes.tolist())
            noise, rate = self.client.noise(round, clients), self.client.rate(round)
            trained = self.many.train(rate, noise, begun, aux, survey, batch, view.sizes, epochs, first)
            for what, each in (("loss", trained.loss), ("update", _lengths(trained))):
                for k, became in zip(clients, each.tolist(), strict=True):
                    if not np.isfinite(became):
                        who = f"client {k}"
                        raise MotetError(self.client.diverged(what, became, round))
            stage = "sending"
            tells = told(summaries, len(clients))
            model, left = self._updates(round, clients, begun, trained)
            drift, kept = self._keep(round, begun, trained)
            kept |= owned("upload", left)
        except MotetError as error:
            raise MotetError(f"{who}, round {round}, {stage}: {error}") from error
        except Exception as error:
            raise MotetError(f"{who}, round {round}, {stage}: {type(error).__name__}: {error}") from error
        own = [{name: value[place] for name, value in kept.items()} for place in range(len(clients))]
        loss = trained.loss.double().cpu().numpy()
        return Outcome(
            clients=clients,
            account=account(view, quality, self.client.epochs, loss, (hits, losses), own),
            told=tells,
            model=model,
            prototypes=prototypes,
            scores=self._scores(survey),
            drift=drift,
            private=dict(zip(clients, own, strict=True)) if kept else {},
        )

    def _begin(self, shared: Shared, privates: list[State]) -> Begun:
        """Return what the clients begin with; what is the same for all is there once."""
        every = [self.client.begin(shared, private) for private in privates]
        same = all(begun.model is shared["model"] for begun in every)
        return Begun(
            model=shared["model"] if same else stacked([begun.model for begun in every]),
            own=stacked([begun.own for begun in every]),
            common=every[0].common,
            residual=stacked([begun.residual for begun in every]),
        )

    def _first(self, start: State, phase: Phase, batch: Batch, places: Rectangle) -> Forward | None:
        """Begin the first minibatch, where it is the whole view and all that is to be looked at."""
        if len(places.mask) > self.client.config.training.batch_size:
            return None
        if self.method.sees(phase) != self.method.modalities or self.method.ternary.scales:
            return None
        return self.many.forward(start, phase, places.of(batch))

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
    ) -> tuple[PerModality, Floats, Floats]:
        """Return features, and each client's hits and summed loss over arrivals, predicted before they are learnt from.

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
            features = (
                self.many.encode(self.many.rows(start, len(view.sizes)), inside.x) if first is None else first.encoded
            )
            logits = vmap(one, in_dims=(0, 1, 1), out_dims=1)(start, features, inside)
        encoded = {m: places.flat(z.detach()) for m, z in features.items()}
        arrived = torch.from_numpy(view.arrived()).to(logits.device)
        return encoded, *self.client.score(places.flat(logits)[arrived], view)

    def _prototypes(
        self,
        round: int,  # noqa: A002
        clients: list[int],
        encoded: PerModality,
        batch: Batch,
        places: Rectangle,
    ) -> Upload | None:
        """Return what clients contribute to the prototypes; None where none are due, or nobody has a good sample."""
        if not self.method.prototypes_due(round):
            return None

        def one(features: PerModality, own: Batch) -> dict[str, PerModality]:
            return proto.summarise(features, own, self.method.classes)

        without_samples = places.of(batch._replace(x={}))  # they are encoded already, and large
        with torch.no_grad():
            summary = vmap(one, in_dims=1)({m: z[places.rows] for m, z in encoded.items()}, without_samples)
        return self.client.sender.prototypes_of_many(round, clients, summary)

    def _remember(self, begun: Begun, encoded: PerModality, batch: Batch, places: Rectangle) -> Batch:
        """Note the features that models give which will not change in the round, where a member asks for them."""
        if self.method.uses_received:
            batch = batch._replace(received=encoded)
        if self.method.drift.uses_previous:
            with torch.no_grad():
                own = self.many.rows(begun.own, len(places.mask.T))
                previous = self.many.encode(own, places.of(batch).x)
            batch = batch._replace(previous={m: places.flat(z) for m, z in previous.items()})
        return batch

    def _survey(self, start: State, encoded: PerModality, batch: Batch, places: Rectangle) -> State:
        """Return what each client finds in its samples, (K, ...)."""
        if not self.method.objective.surveys:
            return {}
        without_samples = places.of(batch._replace(x={}))
        with torch.no_grad():
            features = {m: z[places.rows] for m, z in encoded.items()}
            return vmap(self.method.survey, in_dims=(0, 1, 1))(
                self.many.rows(start, len(places.mask.T)), features, without_samples
            )

    def _scores(self, survey: State) -> Upload | None:
        """Return what clients tell of their surveys."""
        if not self.method.objective.shares_scores:
            return None
        content = confidence.scores(survey)
        every = torch.ones(len(next(iter(content.values()))), dtype=torch.bool)
        return uploads(content, dict.fromkeys(content, every))

    def _updates(
        self,
        round: int,  # noqa: A002
        clients: list[int],
        begun: Begun,
        trained: Trained,
    ) -> tuple[Upload | None, State]:
        """Return what clients send, and what is left over of it."""
        steps = trained.steps
        changed = [n for part, names in self.method.network.names.items() if steps[part].any() for n in names]
        delta = self.method.aggregate.message({name: trained.moved[name] for name in changed})
        residual = self.many.rows(begun.residual, len(clients))
        held = {name: steps[self.method.network.part_of[name]] > 0 for name in delta}
        update = Update(delta, held, trained.ternary)
        return self.client.sender.update_of_many(round, clients, begun.model, residual, update)

    def _keep(self, round: int, begun: Begun, trained: Trained) -> tuple[Upload | None, State]:  # noqa: A002
        """Return what drift sends, and what stays with the clients, (K, ...)."""
        drift, clients = self.method.drift, len(trained.loss)
        if not (drift.keeps or self.method.aggregate.personal):
            return None, {}
        params = self.many.rows(after(begun.model, trained.moved), clients) | trained.ternary
        kept = owned("model", self.method.aggregate.keep(params))
        if not drift.keeps:
            return None, kept
        part_of = self.method.network.part_of
        steps = {name: trained.steps[part] for name, part in part_of.items()}
        own, rate = self.many.rows(begun.own, clients), self.client.rate(round)
        keep = vmap(drift.keep, in_dims=(0, None, 0, 0, 0, None))
        found = keep(own, begun.common, params, trained.moved, steps, rate)
        kept |= owned("drift", found)
        if not drift.shares:
            return None, kept
        change = {n: found[n] - own[n] for n in trained.moved if bool(steps[n].any())}
        return uploads(change, {name: steps[name] > 0 for name in change}) if change else None, kept


def _lengths(trained: Trained) -> Tensor:
    """Return how far each client's parameters have moved together, (K,); not finite if one of them has not."""
    norms = [torch.linalg.vector_norm(value.reshape(len(value), -1), dim=1) for value in trained.moved.values()]
    found: Tensor = torch.linalg.vector_norm(torch.stack([torch.zeros_like(trained.loss), *norms]), dim=0)
    return found


def _named(clients: list[int]) -> str:
    return f"client {clients[0]}" if len(clients) == 1 else f"clients {clients[0]} to {clients[-1]}"
