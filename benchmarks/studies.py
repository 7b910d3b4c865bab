"""What the scripts that compare methods share: settings chosen on validation, runs side by side, paired differences."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motet.engine import runs
from motet.engine.pool import run_all
from motet.engine.watch import ProgressBar
from motet.learn.recipe import resolve
from motet.measure.statistics import interval
from motet.record.result import Result
from motet.study import data

DATA = Path(os.environ.get("MOTET_DATA", "."))
SEARCH_SEEDS = 2

Point = dict[str, Any]
Figure = Callable[[Result], float]


def carry_out(settings: Point, folder: Path, points: Mapping[str, Point], seeds: int) -> dict[str, list[Result]]:
    """Run every named point with every seed, or read it; return results in the order of seeds."""
    if str(settings["data"]).endswith(".npz"):
        settings = {**settings, "data": str(DATA / settings["data"])}
    jobs = [
        (resolve({**settings, **point, "seed": seed}), folder / f"{name}-seed{seed}")
        for name, point in points.items()
        for seed in range(seeds)
    ]
    results = iter(run_all(jobs, ProgressBar(), runs.carry_out))
    return {name: [next(results) for _ in range(seeds)] for name in points}


def search(
    settings: Point, folder: Path, rows: Mapping[str, Point], grid: Mapping[str, tuple[float, ...]]
) -> dict[str, Point]:
    """Choose one setting of the grid after the other for every row, the later ones at their first values.

    By the mean accuracy on samples held out of training (`motet run --validation`), others with every seed.
    """
    picked = {row: {key: values[0] for key, values in grid.items()} for row in rows}
    for key, values in grid.items():
        tried = {(row, value): {**picked[row], key: value} for row in rows for value in values}
        names = {pair: "-".join([pair[0], *map(str, point.values())]) for pair, point in tried.items()}
        points = {names[pair]: {**rows[pair[0]], **point, "validation": True} for pair, point in tried.items()}
        found = {name: validated(own) for name, own in carry_out(settings, folder, points, SEARCH_SEEDS).items()}
        for row in rows:
            scores = {value: found[names[row, value]] for value in values}
            picked[row][key] = max(scores, key=lambda value: scores[value])
    return picked


def validated(results: Iterable[Result]) -> float:
    """Return the mean accuracy on the samples held out of training for validation."""
    return float(np.mean([result.validation.accuracy for result in results if result.validation]))


def accuracy(result: Result) -> float:
    """Return the accuracy over the last ten rounds."""
    return result.tail.accuracy


def left_out(result: Result) -> float:
    """Return the mean accuracy with one modality left out; with two, of each alone."""
    found = data.left_out(result.tail)
    assert found is not None, "there are several modalities"
    return found


def difference(ours: list[Result], theirs: list[Result], figure: Figure = accuracy) -> tuple[float, float, float]:
    """Return the mean of paired differences in points, and its 95 % interval."""
    values = [100 * (figure(a) - figure(b)) for a, b in zip(ours, theirs, strict=True)]
    return float(np.mean(values)), *(interval(values) or (float("nan"), float("nan")))


def with_interval(found: tuple[float, float, float]) -> str:
    """Write a difference and its interval."""
    mean, low, high = found
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def command(settings: Point) -> str:
    """Return settings as options of the command line."""
    return " ".join(f"--{key.replace('_', '-')} {value}" for key, value in settings.items())
