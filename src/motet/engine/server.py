"""The server's half of a round: broadcast, then join what came back, in client order."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from motet.config import Config
from motet.engine.client import Outcome
from motet.engine.state import ServerState, Shared
from motet.learn import prototypes as proto
from motet.learn.method import Method
from motet.nets.network import State
from motet.random import permutation
from motet.stream.assessment import Assessor
from motet.wire.ledger import Ledger
from motet.wire.message import decode, encode


def participants(config: Config, clients: int, round: int) -> list[int]:  # noqa: A002
    """Return who takes part in a round: max(1, round(pK)) clients without replacement, in client order."""
    count = max(1, builtins.round(config.clients.participation * clients))
    return sorted(permutation(config.run.seed, "participation", clients, round=round)[:count].tolist())


class Server:
    """Joins what clients send; holds nothing between rounds.

    Parameters
    ----------
    config : Config
    method : Method
    assessor : Assessor
    """

    def __init__(self, config: Config, method: Method, assessor: Assessor) -> None:
        self.config, self.method, self.assessor = config, method, assessor

    def broadcast(self, state: ServerState, clients: int, ledger: Ledger) -> Shared:
        """Count what goes down to each participant, and return what it decodes to."""
        received: Shared = {}
        for kind, content in state.shared.items():
            if not content:
                received[kind] = content
                continue
            sent = self.method.aggregate.message(content) if kind == "model" else content
            bits = self.config.recipe.prototype_bits if kind == "prototypes" else 32
            message = encode(sent, bits, by_row=True)
            received[kind] = decode(message) if sent else content
            ledger.count("down", kind, len(message) if sent else 0, times=clients)
        return received

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
            In client order; each is used once and then let go.
        """
        aggregate = self.method.aggregate
        model = aggregate.start()
        prototypes = None
        if self.method.uses_prototypes:
            prototypes = proto.Joiner(state.shared["prototypes"], self.config.recipe)
        quality = []
        for outcome in outcomes:
            for kind, message in outcome.messages.items():
                ledger.count("up", kind, len(message))
            content = {kind: decode(message) for kind, message in outcome.messages.items()}
            weight = float(outcome.samples) if self.config.recipe.weights == "samples" else 1.0
            model = aggregate.add(model, content.get("model", {}), weight)
            if prototypes is not None:
                prototypes.add(content.get("prototypes", {}))
            if "quality" in content:
                quality.append(content["quality"])
        shared = {**state.shared, "model": aggregate.finish(state.shared["model"], model)}
        if prototypes is not None:
            shared["prototypes"] = prototypes.finish()
        memory, shared["quality"] = self.assessor.learn(round, state.memory, quality)
        return shared, memory
