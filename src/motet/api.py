"""Motet from Python: a run and its model, and comparisons, on any dataset in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from motet.data.dataset import Dataset
from motet.engine import runs
from motet.engine.audit.eavesdrop import CLIENTS, STEPS, eavesdrop
from motet.engine.federation import check
from motet.engine.model import Model
from motet.engine.run import Finished
from motet.engine.run import run as run_rounds
from motet.engine.runs import create, find_data, go_on, with_threads
from motet.engine.watch import ProgressBar, Watch
from motet.engine.worth import modality_worth
from motet.errors import InputError
from motet.learn.recipe import Recipe, resolve
from motet.record.audit import Audit
from motet.record.comparison import compare as join
from motet.record.result import Comparison, Result
from motet.record.track import Track
from motet.record.worth import Worth


class Run(Result):
    """A finished run: everything that `result.json` holds, and the trained model."""

    _finished: Finished = PrivateAttr()

    @property
    def model(self) -> Model:
        """The trained model, which predicts from any subset of the modalities."""
        return Model(self._finished.federation, self._finished.state)


def run(
    data: Dataset | str | os.PathLike[str] | None = None,
    *,
    recipe: str | Recipe = "qqr",
    out: str | Path | None = None,
    track: str | None = None,
    progress: bool = False,
    **settings: Any,
) -> Run:
    """Train once.

    Parameters
    ----------
    data : Dataset, str or path, optional
        A dataset, the name of one, or an archive; the simulated wearables if left out.
    recipe : str or Recipe
        Such as ``"qqr"``, or ``motet.recipe("qqr").but(missing="skip")``.
    out : path, optional
        Folder for checkpoints, history, result and report; nothing is written without it.
    track : str, optional
        Tool to follow the run in, ``"tensorboard"`` or ``"mlflow"``, or with a place, ``"mlflow:http://host:5000"``;
        it is told what `out` records.
    progress : bool
        Whether to show a progress bar.
    **settings
        Any key of the command line, with underscores: ``rounds=100, clients=5, missing_rate=0.5``.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        If a setting is wrong or does not fit the data.
    Interrupted
        If it was stopped with Ctrl-C.

    Examples
    --------
    >>> import motet
    >>> result = motet.run(motet.digits(), recipe="partial", rounds=1, clients=2)
    >>> sorted(result.final.accuracy_by_present)
    ['lower', 'upper', 'upper+lower']
    """
    config = resolve({**settings, **_named(data), "recipe": recipe})
    dataset = find_data(config) if data is None or isinstance(data, str | os.PathLike) else data
    check(config, dataset)
    watch = ProgressBar() if progress else Watch()
    followed = None if track is None else Track.parse(track)
    if out is None:
        if followed is not None:
            raise InputError(f"track={track!r} follows what a folder records: name one with out=")
        finished = run_rounds(config, dataset, watch=watch)
    else:
        config = with_threads(config)
        finished = go_on(create(Path(out), config, followed), config, dataset, watch)
    found = Run.model_validate(finished.result.model_dump())
    found._finished = finished
    return found


def compare(
    data: Dataset | str | os.PathLike[str] | None = None,
    *,
    recipes: Sequence[str | Recipe],
    seeds: int = 3,
    progress: bool = False,
    **settings: Any,
) -> Comparison:
    """Train several recipes on the same data, failures, draws and initial weights.

    Parameters
    ----------
    data : Dataset, str or path, optional
        As for `run`.
    recipes : sequence of str or Recipe
        The others are held against the first.
    seeds : int
        Seeds 0..seeds-1.
    progress : bool
        Whether to show progress bars.
    **settings
        As for `run`.

    Returns
    -------
    Comparison
        With ``summary``, ``paired`` and ``runs``.

    Raises
    ------
    InputError
        As for `run`, for any of the recipes before the first run; or if two recipes have the same name.

    Examples
    --------
    >>> import motet
    >>> found = motet.compare(motet.digits(), recipes=["fedavg", "partial"], seeds=2, rounds=1, clients=2)
    >>> [row.recipe for row in found.summary]
    ['fedavg', 'partial']
    """
    names = [recipe if isinstance(recipe, str) else recipe.name for recipe in recipes]
    if not names or seeds < 1:
        raise InputError(f"give at least one recipe and one seed, not {len(names)} and {seeds}")
    if len(set(names)) < len(names):
        raise InputError(f"recipes must differ in name: {', '.join(names)}; give a changed recipe a name of its own")
    for recipe in recipes:
        resolve({**settings, **_named(data), "recipe": recipe})
    results: dict[tuple[str, int], Result] = {
        (name, seed): run(data, recipe=recipe, progress=progress, seed=seed, **settings)
        for name, recipe in zip(names, recipes, strict=True)
        for seed in range(seeds)
    }
    return join(names, list(range(seeds)), {**_named(data), **settings}, results)


def worth(of: Result | str | os.PathLike[str], *, progress: bool = False) -> Worth:
    """Say what each modality is worth to a trained model: the exact Shapley value of its accuracy on the test split.

    The values add up to accuracy minus chance: without any modality chance is left, 1 / number of classes.

    Parameters
    ----------
    of : Run or path
        What `run` returned, or the folder of a finished run, which keeps its files as they are.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Worth
        With ``overall``, ``by_class`` and ``by_client``, each with ``worth`` by modality.

    Raises
    ------
    InputError
        If there are more than 8 modalities, or the folder holds no finished run.

    Examples
    --------
    >>> import motet
    >>> result = motet.run(motet.digits(), recipe="partial", rounds=1, clients=2)
    >>> sorted(motet.worth(result).overall.worth)
    ['lower', 'upper']
    """
    watch = ProgressBar() if progress else Watch()
    if isinstance(of, str | os.PathLike):
        return runs.worth(Path(of), watch)
    ended = _finished(of)
    return modality_worth(ended.federation, ended.state, watch)


def audit(
    of: Result | str | os.PathLike[str], *, clients: int = CLIENTS, steps: int = STEPS, progress: bool = False
) -> Audit:
    """Say what an eavesdropper recovers of clients' samples from one message of theirs, by its bits and noise.

    It has the trained model, and the test split as data of the same kind. Recovery counts from what those tell by
    themselves: 0 is no better, 1 exact.

    Parameters
    ----------
    of : Run or path
        What `run` returned, or the folder of a finished run, which keeps its files as they are.
    clients : int
        How many to listen to.
    steps : int
        Of gradient descent in an inversion.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Audit
        With ``attempts`` by attack, each with ``leaks`` by bits and noise.

    Raises
    ------
    InputError
        If the folder holds no finished run, or there are to be no clients or no steps.

    Examples
    --------
    >>> import motet
    >>> result = motet.run(motet.digits(), recipe="pmm", rounds=1, clients=2)
    >>> list(motet.audit(result, clients=1, steps=1).attempts)[:2]
    ['nearest sample', 'prototype inversion']
    """
    if clients < 1 or steps < 1:
        raise InputError(f"give at least one client and one step, not {clients} and {steps}")
    watch = ProgressBar() if progress else Watch()
    if isinstance(of, str | os.PathLike):
        return runs.audit(Path(of), watch, clients, steps)
    ended = _finished(of)
    return eavesdrop(ended.federation, ended.state, watch, clients, steps)


def _finished(of: Result) -> Finished:
    if not isinstance(of, Run):
        raise InputError(f"give what motet.run returned, or the folder of a finished run, not {type(of).__name__}")
    return of._finished


def _named(data: Dataset | str | os.PathLike[str] | None) -> Mapping[str, Any]:
    """Return the configuration's name of the data."""
    if data is None:
        return {}
    if isinstance(data, str | os.PathLike):
        return {"data": os.fspath(data)}
    if not hasattr(data, "modalities"):
        raise InputError(
            f"data must be a dataset, the name of one or the path of an archive, not {type(data).__name__}: "
            "see motet.load, motet.wearables and motet.ArrayDataset"
        )
    return {"data": data.name}
