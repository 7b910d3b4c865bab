"""Measure what docs/objectives.md states, and write it: methods beside their controls, each with settings of its own.

    MOTET_DATA=folder/of/archives python benchmarks/objectives.py [STUDY ...]

Learning rate and local epochs are chosen for every recipe from the same few on a validation split (whole people, or a
fifth of each class), over two seeds; a control takes those of its recipe. The test split is then used once, with all
training samples. Runs lie in folders of their own under runs/objectives; finished ones are read, begun ones go on. The
text is filled from the data, so a figure can't disagree with the run that it comes from.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import motet
from motet.data.dataset import TEST, TRAIN, VALIDATION, but
from motet.data.holdout import hold_out_validation
from motet.engine.pool import run_all
from motet.engine.watch import ProgressBar
from motet.learn.recipe import RECIPES, resolve
from motet.measure.statistics import interval
from motet.record.result import Result

PAGE = Path(__file__).resolve().parent.parent / "docs" / "objectives.md"
DATA = Path(os.environ.get("MOTET_DATA", "."))
FOLDER = Path("runs/objectives")
GRID = {"lr": (0.003, 0.01, 0.03), "local_epochs": (2, 5)}
SEARCH_SEEDS, SEEDS = 2, 5
ADAM = {"optimizer": "adam", "lr_decay": 0.98, "lr_min": 0.0005, "evaluate_every": 1000, "engine": "vector"}

Point = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """Recipes held against the first on an archive; `settings` are the same for all of them.

    Attributes
    ----------
    like : str, optional
        The study whose rates and epochs are taken over; without it they are chosen.
    """

    title: str
    archive: str
    recipes: tuple[str, ...]
    settings: Point
    like: str | None = None
    seeds: int = SEEDS


INTRODUCTION = """# Methods beside their controls

