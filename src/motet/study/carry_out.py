"""From a design to its data: settings are chosen on validation, then every cell is run, or read where it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from motet.config import Config
from motet.data.dataset import Dataset
from motet.engine import cache, runs
from motet.engine.federation import check, fit
from motet.engine.regret import check_regret, measure_regret
from motet.engine.summary import versions
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.learn.recipe import resolve
from motet.record.regret import Regret
from motet.record.result import Result
from motet.study.data import Found, Header, Line, Tried, line_of, line_of_regret, names
from motet.study.design import Cell, Design, Search, Study

Chosen = dict[str, dict[str, dict[str, Any]]]


def carry_out(study: Study, preset: str, design: Design, command: str, kept: Path, watch: Watch) -> Found:
    """Run a study, or go on with it.

    Parameters
    ----------
    study : Study
    preset, command : str
        For the record.
    design : Design
    kept : Path
        Where runs are kept (see `motet.engine.cache`).
    watch : Watch

    Raises
    ------
    MotetError
        If a run fails; the others stop after a checkpoint.
    """
    chosen, tried = choose(design, kept, watch)
    cells = list(design.cells())
    configs = [_config(design, chosen, cell.panel, cell.point, cell.row, seed=cell.seed) for cell in cells]
    work, line = KINDS[study.kind]
    records = cache.carry_out(work, configs, kept, watch)
    header = Header(
        study=study.name,
        preset=preset,
        command=command,
        versions=versions(),
        seeds=design.seeds,
        settings=dict(design.settings),
        panels=names(design.panels),
        points=names(design.points),
        rows=names(design.rows),
        chosen=chosen,
        tried=tried,
        search_seeds=design.search.seeds if design.search else 0,
        search_at=design.search.at if design.search else None,
        like={row.name: row.like for row in design.rows if row.like is not None},
    )
    return Found(header, [line(cell, record) for cell, record in zip(cells, records, strict=True)])


KINDS: dict[str, tuple[cache.Work[Any], Callable[[Cell, Any], Line]]] = {
    "training": (cache.TRAINING, line_of),
    "regret": (cache.Work(measure_regret, Regret), line_of_regret),
}
"""What is done for a run of a study, and what is kept of its record."""


def check_all(design: Design, kind: str = "training") -> None:
    """Refuse a design that cannot be run, before anything is.

    Every row is tried at the first point and every point with the first row, on every panel; and with samples held out
    for a search.

    Raises
    ------
    InputError
        If a setting is wrong or does not fit the data, or the data are not there; the sentence names the cell.
    """
    datasets: dict[tuple[object, ...], Dataset] = {}
    for panel in design.panels:
        rows = [(design.points[0].name, row.name) for row in design.rows]
        points = [(point.name, design.rows[0].name) for point in design.points]
        tries = [(*cell, False) for cell in dict.fromkeys([*rows, *points])]
        tries += [(design.search.at, design.rows[0].name, True)] if design.search else []
        for point, row, held_out in tries:
            try:
                config = _config(design, {}, panel.name, point, row, seed=0, validation=held_out)
                if kind == "regret":
                    check_regret(config)
                key = (config.data.data, config.clients.clients, held_out, *(config.data.modalities or ()))
                if key not in datasets:
                    datasets[key] = runs.find_data(config)
                    check(config, datasets[key])
                fit(config, datasets[key])
            except InputError as error:
                raise InputError(f"{panel.name}, {point}, {row}: {error}") from None


def choose(design: Design, kept: Path, watch: Watch) -> tuple[Chosen, list[Tried]]:
    """Choose settings for every row of every panel, by mean accuracy on samples held out of training.

    Returns
    -------
    chosen : dict of panel to dict of row to settings
    tried : list of Tried
    """
    search = design.search
    if search is None:
        return {}, []
    rows = {row.name: row.grid or search.grid for row in design.rows if row.like is None}
    first = {name: {key: values[0] for key, values in grid.items()} for name, grid in rows.items()}
    chosen: Chosen = {panel.name: {name: dict(own) for name, own in first.items()} for panel in design.panels}
    tried: list[Tried] = []
    for key in search.grid:
        new = list(_tries(chosen, rows, key, tried))
        scores = _validated(design, search, new, kept, watch)
        tried += [Tried(panel=p, row=r, settings=s, accuracy=a) for (p, r, s), a in zip(new, scores, strict=True)]
        for panel, row in product(chosen, rows):
            rivals = [t for t in tried if (t.panel, t.row) == (panel, row)]
            chosen[panel][row] = dict(max(rivals, key=lambda t: t.accuracy).settings)
    for own in chosen.values():
        own |= {row.name: own[row.like] for row in design.rows if row.like is not None}
    return chosen, tried


Try = tuple[str, str, dict[str, Any]]
Grid = Mapping[str, tuple[Any, ...]]


def _tries(chosen: Chosen, rows: Mapping[str, Grid], key: str, tried: list[Tried]) -> Iterator[Try]:
    """Yield what is to be tried for a key, less what was tried before."""
    known = [(t.panel, t.row, t.settings) for t in tried]
    for panel, (row, grid) in product(chosen, rows.items()):
        for value in grid[key]:
            settings = {**chosen[panel][row], key: value}
            if (panel, row, settings) not in known:
                yield panel, row, settings


def _validated(design: Design, search: Search, tries: list[Try], kept: Path, watch: Watch) -> list[float]:
    """Return what each try reaches on validation."""
    configs = [
        _config(design, {}, panel, search.at, row, **settings, validation=True, seed=seed)
        for panel, row, settings in tries
        for seed in range(search.seeds)
    ]
    found = [_on_validation(result) for result in cache.carry_out(cache.TRAINING, configs, kept, watch)]
    return [float(np.mean(own)) for own in np.reshape(found, (len(tries), search.seeds))]


def _on_validation(result: Result) -> float:
    assert result.validation is not None, "the run was asked to hold samples out"
    return result.validation.accuracy


def _config(
    design: Design, chosen: Mapping[str, Mapping[str, Mapping[str, Any]]], panel: str, point: str, row: str, **own: Any
) -> Config:
    searched = chosen.get(panel, {}).get(row, {})
    return resolve({**design.at(panel, point, row), **searched, **own})
