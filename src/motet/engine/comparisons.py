"""Comparisons in folders: several recipes over the same seeds, each run in a folder of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from motet.config import Config
from motet.engine import runs
from motet.engine.federation import check
from motet.engine.pool import run_all
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.learn.recipe import controls as controls_of
from motet.learn.recipe import resolve
from motet.record.comparison import compare
from motet.record.files import sweep, write_atomic
from motet.record.folder import claim, take_lock
from motet.record.report import compare_report
from motet.record.report.reason import why
from motet.record.result import Comparison, read, to_json
from motet.record.track import Track

PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """What to compare.

    Attributes
    ----------
    recipes : list of str
    seeds : list of int
    given : dict of flat keys to values
        What the user set, for all recipes alike.
    configs : dict of (recipe, seed) to Config
    track : Track, optional
        By which tool all runs are followed.
    """

    recipes: list[str]
    seeds: list[int]
    given: dict[str, Any]
    configs: dict[tuple[str, int], Config]
    track: Track | None = None

    @property
    def data(self) -> str:
        """The data set's name."""
        return next(iter(self.configs.values())).data.data


def plan(
    recipes: list[str], seeds: int, given: Mapping[str, Any], controls: bool = False, track: Track | None = None
) -> Plan:
    """Check every configuration of a comparison before anything runs.

    Parameters
    ----------
    recipes : list of str
    seeds : int
    given : mapping of flat keys to values
    controls : bool
        Whether the recipes' controls are compared as well.
    track : Track, optional
        By which tool all runs are followed.

    Raises
    ------
    InputError
        If a recipe is unknown or named twice, or a setting is wrong.
    """
    names = [name.strip() for name in recipes if name.strip()]
    if not names:
        raise InputError("--recipes names none: give at least one, such as fedavg,qqr")
    if len(set(names)) < len(names):
        raise InputError(f"--recipes names one twice: {','.join(names)}")
    if controls:
        names += [name for name in controls_of(names, given) if name not in names]
    if seeds < 1:
        raise InputError(f"--seeds must be at least 1, not {seeds}")
    shared = {key: value for key, value in given.items() if key not in ("recipe", "seed")}
    configs = {
        (name, seed): resolve({**shared, "recipe": name, "seed": seed}) for name in names for seed in range(seeds)
    }
    return Plan(names, list(range(seeds)), shared, configs, track)


def start(chosen: Plan, folder: Path, watch: Watch) -> Comparison:
    """Carry out a comparison in a new folder.

    Raises
    ------
    InputError
        If a setting does not fit the data, the folder holds anything already, or the runs cannot be tracked; nothing is
        written then.
    """
    firsts = [chosen.configs[recipe, chosen.seeds[0]] for recipe in chosen.recipes]
    dataset = runs.find_data(firsts[0])
    for config in firsts:
        check(config, dataset)
    if chosen.track is not None:
        chosen.track.check()
    lock = claim(folder)
    try:
        track = None if chosen.track is None else chosen.track.model_dump()
        content = {"recipes": chosen.recipes, "seeds": len(chosen.seeds), "given": chosen.given, "track": track}
        write_atomic(folder / PLAN, json.dumps(content, indent=1) + "\n")
        return _go_on(chosen, folder, watch)
    finally:
        os.close(lock)


def is_comparison(folder: Path) -> bool:
    """Return whether a folder holds a comparison."""
    return (folder / PLAN).is_file()


def finished(folder: Path) -> bool:
    """Return whether a comparison is over."""
    return (folder / "compare.json").exists()


def resume(folder: Path, watch: Watch) -> Comparison:
    """Go on with a comparison: finished runs are kept, the others go on.

    Raises
    ------
    InputError
        If the folder's plan is damaged, or the folder is in use.
    """
    if finished(folder):
        return load(folder)
    lock = take_lock(folder)
    try:
        sweep(folder)
        return _go_on(_read_plan(folder), folder, watch)
    finally:
        os.close(lock)


def _read_plan(folder: Path) -> Plan:
    try:
        content = json.loads((folder / PLAN).read_text())
        names, seeds, given = content["recipes"], content["seeds"], content["given"]
        track = Track.model_validate(content["track"]) if content.get("track") else None
        return plan(names, seeds, given, track=track)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / PLAN} is damaged ({error}): start the comparison again elsewhere") from None


def _go_on(chosen: Plan, folder: Path, watch: Watch) -> Comparison:
    jobs = [(config, folder / f"{recipe}-seed{seed}") for (recipe, seed), config in chosen.configs.items()]
    track = None if chosen.track is None else chosen.track.inside(folder.absolute().name)
    found = run_all(jobs, watch, partial(runs.carry_out, track=track))
    results = dict(zip(chosen.configs, found, strict=True))
    comparison = compare(chosen.recipes, chosen.seeds, _shared(chosen), results)
    write_atomic(folder / "report.html", compare_report(comparison, why(comparison)))
    write_atomic(folder / "compare.json", to_json(comparison))
    return comparison


def _shared(chosen: Plan) -> dict[str, Any]:
    """Return what all runs have in common."""
    first, *others = (config.flat() for config in chosen.configs.values())
    return {key: value for key, value in first.items() if all(other[key] == value for other in others)}


def load(folder: Path) -> Comparison:
    """Read a finished comparison.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = folder / "compare.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no finished comparison: go on with `motet resume {folder}`")
    return read(path, Comparison)


def report(folder: Path) -> Path:
    """Write a finished comparison's report again and return its path."""
    comparison = load(folder)
    write_atomic(folder / "report.html", compare_report(comparison, why(comparison)))
    return folder / "report.html"
