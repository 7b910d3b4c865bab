"""Damaged and made-up messages by the thousand: none stops the server, moves its state, or makes it grow."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from damage import DAMAGE
from meddling import runner, same_tensors

from motet.engine.gate import Gate
from motet.engine.outcome import Outcome
from motet.engine.run import Runner
from motet.engine.state import ServerState, initial_state
from motet.wire.fault import FINE, Fault
from motet.wire.ledger import Ledger

HOSTILE = 3
"""The client whose messages are damaged."""
MOST_GROWN = 64 * 2**20
"""Bytes by which the process may grow, whatever is sent; a single bomb that went off would take more."""
UPLOADS = ["dense", "q4", "topk+memory+q8+deflate"]

Messages = dict[str, bytes]


class Wire:
    """The messages of one round, of honest clients, and a server that has not joined them yet."""

    def __init__(self, upload: str) -> None:
        self.runner: Runner = runner(engine="loop", upload=upload)
        self.before: ServerState = initial_state(self.runner.federation)
        broadcast = self.runner.server.broadcast(self.before)
        expected, kinds = self.runner.client.expected, Counter[str]()
        self.messages: Messages = {}
        received = expected.received

        def note(kind: str, message: bytes) -> Any:
            kinds[kind] += 1
            self.messages[kind] = message
            return received(kind, message)

        expected.received = note  # type: ignore[method-assign]
        self.honest = list(self.runner.trainer.train(1, [0, 1, 2, HOSTILE], broadcast, {}))
        expected.received = received  # type: ignore[method-assign]
        assert kinds.keys() == {"model", "prototypes", "quality", "scores", "drift"}
        self.gate: Gate = self.runner._gate(broadcast.shared["model"], [0, 1, 2, HOSTILE])

    def outcome(self, kind: str, message: bytes) -> Outcome:
        """Return what the hostile client leaves, with one of its messages in place of its own."""
        expected = self.runner.client.expected
        if kind == "quality":
            return replace(self.honest[HOSTILE], told=expected.received_told(message))
        read = expected.received_prototypes(message) if kind == "prototypes" else expected.received(kind, message)
        return replace(self.honest[HOSTILE], **{kind: read})

    def joined(self, outcomes: Iterator[Outcome]) -> dict[str, torch.Tensor]:
        """Return the state after the round."""
        ledger = Ledger()
        shared, memory = self.runner.server.join(self.before, 1, outcomes, ledger)
        assert ledger.totals()[0] == sum(self.sent(outcome) for outcome in self.honest[:HOSTILE])
        return replace(self.before, shared=shared, memory=memory).to_checkpoint()[0]

    def bears(self, outcome: Outcome) -> None:
        """Fail unless the server joins an outcome to numbers that are finite."""
        outcomes = [*self.honest[:HOSTILE], outcome]
        shared, memory = self.runner.server.join(self.before, 1, iter(outcomes), Ledger())
        for state in (*shared.values(), memory):
            assert all(bool(value.isfinite().all()) for value in state.values())

    @staticmethod
    def sent(outcome: Outcome) -> int:
        """Return the bytes of all that clients send."""
        uploads = (outcome.model, outcome.prototypes, outcome.scores, outcome.drift, outcome.told)
        return sum(int(own.lengths.sum()) for own in uploads if own is not None)


# --- The test -----------------------------------------------------------------------------------------------------


def fuzz(count: int, seed: int) -> Counter[str]:
    """Send so many messages that are refused, in among those of honest clients; return how often for which reason."""
    rng = np.random.default_rng(seed)
    wires = [Wire(upload) for upload in UPLOADS]
    total: Counter[str] = Counter()
    for wire in wires:
        wanted = wire.joined(iter(wire.honest[:HOSTILE]))
        kinds = list(wire.messages)
        started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        harmless = 0

        def attack(wire: Wire = wire, kinds: list[str] = kinds) -> Iterator[Outcome]:
            nonlocal harmless
            yield from wire.honest[:2]
            refused = 0
            while refused < count // len(wires):
                kind = kinds[rng.integers(len(kinds))]
                outcome = wire.outcome(kind, DAMAGE[rng.integers(len(DAMAGE))](wire.messages[kind], rng))
                if wire.gate.faults(outcome)[0] == FINE:  # a number was flipped to another that may be meant
                    harmless += 1
                    wire.bears(outcome)
                else:
                    refused += 1
                    yield outcome
            yield wire.honest[2]

        assert same_tensors(wire.joined(wire.gate.over(attack())), wanted)
        assert harmless < count // len(wires) / 4
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - started
        assert grown * 1024 < MOST_GROWN
        for reason, clients in wire.gate.refused.items():
            assert clients.keys() == {str(HOSTILE)}
            total[reason] += clients.total()
    assert total.total() == count // len(wires) * len(wires)
    return total


def test_thousands_of_malformed_uploads_change_nothing() -> None:
    found = fuzz(3_000, 0)
    assert found.keys() >= set(Fault) - {Fault.UNASKED, Fault.TWICE}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_malformed_uploads_change_nothing() -> None:
    assert fuzz(100_002, 1).total() >= 100_000
