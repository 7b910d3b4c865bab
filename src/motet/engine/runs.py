"""Runs in folders: start, go on, report, what their modalities are worth, and what their messages give away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from motet.config import Config, configure
from motet.data.catalogue import open_dataset
from motet.data.dataset import Dataset
from motet.data.holdout import clients_before
from motet.engine.audit.eavesdrop import eavesdrop
from motet.engine.federation import Simulation, build_federation, check
from motet.engine.follow import following
from motet.engine.interrupt import stop_on_signal
from motet.engine.run import Finished, last_state, threads
from motet.engine.run import run as run_rounds
from motet.engine.state import ServerState
from motet.engine.watch import Watch
from motet.engine.worth import modality_worth
from motet.errors import InputError
from motet.record.audit import Audit
from motet.record.files import write_atomic
from motet.record.folder import RunFolder, free_folder, holds_run, no_run
from motet.record.result import Result, read, to_json
from motet.record.track import Track
from motet.record.worth import Worth

RUNS = Path("runs")


def new_folder(out: Path | None, name: str) -> Path:
    """Return the folder to write to: the one asked for, or one under runs/ that does not exist yet."""
    return out if out is not None else free_folder(RUNS / name)


def start(
    config: Config, folder: Path, watch: Watch, dataset: Dataset | None = None, track: Track | None = None
) -> Result:
    """Carry out a run in a new folder and write its result and report.

    Raises
    ------
    InputError
        If the configuration is wrong, or the folder holds anything; nothing is written then.
    """
    dataset = dataset or find_data(config)
    check(config, dataset)
    config = with_threads(config)
    return go_on(create(folder, config, track), config, dataset, watch).result


def create(folder: Path, config: Config, track: Track | None) -> RunFolder:
    """Make the folder of a run, and write down in it by which tool the run is followed.

    Raises
    ------
    InputError
        If the folder holds anything, or the tool cannot do it; nothing is written then.
    """
    if track is not None:
        track.check()
    made = RunFolder.create(folder, config.flat())
    if track is not None:
        track.begin(folder)
    return made


def resume(folder: Path, watch: Watch, dataset: Dataset | None = None) -> Result:
    """Go on with a run from its last checkpoint, with the threads that it was started with."""
    opened = RunFolder.open(folder)
    try:
        config = configure(opened.config())
        dataset = dataset or _find_again(config)
    except BaseException:
        opened.close()
        raise
    return go_on(opened, config, dataset, watch).result


def carry_out(config: Config, folder: Path, watch: Watch, track: Track | None = None) -> Result:
    """Start a run, go on with it or read its result, as its folder wants it."""
    if not holds_run(folder):
        return start(config, folder, watch, track=track)
    if not finished(folder):
        return resume(folder, watch)
    watch.round(config.training.rounds, None)
    return load_result(folder)


def go_on(folder: RunFolder, config: Config, dataset: Dataset, watch: Watch) -> Finished:
    """Run in an open folder to the end, write result and report, and close it.

    Ctrl-C stops it in the next round it trains in, after a checkpoint.
    """
    from motet.record.report import run_report

    try:
        with stop_on_signal(), following(folder, config.flat(), watch) as (heard, finish):
            finished = run_rounds(config, dataset, folder, heard)
            finish(finished.result)
            folder.finish(finished.result, run_report(finished.result))
    finally:
        folder.close()
    return finished


def finished(folder: Path) -> bool:
    """Return whether a folder holds a finished run.

    Raises
    ------
    InputError
        If it holds no run.
    """
    if not holds_run(folder):
        raise no_run(folder)
    return (folder / "result.json").exists()


def load_result(folder: Path) -> Result:
    """Read the result of a finished run.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = folder / "result.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no finished run (no result.json): go on with `motet resume {folder}`")
    return read(path, Result)


def report(folder: Path) -> Path:
    """Write a finished run's report again, with its audit if there is one, and return its path."""
    from motet.record.report import run_report

    page, audited = folder / "report.html", folder / "audit.json"
    found = read(audited, Audit) if audited.is_file() else None
    write_atomic(page, run_report(load_result(folder), found))
    return page


def worth(folder: Path, watch: Watch) -> Worth:
    """Return what each modality is worth to the final model of a finished run (see `modality_worth`).

    Raises
    ------
    InputError
        If the folder holds no finished run or no checkpoint of its last round, or the data have changed.
    """
    with _ended(folder, watch) as (federation, state):
        return modality_worth(federation, state, watch)


def keep_worth(folder: Path, found: Worth) -> Path:
    """Write what modalities are worth into a run's folder, as numbers and as a figure, and return the figure's path."""
    from motet.record.report.worth import worth_figure

    figure = folder / "worth.svg"
    write_atomic(figure, worth_figure(found))
    write_atomic(folder / "worth.json", to_json(found))
    return figure


def audit(folder: Path, watch: Watch, clients: int, steps: int) -> Audit:
    """Return what an eavesdropper recovers of clients' samples after a finished run (see `eavesdrop`).

    Raises
    ------
    InputError
        As for `worth`.
    """
    with _ended(folder, watch) as (federation, state):
        return eavesdrop(federation, state, watch, clients, steps)


def keep_audit(folder: Path, found: Audit) -> Path:
    """Write what an eavesdropper recovers into a run's folder, and its report with the figure; return the report."""
    write_atomic(folder / "audit.json", to_json(found))
    return report(folder)


@contextmanager
def _ended(folder: Path, watch: Watch) -> Iterator[tuple[Simulation, ServerState]]:
    """Open a finished run and return to its last state, with the threads that it had."""
    inside = sorted(folder.glob("*/result.json"))
    if inside and not holds_run(folder):
        raise InputError(f"{folder} holds several runs: name one of them, such as {inside[0].parent}")
    load_result(folder)
    opened = RunFolder.open(folder)
    try:
        config = configure(opened.config())
        with threads(config.run.threads):
            federation = build_federation(config, _find_again(config), watch)
            state = last_state(federation, opened)
            if state.round < federation.rounds:
                raise InputError(
                    f"{folder} has no checkpoint of its last round ({federation.rounds}): run it again elsewhere"
                )
            yield federation, state
    finally:
        opened.close()


def find_data(config: Config) -> Dataset:
    """Open the data set that a configuration names."""
    clients = config.clients.clients
    if config.data.validation and clients is not None:
        clients = clients_before(clients)  # so that simulated people are left when some are held out
    return open_dataset(config.data.data, clients=clients, seed=config.run.seed, modalities=config.data.modalities)


def _find_again(config: Config) -> Dataset:
    try:
        return find_data(config)
    except InputError as error:
        raise InputError(
            f"{error}; the run began with --data {config.data.data}: resume it in the same place"
        ) from None


def with_threads(config: Config) -> Config:
    """Write down the number of threads, on which bits depend."""
    return config.but(threads=config.run.threads or torch.get_num_threads())
