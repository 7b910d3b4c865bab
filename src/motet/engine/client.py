"""One client's round: receive, evaluate the arrivals, build prototypes, train, send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from motet.config import Config
from motet.engine.account import Floats, account
from motet.engine.attackers import Attackers
from motet.engine.begun import Begun
from motet.engine.noise import gradient_noise
from motet.engine.outcome import Outcome
from motet.engine.privacy import Privacy
from motet.engine.private import owned, section
from motet.engine.rows import take_rows
from motet.engine.sender import Sender, Update, rows_of_one
from motet.engine.state import Shared
from motet.engine.steps import Epoch, plan
from motet.engine.training import Noise, Trained, Training
from motet.errors import MotetError
from motet.learn import confidence
from motet.learn import prototypes as proto
from motet.learn.method import Method
from motet.learn.objective import Phase
from motet.learn.sample import Batch, PerModality
from motet.measure.accuracy import log_loss
from motet.nets.network import State
from motet.stream.assessment import Assessor
from motet.stream.view import View
from motet.wire.expected import Expected
from motet.wire.message import encode
from motet.wire.told import encode_summaries
from motet.wire.upload import Upload


class Client:
    """Runs client rounds; holds nothing of any client.

    Parameters
    ----------
    config : Config
    method : Method
    assessor : Assessor
    attackers : Attackers, optional
        Who is hostile; by default nobody.
    privacy : Privacy, optional
    """

    def __init__(
        self,
        config: Config,
        method: Method,
        assessor: Assessor,
        attackers: Attackers | None = None,
        privacy: Privacy | None = None,
    ) -> None:
        self.config, self.method, self.assessor, self.privacy = config, method, assessor, privacy
        self.attackers = attackers or Attackers(config, method, 0)
        self.dtype = torch.float64 if config.run.dtype == "float64" else torch.float32
        self.device = torch.device(config.run.device)
        self.expected = Expected(method, assessor.modalities, self.dtype, private=privacy is not None)
        self.sender = Sender(config, method, self.expected, self.attackers, privacy)

    @property
    def epochs(self) -> int:
        """How often a client goes over its samples in a round, in all cycles and phases."""
        return self.config.training.local_cycles * len(self.method.phases()) * self.config.training.local_epochs

    def plan(
        self,
        round: int,  # noqa: A002
        phases: Sequence[Phase],
        clients: Sequence[int],
        sizes: Sequence[int],
    ) -> Iterator[Epoch]:
        """Yield the epochs of a round for some clients; `sizes` says how many samples they hold."""
        return plan(self.config.training, phases, self.config.run.seed, round, clients, sizes)

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
        try:
            quality, summaries = self.assessor.look(round, view, shared["quality"])
            batch = self.attackers.relabel([client], view, self.batch(view, quality))
            stage = "receiving"
            shared = self.receive(shared)
            begun = self.begin(shared, private)
            aux = {**self.method.aux(shared), "model": begun.model}
            stage = "evaluating arrivals"
            encoded = self.look(round, begun.model, batch, view)
            predicted = self.predict(begun.model, aux, encoded, batch, view)
            stage = "building prototypes"
            prototypes = self._prototypes(round, client, encoded, batch)
            stage = "looking at the samples"
            batch = self._remember(begun, encoded, batch)
            aux["survey"] = self._survey(begun.model, encoded, batch)
            stage = "training"
            epochs = self.plan(round, self.method.phases(round, shared), [client], [len(view.y)])
            noise, rate = self.noise(round, [client]), self.rate(round)
            trained = Training(self.method, self.config.training, rate, noise, begun, aux).run(batch, epochs)
            for what, became in (("loss", trained.loss), ("update", float(get_total_norm(trained.moved.values())))):
                if not np.isfinite(became):
                    raise MotetError(self.diverged(what, became, round))
            stage = "sending"
            told = self.expected.received_told(encode_summaries(summaries))
            model, left = self._update(round, client, begun, trained)
            drift, kept = self._keep(round, begun, trained)
        except MotetError as error:
            raise MotetError(f"client {client}, round {round}, {stage}: {error}") from error
        except Exception as error:
            raise MotetError(f"client {client}, round {round}, {stage}: {type(error).__name__}: {error}") from error
        own = {**owned("model", self.method.aggregate.keep(trained.params)), **kept, **owned("upload", left)}
        return Outcome(
            clients=[client],
            account=account(view, quality, self.epochs, np.array([trained.loss]), predicted, [own]),
            told=told,
            model=model,
            prototypes=prototypes,
            scores=self._scores(aux["survey"]),
            drift=drift,
            private={client: own} if own else {},
        )

    def begin(self, shared: Shared, private: State) -> Begun:
        """Return what a client begins a round with."""
        private = {name: value.to(self.device) for name, value in private.items()}
        model = self.method.aggregate.receive(shared["model"], section(private, "model"))
        own = section(private, "drift") or self.method.drift.begin(model)
        residual = section(private, "upload")
        if self.sender.coding.memory and not residual and not self.method.aggregate.personal:
            residual = {name: torch.zeros_like(value) for name, value in model.items()}
        return Begun(model, own, shared.get("drift", {}), residual)

    def receive(self, shared: Shared) -> Shared:
        """Return what the server sent, on the device that computes."""
        return {kind: {name: value.to(self.device) for name, value in state.items()} for kind, state in shared.items()}

    def models(self, shared: State, private: Mapping[int, State], clients: int) -> list[State]:
        """Return the models to evaluate, on the device that computes: the global one, or the clients' own."""
        kept = [section(private.get(k, {}), "model") for k in range(clients)]
        own = [{name: value.to(self.device) for name, value in state.items()} for state in kept]
        return self.method.aggregate.models(shared, own)

    def batch(self, view: View, quality: Mapping[str, np.ndarray]) -> Batch:
        """Return a view as tensors."""

        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array))

        return Batch(
            x=self.samples({m: tensor(x) for m, x in view.x.items()}),
            y=tensor(np.where(view.labelled, view.labels, 0)).to(self.device),
            mask=tensor(view.labelled).to(self.device),
            present={m: tensor(present).to(self.device) for m, present in view.present.items()},
            quality={m: tensor(q).to(self.device, self.dtype) for m, q in quality.items()},
        )

    def samples(self, x: PerModality) -> PerModality:
        """Return samples as encoders take them, on the device that computes."""
        return self.method.network.prepare(self.typed(x))

    def typed(self, x: PerModality) -> PerModality:
        """Return samples as sensors deliver them, in the model's type, on the device that computes."""
        there = {m: value.to(self.device) for m, value in x.items()}
        return {m: value.to(self.dtype) if value.is_floating_point() else value for m, value in there.items()}

    def look(self, round: int, params: State, batch: Batch, view: View) -> PerModality:  # noqa: A002
        """Encode the view with the model received; only the arrivals where nothing else is looked at."""
        whole = self.method.prototypes_due(round) or self.method.looks_first
        x = batch.x if whole else take_rows(batch, self._arrived(view)).x
        with torch.no_grad():
            return self.method.encode(params, x)

    def predict(
        self, params: State, aux: dict[str, Any], encoded: PerModality, batch: Batch, view: View
    ) -> tuple[Floats, Floats]:
        """Return each client's hits and summed loss over the arrivals, (K,); `encoded` is what `look` returned."""
        rows = self._arrived(view)
        if len(rows) == 0:
            return np.zeros(len(view.sizes)), np.zeros(len(view.sizes))
        every = len(next(iter(encoded.values()))) == len(batch.mask)
        with torch.no_grad():
            tail = {m: z[rows] if every else z for m, z in encoded.items()}
            return self.score(self.method.logits(params, aux, tail, take_rows(batch, rows)), view)

    def score(self, logits: Tensor, view: View) -> tuple[Floats, Floats]:
        """Return each client's hits and summed loss of what was predicted of the arrivals, (K,)."""
        found, y = logits.double().cpu().numpy(), view.y[view.arrived()]
        owner, clients = view.owners()[view.arrived()], len(view.sizes)
        each = (found.argmax(axis=1) == y).astype(np.float64), log_loss(found, y)
        hits, losses = (np.bincount(owner, own, minlength=clients).astype(np.float64) for own in each)
        return hits, losses

    def _arrived(self, view: View) -> Tensor:
        return torch.from_numpy(view.arrived()).to(self.device)

    def _prototypes(self, round: int, client: int, encoded: PerModality, batch: Batch) -> Upload | None:  # noqa: A002
        """Return this client's prototypes; none where none is due, or there is no good sample."""
        if not self.method.prototypes_due(round):
            return None
        with torch.no_grad():
            return self.sender.prototypes(round, client, proto.summarise(encoded, batch, self.method.classes))

    def _remember(self, begun: Begun, encoded: PerModality, batch: Batch) -> Batch:
        """Note the features that models give which will not change in the round, where a member asks for them."""
        if self.method.uses_received:
            batch = batch._replace(received=encoded)
        if self.method.drift.uses_previous:
            with torch.no_grad():
                batch = batch._replace(previous=self.method.encode(begun.own, batch.x))
        return batch

    def _survey(self, params: State, encoded: PerModality, batch: Batch) -> State:
        if not self.method.objective.surveys:
            return {}
        with torch.no_grad():
            return self.method.survey(params, encoded, batch)

    def _scores(self, survey: State) -> Upload | None:
        """Return what the client tells of its survey."""
        if not self.method.objective.shares_scores:
            return None
        return self.expected.received("scores", encode(confidence.scores(survey)))

    def noise(self, round: int, clients: Sequence[int]) -> Noise:  # noqa: A002
        """Return how noise is drawn for gradients; there is none where the objective wants none."""

        def draw(step: str, gradients: State) -> State:
            if not self.method.objective.noisy:
                return {}
            dimensions = self.method.network.dimensions
            return gradient_noise(self.config.run.seed, round, clients, step, gradients, dimensions)

        return draw

    def _update(self, round: int, client: int, begun: Begun, trained: Trained) -> tuple[Upload | None, State]:  # noqa: A002
        """Return the update that the client sends, and what of it is left over."""
        moved = rows_of_one(self.method.aggregate.message(trained.moved))
        held = {name: torch.ones(1, dtype=torch.bool, device=self.device) for name in moved}
        ternary = {name: trained.params[name][None] for name in self.method.ternary.scales if name in moved}
        return self.sender.update(round, client, begun, Update(moved, held, ternary))

    def _keep(self, round: int, begun: Begun, trained: Trained) -> tuple[Upload | None, State]:  # noqa: A002
        """Return what drift sends, and what it keeps."""
        drift = self.method.drift
        if not drift.keeps:
            return None, {}
        kept = drift.keep(begun.own, begun.common, trained.params, trained.moved, trained.steps, self.rate(round))
        change = {name: kept[name] - begun.own[name] for name in trained.moved} if drift.shares else {}
        return self.expected.received("drift", encode(change)) if change else None, owned("drift", kept)

    def rate(self, round: int) -> float:  # noqa: A002
        """Return the learning rate of a round."""
        settings = self.config.training
        falls = round**-0.5 if settings.lr_schedule == "sqrt" else settings.lr_decay ** (round - 1)
        return max(settings.lr * falls, settings.lr_min)

    def diverged(self, what: str, became: float, round: int) -> str:  # noqa: A002
        """Return the sentence for a training loss, or an update, that is no number."""
        noise = "" if self.privacy is None else ", or add less noise (--epsilon, --update-clip)"
        return f"the {what} became {became}: lower --lr (now {self.rate(round):g}), or look at the data{noise}"
