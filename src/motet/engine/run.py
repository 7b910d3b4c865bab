"""A run whose clients are simulated here, from its configuration and data to its record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from motet.config import Config
from motet.data.dataset import Dataset
from motet.engine.choice import rule
from motet.engine.federation import Federation, Simulation, build_federation
from motet.engine.participants import participants
from motet.engine.rounds import Rounds
from motet.engine.state import ServerState, initial_state
from motet.engine.summary import summarise
from motet.engine.trainer import make_trainer
from motet.engine.trial import fastest
from motet.engine.watch import Watch
from motet.record.folder import Memory, RunFolder
from motet.record.result import Engine, Result


@dataclass
class Finished:
    """A run that is over: its record, and what a model needs to predict."""

    result: Result
    federation: Simulation
    state: ServerState


class Runner(Rounds):
    """Runs rounds of clients that are simulated here.

    Parameters
    ----------
    simulation : Simulation
    watch : Watch
    engine : Engine, optional
        The one that the run began with; if none, it is chosen now.
    """

    def __init__(self, simulation: Simulation, watch: Watch, engine: Engine | None = None) -> None:
        super().__init__(simulation, watch)
        self.views = simulation.views
        self.engine = engine or self._choose()
        self.trainer = make_trainer(self.engine, self.client, self.views)

    def _choose(self) -> Engine:
        """Choose the engine: by the rule, or by the clock if that is asked for."""
        method, modalities = self.federation.method, self.federation.dataset.modalities
        clients = participants(self.config, self.federation.clients, 1) or [0]
        chosen = rule(self.config, method, modalities, self.views.streams.values(), len(clients))
        if self.config.run.engine != "measure":
            return chosen
        broadcast = self.server.broadcast(initial_state(self.federation))
        return fastest(chosen, self.client, self.views, clients, broadcast, self.watch)


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
