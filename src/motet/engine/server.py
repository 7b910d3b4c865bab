"""The server's half of a round: broadcast, then join what came back, in client order."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from motet.config import Config
from motet.engine.outcome import Outcome
from motet.engine.privacy import Privacy
from motet.engine.state import Broadcast, ServerState, Shared
from motet.learn import confidence, outliers, server_optimiser
from motet.learn.drift import common
from motet.learn.method import Method
from motet.learn.prototypes import Joiner
from motet.nets.network import State
from motet.stream.assessment import Assessor
from motet.wire.codec import parse
from motet.wire.ledger import Ledger
from motet.wire.message import decode, encode
from motet.wire.upload import DENSE, encoded


class Server:
    """Joins what clients send; holds nothing between rounds.

    Parameters
    ----------
    config : Config
    method : Method
    assessor : Assessor
    clients : int
        All there are, taking part or not.
    privacy : Privacy, optional
    """

    def __init__(
        self, config: Config, method: Method, assessor: Assessor, clients: int, privacy: Privacy | None = None
    ) -> None:
        self.config, self.method, self.assessor, self.clients = config, method, assessor, clients
        self.privacy = privacy
        upload = parse(config.recipe.upload)
        self.coding = upload if upload.ternary else DENSE  # down as up, where the model is ternary

    def broadcast(self, state: ServerState) -> Broadcast:
        """Return what goes down to each participant, and what it decodes to."""
        messages: dict[str, bytes] = {}
        received: Shared = {}
        for kind, content in state.shared.items():
            sent = self.method.aggregate.message(content) if kind == "model" else content
            bits = self.config.recipe.prototype_bits if kind == "prototypes" else 32
            message = encoded(sent, self.coding) if kind == "model" else encode(sent, bits, by_row=True)
            messages[kind] = message if sent else b""
            received[kind] = decode(message) if sent else content
        return Broadcast(messages, received)

    def join(
        self,
        state: ServerState,
        round: int,  # noqa: A002
        outcomes: Iterable[Outcome],
        ledger: Ledger,
    ) -> tuple[Shared, State]:
        """Fold the clients' messages into the next shared state and the server's memory.

        Parameters
        ----------
        outcomes : iterable of Outcome
            In client order, and late ones after those in time; each is used once and then let go.
        """
        aggregate = self.privacy.aggregate(round) if self.privacy else self.method.aggregate
        accumulator = aggregate.start(self.method.network.block_of)
        trained: set[str] = set()
        prototypes = None
        if self.method.prototypes_due(round):
            prototypes = self._joiner(round, state.shared["prototypes"])
        scores, drift = confidence.Joiner(), common.Joiner(state.shared.get("drift", {}), self.clients)
        quality = []
        for outcome in outcomes:
            if prototypes is not None and outcome.prototypes is not None:
                ledger.count("up", "prototypes", int(outcome.prototypes.lengths.sum()))
                prototypes.add(outcome.prototypes.content)
            if outcome.told.lengths.any():
                ledger.count("up", "quality", int(outcome.told.lengths.sum()))
                quality.append(outcome.told.summaries)
            if outcome.scores is not None:
                ledger.count("up", "scores", int(outcome.scores.lengths.sum()))
                scores.add(outcome.scores.content)
            if outcome.drift is not None:
                ledger.count("up", "drift", int(outcome.drift.lengths.sum()))
                drift.add(outcome.drift.content, outcome.drift.held)
            if outcome.model is not None:
                ledger.count("up", "model", int(outcome.model.lengths.sum()))
                accumulator = aggregate.add(accumulator, *outcome.model[:2], self._weights(outcome))
                trained |= {name for name, held in outcome.model.held.items() if bool(held.any())}
        before = state.shared["model"]
        joined = aggregate.finish(before, accumulator)
        moments = server_optimiser.moments(state.memory)
        if self.privacy is not None:  # who trained what is not to show
            trained = set(before)
        model, moments = server_optimiser.optimise(self.config.recipe, before, joined, trained, moments)
        shared = {**state.shared, "model": model}
        if prototypes is not None:
            shared["prototypes"] = prototypes.finish()
        if self.method.objective.shares_scores:
            shared["scores"] = scores.finish(state.shared["scores"])
        if self.method.drift.shares:
            shared["drift"] = drift.finish()
        assessed = {name: value for name, value in state.memory.items() if name not in moments}
        memory, shared["quality"] = self.assessor.learn(round, assessed, quality)
        return shared, memory | moments

    def _joiner(self, round: int, state: State) -> Joiner:  # noqa: A002
        if self.privacy is None:
            return outliers.joiner(state, self.config.recipe)
        return self.privacy.joiner(round, state)

    def _weights(self, outcome: Outcome) -> torch.Tensor:
        sizes = torch.from_numpy(outcome.account.labelled).double()
        return outcome.weight * (sizes if self.config.recipe.weights == "samples" else torch.ones_like(sizes))
