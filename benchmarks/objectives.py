"""Measure what docs/objectives.md states, and write it: methods beside their controls, each with settings of its own.

    MOTET_DATA=folder/of/archives python benchmarks/objectives.py [STUDY ...]

Learning rate and local epochs are chosen for every recipe from the same few on samples held out of training (`motet run
--validation`: whole people, or a fifth of each class; others with every seed), over two seeds; a control takes those of
its recipe. The test split is then used once, with all training samples. Runs lie in folders of their own under
runs/objectives; finished ones are read, begun ones go on. The text is filled from the data, so a figure can't disagree
with the run that it comes from.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from studies import (
    SEARCH_SEEDS,
    Figure,
    Point,
    accuracy,
    carry_out,
    command,
    difference,
    left_out,
    search,
    with_interval,
)

from motet.learn.recipe import RECIPES
from motet.record.result import Result

PAGE = Path(__file__).resolve().parent.parent / "docs" / "objectives.md"
FOLDER = Path("runs/objectives")
GRID: dict[str, tuple[float, ...]] = {"lr": (0.01, 0.003, 0.03, 0.1), "local_epochs": (5, 2, 10)}
SEEDS = 5
ADAM = {"optimizer": "adam", "lr_decay": 0.98, "lr_min": 0.0005, "evaluate_every": 1000, "engine": "vector"}


@dataclass(frozen=True)
class Study:
    """Recipes held against the first; `settings` are the same for all of them.

    Attributes
    ----------
    like : str, optional
        The study whose rates and epochs are taken over; without it they are chosen.
    """

    title: str
    recipes: tuple[str, ...]
    settings: Point
    like: str | None = None
    seeds: int = SEEDS


INTRODUCTION = f"""# Methods beside their controls

Measured with `benchmarks/objectives.py`. Unless a section says otherwise, a recipe's learning rate was chosen from
{", ".join(f"{rate:g}" for rate in sorted(GRID["lr"]))} at {GRID["local_epochs"][0]} local epochs, then its epochs from
{", ".join(map(str, sorted(GRID["local_epochs"])))} at that rate, by accuracy on samples held out of training
(`--validation`: a fifth of the people, or of each class), over {SEARCH_SEEDS} seeds; a control takes what its recipe
has. The test split was then used once, with all training samples. Accuracies are means over the last ten rounds and
over seeds; "one left out" is the mean accuracy with one sensor left out (with two sensors: of each alone); brackets
hold 95 % intervals of paired differences to the first row, in points (Student's t)."""

PHONE = {"data": "phonewatch.npz", "unimodal_share": 0.5, "rounds": 60, **ADAM}
LATE = ("late", "late-unimodal", "fedmchain", "fedmchain-mean", "fedmchain-alone")
TAUGHT = ("fedavg", "late-unimodal", "fedcmi", "fedcmi-untaught", "fedcmi-plain")
HALF = {"unimodal_share": 0.5, "rounds": 60, **ADAM, "encoder": "summary"}
DIGITS = {"data": "avdigits.npz", "partition": "dirichlet", "alpha": 0.5, "clients": 10, "noise": "image=1.5,audio=1"}
STUDIES = {
    "phonewatch-summary": Study(
        "Phone and watch, half the clients with one sensor", LATE, {**PHONE, "encoder": "summary"}
    ),
    "phonewatch-raw": Study(
        "The same with convolutions over the raw signals",
        LATE[:3],
        {**PHONE, "encoder": "conv", "rounds": 40},
        like="phonewatch-summary",
        seeds=3,
    ),
    "avdigits": Study(
        "Spoken and written digits, with noise that makes them equally hard",
        LATE,
        {**DIGITS, "encoder": "mlp", "rounds": 30, **ADAM},
    ),
    "infiltration-ucihar": Study(
        "Infiltration: acceleration and rotation, half the clients with one sensor",
        TAUGHT,
        {"data": "ucihar.npz", **HALF},
    ),
    "infiltration-phonewatch": Study(
        "Infiltration: phone and watch, half the clients with one sensor",
        TAUGHT[:4],
        {"data": "phonewatch.npz", **HALF},
    ),
}


def chosen(name: str) -> dict[str, Point]:
    """Return the rate and epochs of every recipe of a study, by accuracy on validation."""
    study = STUDIES[name]
    if study.like is not None:
        return {recipe: point for recipe, point in chosen(study.like).items() if recipe in study.recipes}
    own = {recipe: {"recipe": recipe} for recipe in study.recipes if RECIPES[recipe].control_of is None}
    picked = search(study.settings, FOLDER / name / "search", own, GRID)
    return {recipe: picked[RECIPES[recipe].control_of or recipe] for recipe in study.recipes}


def measure(name: str) -> dict[str, list[Result]]:
    """Carry out a study, or go on with it, or read it."""
    study = STUDIES[name]
    points = {recipe: {"recipe": recipe, **point} for recipe, point in chosen(name).items()}
    return carry_out(study.settings, FOLDER / name / "test", points, study.seeds)


def spread(result: Result) -> float:
    """Return the standard deviation of accuracy over classes."""
    return float(np.std([share for share in result.tail.accuracy_by_class if share is not None]))


FIGURES: dict[str, Figure] = {
    "accuracy": accuracy,
    "one left out": left_out,
    "worst class": lambda r: r.tail.worst_class,
    "spread of classes": spread,
}


def against(found: dict[str, list[Result]], recipe: str, first: str, figure: str) -> str:
    """Return the paired difference of two recipes in points, with its 95 % interval."""
    return with_interval(difference(found[recipe], found[first], FIGURES[figure]))


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
        for figure in ("accuracy", "one left out"):
            cells += ["" if recipe == first else against(found, recipe, first, figure)]
        sent = np.mean([r.bytes.up for r in results]) / 1e6
        rows.append(f"| `{recipe}` | {' | '.join([*cells, f'{sent:.1f}', *map(str, points[recipe].values())])} |")
    return "\n".join([*rows, "", *beside_controls(found)])


def beside_controls(found: dict[str, list[Result]]) -> list[str]:
    """Say how far a recipe is ahead of each of its controls: what its idea alone brings."""
    pairs = [(RECIPES[name].control_of or "", name) for name in found if RECIPES[name].control_of in found]
    return [
        f"- `{whole}` against `{control}`: {against(found, whole, control, 'accuracy')} points in accuracy, "
        f"{against(found, whole, control, 'one left out')} with one left out."
        for whole, control in pairs
    ]


def section(name: str) -> str:
    """Return a study's section: title, command, table."""
    study = STUDIES[name]
    typed = f"motet run --recipe RECIPE --lr LR --local-epochs E {command(study.settings)} --seed SEED"
    how = f"{study.seeds} seeds" + (f"; rates and epochs of `{study.like}`" if study.like else "")
    return f"## {study.title}\n\n```\n{typed}\n```\n\n{how}.\n\n{table(measure(name), chosen(name))}\n"


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
