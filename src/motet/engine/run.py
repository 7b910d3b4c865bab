"""A run: round after round, recorded so that it can be killed and gone on with at any moment."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from motet.config import Config
from motet.data.dataset import Dataset
from motet.engine.attackers import Attackers
from motet.engine.choice import choose
from motet.engine.client import Client
from motet.engine.evaluate import Evaluator
from motet.engine.federation import Federation, build_federation
from motet.engine.gate import Gate
from motet.engine.interrupt import Stop, stop_on_signal
from motet.engine.outcome import Outcome
from motet.engine.participants import participants
from motet.engine.private import Private
from motet.engine.server import Server
from motet.engine.state import Online, ServerState, initial_state
from motet.engine.summary import summarise
from motet.engine.tally import Tally
from motet.engine.trainer import make_trainer
from motet.engine.trial import fastest
from motet.engine.watch import Watch
from motet.errors import Interrupted
from motet.measure.flags import FlagScores
from motet.nets.encoder import blank
from motet.nets.network import State
from motet.record.folder import Memory, RunFolder
from motet.record.result import Engine, Result, Round
from motet.stream.assessment import assessor_for
from motet.wire.check import Check
from motet.wire.ledger import Ledger

TAIL = 10
"""The last rounds, whose evaluations are averaged."""
MOST_LOST = 0.03
"""Of the accuracy on validation, by a ternary model; where it is more, the one that was joined is sent as it is."""


@dataclass
class Finished:
    """A run that is over: its record, and what a model needs to predict."""

    result: Result
    federation: Federation
    state: ServerState


class Runner:
    """Runs rounds.

    Parameters
    ----------
    federation : Federation
    watch : Watch
    engine : Engine, optional
        The one that the run began with; if none, it is chosen now.
    """

    def __init__(self, federation: Federation, watch: Watch, engine: Engine | None = None) -> None:
        config, method = federation.config, federation.method
        assessor = assessor_for(config.assessment, federation.dataset.modalities, method.uses_quality)
        self.federation, self.config, self.watch = federation, config, watch
        attackers, privacy = Attackers(config, method, federation.clients), federation.privacy
        self.client = Client(config, method, assessor, attackers, privacy)
        self.server = Server(config, method, assessor, federation.clients, privacy)
        self.engine = engine or self._choose()
        self.trainer = make_trainer(self.engine, self.client, federation.views)
        self.evaluator = Evaluator(federation, self.client)
        self.samples = max(stream.size for stream in federation.views.streams)
        self.blocks = {m: list(method.network.blocks[m]) for m in method.modalities}
        held = federation.validation
        self.validator = None if held is None else Evaluator(federation, self.client, held)

    def _choose(self) -> Engine:
        """Choose the engine: by the rule, or by the clock if that is asked for."""
        method, views = self.federation.method, self.federation.views
        clients = participants(self.config, self.federation.clients, 1) or [0]
        samples = int(np.median([stream.held(1) for stream in views.streams]))
        sample = method.network.prepare(blank(self.federation.dataset.modalities))
        rule = choose(self.config, method.network, sample, len(clients), samples)
        if self.config.run.engine != "measure":
            return rule
        broadcast = self.server.broadcast(initial_state(self.federation))
        return fastest(rule, self.client, views, clients, broadcast, self.watch)

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
                keep.add(line, state.to_checkpoint)
                if state.round == rounds:
                    keep.stop(state.round, state.to_checkpoint)
                self.watch.round(state.round, line.accuracy)
        return state

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
            broadcast = self.server.broadcast(before)
            broadcast.enter(ledger, times=len(chosen))
            gate = self._gate(broadcast.shared["model"], chosen)
            outcomes = tally.over(gate.over(self.trainer.train(number, chosen, broadcast, before.private)))
            kept: list[int] = []
            joined, memory = self.server.join(
                before, number, _keeping(_stoppable(outcomes, stop), before.private, kept), ledger
            )
        online = before.online
        state = replace(
            before,
            round=number,
            shared=joined,
            memory=memory,
            private=before.private.after(kept),
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
        return state, tally.line(number, found, ledger, before.ledger, joined.get("prototypes"), gate.refused)

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


def _stoppable(outcomes: Iterator[Outcome], stop: Stop) -> Iterator[Outcome]:
    for outcome in outcomes:
        stop.check()
        yield outcome


def _keeping(outcomes: Iterator[Outcome], private: Private, kept: list[int]) -> Iterator[Outcome]:
    """Lay aside what clients keep, and note who does."""
    for outcome in outcomes:
        for client, state in outcome.private.items():
            private.put(client, state)
            kept.append(client)
        yield outcome


@contextmanager
def _timed(seconds: Counter[str], what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[what] += time.perf_counter() - began  # type: ignore[assignment]


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Set PyTorch's threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def last_state(federation: Federation, keep: Memory | RunFolder) -> ServerState:
    """Return the state of the newest checkpoint; that before the first round if there is none.

    Raises
    ------
    InputError
        If the checkpoint is damaged, or not one of this configuration and these data.
    """
    state, found = initial_state(federation), keep.latest()
    return state if found is None else ServerState.from_checkpoint(*found, expected=state)


def run(config: Config, dataset: Dataset, folder: RunFolder | None = None, watch: Watch | None = None) -> Finished:
    """Carry out a run, or go on with the one in the folder.

    Parameters
    ----------
    config : Config
    dataset : Dataset
    folder : RunFolder, optional
        Where to record; without one the history stays in memory.
    watch : Watch, optional
        Who hears of progress.

    Raises
    ------
    InputError
        If the configuration does not fit the data, or the folder's checkpoint not the configuration.
    Interrupted
        If the user stopped it.
    """
    watch = watch or Watch()
    with threads(config.run.threads):
        federation = build_federation(config, dataset, watch)
        keep = folder or Memory()
        state = last_state(federation, keep)
        if folder is not None:
            folder.rewind(state.round)
        runner = Runner(federation, watch, keep.engine())
        if state.round == 0:
            keep.begin(runner.engine)
        state = runner.go(state, keep)
        result = summarise(federation, state, keep.history(), runner.engine)
    return Finished(result, federation, state)