Measured with `benchmarks/objectives.py`. Unless a section says otherwise, learning rate and local epochs are chosen
for every recipe from the same six pairs on a validation split (a fifth of the people, or of each class), over two
seeds; a control takes those of its recipe. The test split was then used once, with all training samples. Accuracies
are means over the last ten rounds and over seeds; "one left out" is the mean accuracy with one sensor left out (with
two sensors: of each alone); brackets hold 95 % intervals of paired differences to the first row, in points (Student's
t)."""

PHONE = {"unimodal_share": 0.5, "rounds": 100, **ADAM}
LATE = ("late", "late-unimodal", "fedmchain", "fedmchain-mean", "fedmchain-alone")
TAUGHT = ("fedavg", "late-unimodal", "fedcmi", "fedcmi-untaught", "fedcmi-plain")
HALF = {"unimodal_share": 0.5, "rounds": 60, **ADAM, "encoder": "summary"}
DIGITS = {"partition": "dirichlet", "alpha": 0.5, "clients": 10, "noise": "image=1.5,audio=1"}
STUDIES = {
    "phonewatch-summary": Study(
        "Phone and watch, half the clients with one sensor", "phonewatch.npz", LATE, {**PHONE, "encoder": "summary"}
    ),
    "phonewatch-raw": Study(
        "The same with convolutions over the raw signals",
        "phonewatch.npz",
        LATE[:3],
        {**PHONE, "encoder": "conv", "rounds": 40},
        like="phonewatch-summary",
        seeds=3,
    ),
    "avdigits": Study(
        "Spoken and written digits, with noise that makes them equally hard",
        "avdigits.npz",
        LATE,
        {**DIGITS, "encoder": "mlp", "rounds": 60, **ADAM},
    ),
    "infiltration-ucihar": Study(
        "Infiltration: acceleration and rotation, half the clients with one sensor", "ucihar.npz", TAUGHT, HALF
    ),
    "infiltration-phonewatch": Study(
        "Infiltration: phone and watch, half the clients with one sensor", "phonewatch.npz", TAUGHT, HALF
    ),
}


def for_search(archive: str) -> Path:
    """Write an archive whose test split is the validation split, and the other way round; return its path."""
    path = FOLDER / "archives" / archive
    if not path.exists():
        whole = hold_out_validation(motet.load(DATA / archive), 0)
        swapped = np.array([TRAIN, TEST, VALIDATION], dtype=np.uint8)[whole.split]
        path.parent.mkdir(parents=True, exist_ok=True)
        motet.save(but(whole, split=swapped), path)
    return path


def carry_out(study: Study, folder: Path, data: Path, points: dict[str, Point], seeds: int) -> dict[str, list[Result]]:
    """Run every named point with every seed; return results in the order of seeds."""
    jobs = [
        (resolve({**study.settings, "data": str(data), **point, "seed": seed}), folder / f"{name}-seed{seed}")
        for name, point in points.items()
        for seed in range(seeds)
    ]
    results = iter(run_all(jobs, ProgressBar()))
    return {name: [next(results) for _ in range(seeds)] for name in points}


def chosen(name: str) -> dict[str, Point]:
    """Return the rate and epochs of every recipe of a study, by accuracy on validation."""
    study = STUDIES[name]
    own = [recipe for recipe in study.recipes if RECIPES[recipe].control_of is None]
    grid = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    points = {f"{r}-{'-'.join(map(str, p.values()))}": {"recipe": r, **p} for r in own for p in grid}
    if study.like is None:
        found = carry_out(study, FOLDER / name / "search", for_search(study.archive), points, SEARCH_SEEDS)
        best = {r: max(points, key=lambda n, r=r: (points[n]["recipe"] == r, _mean(found[n]))) for r in own}
        picked = {r: {key: points[best[r]][key] for key in GRID} for r in own}
    else:
        picked = chosen(study.like)
    return {r: picked[RECIPES[r].control_of or r] for r in study.recipes}


def measure(name: str) -> dict[str, list[Result]]:
    """Carry out a study, or go on with it, or read it."""
    study = STUDIES[name]
    points = {recipe: {"recipe": recipe, **point} for recipe, point in chosen(name).items()}
    return carry_out(study, FOLDER / name / "test", DATA / study.archive, points, study.seeds)


def _mean(results: Iterable[Result]) -> float:
    return float(np.mean([result.tail.accuracy for result in results]))


def left_out(result: Result) -> float:
    """Return the mean accuracy with one modality left out; with two, of each alone."""
    present = result.tail.accuracy_by_present
    most = max(key.count("+") for key in present)
    return float(np.mean([value for key, value in present.items() if key.count("+") == most - 1]))


def spread(result: Result) -> float:
    """Return the standard deviation of accuracy over classes."""
    return float(np.std(result.tail.accuracy_by_class))


FIGURES: dict[str, Callable[[Result], float]] = {
    "accuracy": lambda r: r.tail.accuracy,
    "one left out": left_out,
    "worst class": lambda r: r.tail.worst_class,
    "spread of classes": spread,
}


def against(found: dict[str, list[Result]], recipe: str, first: str, figure: Callable[[Result], float]) -> str:
    """Return the paired difference of two recipes in points, with its 95 % interval."""
    values = [100 * (figure(a) - figure(b)) for a, b in zip(found[recipe], found[first], strict=True)]
    low, high = interval(values) or (float("nan"), float("nan"))
    return f"{np.mean(values):+.1f} ({low:+.1f} to {high:+.1f})"


def table(found: dict[str, list[Result]], points: dict[str, Point]) -> str:
    """Return a study as a table of Markdown; differences are against its first recipe."""
    first = next(iter(found))
    heads = [
        "recipe",
        *(f"{name}, %" for name in FIGURES),
        "accuracy against",
        "one left out against",
        "sent, MB",
        *GRID,
    ]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for recipe, results in found.items():
        cells = [f"{100 * np.mean([figure(r) for r in results]):.1f}" for figure in FIGURES.values()]
        pairs = (FIGURES[figure] for figure in ("accuracy", "one left out"))
        cells += ["" if recipe == first else against(found, recipe, first, figure) for figure in pairs]
        sent = np.mean([r.bytes.up for r in results]) / 1e6
        rows.append(f"| `{recipe}` | {' | '.join([*cells, f'{sent:.1f}', *map(str, points[recipe].values())])} |")
    return "\n".join([*rows, "", *beside_controls(found)])


def beside_controls(found: dict[str, list[Result]]) -> list[str]:
    """Say how far a recipe is ahead of each of its controls: what its idea alone brings."""
    pairs = [(RECIPES[name].control_of or "", name) for name in found if RECIPES[name].control_of in found]
    return [
        f"- `{whole}` against `{control}`: {against(found, whole, control, FIGURES['accuracy'])} points in accuracy, "
        f"{against(found, whole, control, FIGURES['one left out'])} with one left out."
        for whole, control in pairs
    ]


def section(name: str) -> str:
    """Return a study's section: title, command, table."""
    study = STUDIES[name]
    options = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in study.settings.items())
    command = f"motet run --data {study.archive} --recipe RECIPE --lr LR --local-epochs E {options} --seed SEED"
    how = f"{study.seeds} seeds" + (f"; rates and epochs of `{study.like}`" if study.like else "")
    return f"## {study.title}\n\n```\n{command}\n```\n\n{how}.\n\n{table(measure(name), chosen(name))}\n"


def main() -> None:
    """Measure the studies named, or all, and write the page of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="*", help="some of: " + ", ".join(STUDIES))
    names = parser.parse_args().studies
    sections = {name: section(name) for name in names or STUDIES}
    PAGE.write_text("\n\n".join([INTRODUCTION, *sections.values()]).replace("\n\n\n", "\n\n").rstrip() + "\n")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
