"""Round after round, recorded so that they can be killed and gone on with at any moment; whoever trains."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from motet.engine.attackers import Attackers
from motet.engine.client import Client
from motet.engine.evaluate import Evaluator
from motet.engine.federation import Federation
from motet.engine.gate import Gate
from motet.engine.interrupt import Stop, stop_on_signal
from motet.engine.late import Late
from motet.engine.link import Link
from motet.engine.outcome import Outcome
from motet.engine.parcel import Parcel, come, under_way
from motet.engine.participants import DROPPED_OUT, dropouts, participants
from motet.engine.private import Private
from motet.engine.server import Server
from motet.engine.state import Online, ServerState
from motet.engine.tally import Tally
from motet.engine.trainer import Trainer
from motet.engine.watch import Watch
from motet.errors import Interrupted
from motet.measure.flags import FlagScores
from motet.measure.meaning import rounding
from motet.nets.network import State
from motet.record.folder import Memory, RunFolder
from motet.record.result import Refused, Round
from motet.stream.assessment import assessor_for
from motet.wire.check import Check
from motet.wire.ledger import Ledger

TAIL = 10
"""The last rounds, whose evaluations are averaged."""
MOST_LOST = 0.03
"""Of the accuracy on validation, by a ternary model; where it is more, the one that was joined is sent as it is."""


class Rounds:
    """Runs rounds; who trains in them is up to those that inherit from it.

    Parameters
    ----------
    federation : Federation
    watch : Watch

    Attributes
    ----------
    trainer : Trainer
    """

    trainer: Trainer

    def __init__(self, federation: Federation, watch: Watch) -> None:
        config, method = federation.config, federation.method
        assessor = assessor_for(config.assessment, federation.dataset.modalities, method.uses_quality)
        self.federation, self.config, self.watch = federation, config, watch
        attackers, privacy = Attackers(config, method, federation.clients), federation.privacy
        self.client = Client(config, method, assessor, attackers, privacy)
        self.server = Server(config, method, assessor, federation.clients, privacy)
        self.late = Late(config, self.client)
        self.evaluator = Evaluator(federation, self.client)
        self.samples = int(federation.population.held.max())
        self.blocks = {m: list(method.network.blocks[m]) for m in method.modalities}
        held = federation.validation
        self.validator = None if held is None else Evaluator(federation, self.client, held)

    def go(self, state: ServerState, keep: Memory | RunFolder) -> ServerState:
        """Run from a state to the last round.

        Raises
        ------
        Interrupted
            If the user stopped it; the state is kept.
        MotetError
            If a client failed; the sentence names the client, the round and the stage.
        """
        title = f"{self.config.recipe.recipe} (seed {self.config.run.seed})"
        rounds = self.federation.rounds
        with stop_on_signal() as stop, self.watch.run(title, rounds, state.round):
            while state.round < rounds:
                try:
                    state, line = self.step(state, stop)
                except Interrupted:
                    keep.stop(state.round, state.to_checkpoint)
                    raise Interrupted(f"stopped after round {state.round} of {rounds}") from None
                self.keep(keep, line, state)
                self.watch.round(state.round, line.accuracy)
        return state

    def keep(self, keep: Memory | RunFolder, line: Round, state: ServerState) -> None:
        """Record a round; the last one for certain."""
        keep.add(line, state.to_checkpoint)
        if state.round == self.federation.rounds:
            keep.stop(state.round, state.to_checkpoint)

    def received(self, chosen: list[int]) -> int:
        """Return how many messages a broadcast to participants took: one for each of them."""
        return len(chosen)

    def lost(self) -> Refused:
        """Return which participants were not heard in the last round, and why: all of them were."""
        return {}

    def step(self, before: ServerState, stop: Stop) -> tuple[ServerState, Round]:
        """Return the state after the next round; the one before stays as it was."""
        number = before.round + 1
        ledger = Ledger(Counter(before.ledger.up), Counter(before.ledger.down))
        calibrating = number <= self.config.assessment.calibration_rounds
        flags = FlagScores({m: counts.copy() for m, counts in before.flags.counts.items()})
        tally = Tally(flags, not calibrating, self.blocks)
        seconds = Counter(before.seconds)
        with _timed(seconds, "train" if number > 1 else "first"):
            chosen = participants(self.config, self.federation.clients, number)
            gone = dropouts(self.config, chosen, number)
            staying = [k for k in chosen if k not in gone]
            broadcast = self.server.broadcast(before)
            gate = self._gate(broadcast.shared["model"], chosen)
            outcomes = tally.over(gate.over(self.trainer.train(number, staying, broadcast, before.private)))
            link = Link(self.config.network)
            laid, used, kept = list[Parcel](), before.used.copy(), list[int]()
            in_time = self.late.aside(_stoppable(outcomes, stop), number, self.late.among(staying, number), laid)
            in_time = _keeping(link.over(in_time), number, used, before.private, kept)
            arriving = self.late.arriving(before.under_way, number, before.shared["model"], ledger)
            joined, memory = self.server.join(before, number, chain(in_time, arriving), ledger)
            broadcast.enter(ledger, times=self.received(chosen))
        online = before.online
        state = replace(
            before,
            round=number,
            shared=joined,
            memory=memory,
            private=before.private.after(kept),
            used=used,
            under_way=under_way(before.under_way, number) + laid,
            ledger=ledger,
            online=Online(online.hits + tally.hits, online.loss + tally.online_loss, online.samples + tally.arrivals),
            flags=tally.flags,
            samples=before.samples + (tally.trained if number > 1 else 0),
            largest=tally.largest(before.largest),
            seconds=seconds,
        )
        with _timed(seconds, "evaluate"):
            sent = self._make_ternary(state)
            found = {**self._evaluate(state), "broadcast": sent, "epsilon": self._spent(number)}
            stop.check()
        found["link_s"] = link.seconds(sum(map(len, broadcast.messages.values())), len(chosen))
        found["late"] = len(come(before.under_way, number))
        found["rounding"] = rounding(*(own.get("prototypes", {}) for own in (before.shared, broadcast.shared)))
        dropped_out = {DROPPED_OUT: {str(k): 1 for k in gone}}
        refused = _together(gate.refused, self.lost(), dropped_out, self.late.refused(before.under_way, number))
        return state, tally.line(number, found, ledger, before.ledger, joined.get("prototypes"), refused)

    def _gate(self, model: State, asked: list[int]) -> Gate:
        """Return what stands before the server in a round."""
        length = float(torch.stack([torch.linalg.vector_norm(value.double()) for value in model.values()]).norm())
        check = Check(self.client.expected, self.samples, self.config.hostile.norm_bound * max(1.0, length))
        return Gate(check, asked, self.federation.clients)

    def _spent(self, rounds: int) -> float | None:
        """Return the epsilon that so many rounds spend; None where nothing is private."""
        return self.federation.budget.spent(rounds) if self.federation.budget else None

    def _make_ternary(self, state: ServerState) -> str | None:
        """Make the model ternary that is sent next and return ``ternary``; ``dense`` where that loses too much."""
        ternary = self.federation.method.ternary
        if not ternary.scales:
            return None
        dense, state.shared = state.shared, {**state.shared, "model": ternary.joined(state.shared["model"])}
        if self.validator is None:
            return "ternary"
        if self.validator.accuracy(replace(state, shared=dense)) - self.validator.accuracy(state) <= MOST_LOST:
            return "ternary"
        state.shared = dense
        return "dense"

    def _evaluate(self, state: ServerState) -> dict[str, object]:
        if self.validator is not None and self.config.recipe.fusion == "validation":
            state.shared = {**state.shared, "fusion": self.validator.fusion(state)}  # devices use it in every round
        last = state.round > self.federation.rounds - TAIL
        if not last and state.round % self.config.run.evaluate_every:
            return {}
        if not last:
            return self.evaluator.plain(state)
        found = self.evaluator.full(state)
        state.tail = [*state.tail, found]
        if self.validator is not None:
            state.validation = [*state.validation, self.validator.plain(state)]
        return found


def _together(*every: Mapping[str, Mapping[str, int]]) -> Refused:
    """Put together who was not heard, and why."""
    found: Refused = {}
    for refused in every:
        for why, own in refused.items():
            if own:
                found[why] = {**found.get(why, {}), **own}
    return found


def _stoppable(outcomes: Iterator[Outcome], stop: Stop) -> Iterator[Outcome]:
    for outcome in outcomes:
        stop.check()
        yield outcome


def _keeping(
    outcomes: Iterator[Outcome],
    number: int,
    used: NDArray[np.int64],
    private: Private,
    kept: list[int],
) -> Iterator[Outcome]:
    """Note whose outcomes are used, lay aside what clients keep, and note who does."""
    for outcome in outcomes:
        used[outcome.clients] = number
        for client, state in outcome.private.items():
            private.put(client, state)
            kept.append(client)
        yield outcome


@contextmanager
def _timed(seconds: Counter[str], what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[what] += time.perf_counter() - began  # type: ignore[assignment]
