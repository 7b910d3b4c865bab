"""A run whose regret is measured: each round's model on that round's arrivals as clean samples, before it learns them.

Reg(T) = sum_t [F_t(theta_t) - F_t(theta*)], F_t being the mean loss over what arrives at all clients in round t.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from motet.config import Config
from motet.engine import runs
from motet.engine.client import Client
from motet.engine.comparator import comparator, losses
from motet.engine.federation import Simulation, build_federation, method_of
from motet.engine.interrupt import stop_on_signal
from motet.engine.rows import take_rows
from motet.engine.run import Runner, threads
from motet.engine.state import ServerState, initial_state
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.learn.sample import Batch
from motet.measure.accuracy import log_loss
from motet.measure.regret import places, regret, slope
from motet.record.regret import Regret
from motet.stream.view import whole

Floats = NDArray[np.float64]


class Arrivals(NamedTuple):
    """Everything that ever arrives, as clean samples.

    Attributes
    ----------
    samples : Batch
        Each sample once.
    rounds : list of int64 (n_t,)
        The rows that arrive in each round, at all clients.
    """

    samples: Batch
    rounds: list[NDArray[np.int64]]

    def weight(self) -> Floats:
        """Return how much each sample counts in the mean over rounds of the mean over what arrives."""
        found = np.zeros(len(self.samples.mask))
        for rows in self.rounds:
            np.add.at(found, rows, 1 / len(rows) / len(self.rounds))
        return found

    def by_round(self, each: Floats) -> Floats:
        """Return F_t, from what each sample costs."""
        return np.array([each[rows].mean() for rows in self.rounds])


def measure_regret(config: Config, path: Path, watch: Watch) -> Regret:
    """Carry out a run and measure its regret; nothing is written.

    Parameters
    ----------
    config : Config
        Of a stream, whose model is one for all clients.
    path : Path
        Not used: such a run is short, and begins anew where it was stopped.
    watch : Watch

    Raises
    ------
    InputError
        If there is no stream, or no global model.
    """
    check_regret(config)
    with threads(config.run.threads), stop_on_signal() as stop:
        simulation = build_federation(config, runs.find_data(config), watch)
        runner = Runner(simulation, watch)
        arrivals = arrivals_of(simulation, runner.client)
        state, own = initial_state(simulation), []
        title = f"{config.recipe.recipe} (seed {config.run.seed})"
        with watch.run(title, simulation.rounds, 0):
            for rows in arrivals.rounds:
                own.append(_loss(runner.client, state, take_rows(arrivals.samples, torch.from_numpy(rows))))
                state, line = runner.step(state, stop)
                watch.round(state.round, line.accuracy)
        return _record(simulation, arrivals, own, state)


def check_regret(config: Config) -> None:
    """Refuse a run that has no regret.

    Raises
    ------
    InputError
    """
    if config.stream.buffer == "all":
        raise InputError("regret is that of a stream: set --buffer to a number of samples")
    if config.recipe.aggregate == "none":
        raise InputError("regret is that of one model for all: --aggregate none has none")


def arrivals_of(simulation: Simulation, client: Client) -> Arrivals:
    """Return what arrives in each round of a simulation, as it was recorded."""
    streams = simulation.views.streams.values()
    indices = [
        np.concatenate([s.index(np.arange(s.entered(number - 1), s.entered(number))) for s in streams])
        for number in range(1, simulation.rounds + 1)
    ]
    every, places_of = np.unique(np.concatenate(indices), return_inverse=True)
    dataset = simulation.dataset
    present = {m: dataset.present[m][every] for m in dataset.modalities}
    nothing = {m: np.zeros(len(every), dtype=bool) for m in dataset.modalities}
    view = whole(dataset.take(every), dataset.y[every], present, nothing)
    samples = client.batch(view, {m: np.ones(len(every)) for m in dataset.modalities})
    return Arrivals(samples, np.split(places_of, np.cumsum([len(own) for own in indices])[:-1]))


@torch.inference_mode()
def _loss(client: Client, state: ServerState, batch: Batch) -> float:
    """Return the mean loss of samples by the model that they meet."""
    shared, method = client.receive(state.shared), client.method
    encoded = method.encode(shared["model"], batch.x)
    assert batch.y is not None
    logits = method.logits(shared["model"], method.aux(shared), encoded, batch)
    return float(log_loss(logits.double().cpu().numpy(), batch.y.cpu().numpy()).mean())


def _record(simulation: Simulation, arrivals: Arrivals, own: list[float], state: ServerState) -> Regret:
    config = simulation.config
    clean = config.but(missing="skip", degraded="as-is", drift="none", upload="dense", dtype="float64", device="cpu")
    method = method_of(clean, simulation.dataset)
    samples = _double(arrivals.samples)
    best = comparator(method, samples, arrivals.weight(), config.run.seed)
    with torch.no_grad():
        against = arrivals.by_round(losses(method, best.model, samples).numpy())
    curve = regret(own, against.tolist())
    at = places(len(curve))
    return Regret(
        config=config.flat(),
        seed=config.run.seed,
        rounds=at.tolist(),
        regret=curve[at - 1].tolist(),
        slope=slope(curve),
        loss=float(np.mean(own)),
        comparator=best.kind,
        comparator_loss=float(against.mean()),
        gradient_norm=best.gradient_norm,
        accuracy=float(np.mean([found["accuracy"] for found in state.tail])),
    )


def _double(batch: Batch) -> Batch:
    def of(values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {m: value.cpu().double() if value.is_floating_point() else value.cpu() for m, value in values.items()}

    assert batch.y is not None
    return batch._replace(
        x=of(batch.x), y=batch.y.cpu(), mask=batch.mask.cpu(), present=of(batch.present), quality=of(batch.quality)
    )
