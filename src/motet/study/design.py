"""What a study is: a question, what is run for it, and which of its rows are held against which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from motet.config import RecipeSettings, option
from motet.errors import InputError
from motet.learn.recipe import RECIPES

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """Settings under a name: a panel of the figure, a place on its axis, or a row (a recipe, mostly).

    Attributes
    ----------
    name : str
    settings : mapping of flat keys to values
    like : str, optional
        Of a row: the one whose searched settings it takes over, so that a control differs in its idea alone.
    grid : mapping of flat key to tuple of values, optional
        Of a row: what is searched in place of the search's own values, as many of them, where others make sense.
    """

    name: str
    settings: Settings
    like: str | None = None
    grid: Mapping[str, tuple[Any, ...]] | None = None


@dataclass(frozen=True)
class Search:
    """Settings that are chosen for every row of every panel, by accuracy on samples held out of training.

    Attributes
    ----------
    grid : mapping of flat key to tuple of values
        Chosen one key after the other; later ones are at their first value meanwhile.
    seeds : int
    at : str
        The point of the axis at which they are chosen; what is found holds for all points.
    """

    grid: Mapping[str, tuple[Any, ...]]
    seeds: int
    at: str


class Cell(NamedTuple):
    """Where a run belongs."""

    panel: str
    point: str
    row: str
    seed: int


@dataclass(frozen=True)
class Design:
    """What is run: every row at every point of every panel, with every seed.

    Attributes
    ----------
    settings : mapping of flat keys to values
        What all runs have in common.
    panels, points, rows : tuple of Variant
        Settings of a row win over those of a point, these over those of a panel, these over the common ones.
    seeds : int
    search : Search, optional
    """

    settings: Settings
    panels: tuple[Variant, ...]
    points: tuple[Variant, ...]
    rows: tuple[Variant, ...]
    seeds: int
    search: Search | None = None

    def cells(self) -> Iterator[Cell]:
        """Yield all cells, seeds fastest."""
        for panel in self.panels:
            for point in self.points:
                for row in self.rows:
                    for seed in range(self.seeds):
                        yield Cell(panel.name, point.name, row.name, seed)

    def at(self, panel: str, point: str, row: str) -> dict[str, Any]:
        """Return the settings of a cell, without seed and without what is searched."""
        chosen = (named(self.panels, panel), named(self.points, point), named(self.rows, row))
        found = dict(self.settings)
        for variant in chosen:
            found |= variant.settings
        return found

    def given(self, settings: Settings) -> Design:
        """Return the design with settings of a user's own; `data` replaces all archives.

        Every run takes them but those of rows that have such a setting of their own.

        Raises
        ------
        InputError
            If the study itself varies one of them.
        """
        own = {key: value for key, value in settings.items() if key not in self._varied("data" in settings)}
        for key in settings:
            if key not in own:
                raise InputError(f"{option(key)} is what this study varies: leave it out, or use `motet compare`")
        panels, common = self.panels, dict(self.settings)
        if "data" in settings:
            panels = _on_one(panels, Path(str(settings["data"])).stem)
            common = {key: value for key, value in common.items() if key not in ARCHIVE}
        panels = tuple(
            replace(panel, settings={k: v for k, v in panel.settings.items() if k not in own}) for panel in panels
        )
        return replace(self, settings={**common, **settings}, panels=panels)

    def _varied(self, elsewhere: bool) -> set[str]:
        """Return the keys that tell points, panels or rows apart, or are searched; archives are one `elsewhere`."""
        found = {key for point in self.points for key in point.settings} | set(self.search.grid if self.search else ())
        archives = set(ARCHIVE) if elsewhere else set()
        found |= _differing([panel.settings for panel in self.panels]) - archives
        found |= set.intersection(*(set(row.settings) for row in self.rows))
        return found | _differing([_choices(row) for row in self.rows if "recipe" in row.settings])


def _choices(row: Variant) -> Settings:
    """Return a row's choices: those of its recipe, and those that it changes."""
    changed = {key: value for key, value in row.settings.items() if key in RecipeSettings.model_fields}
    return {**RECIPES[row.settings["recipe"]].choices, **changed}


def _differing(every: list[Settings]) -> set[str]:
    """Return the keys whose values, or whose presence, differ."""
    keys = {key for settings in every for key in settings}
    return {key for key in keys if len({repr(settings.get(key)) for settings in every}) > 1}


ARCHIVE = (
    "data",
    "modalities",
    "noise",
    "encoder",
    "clients",
    "partition",
    *(f"{what}_{name}" for what in ("missing", "degraded") for name in ("modality", "bias")),
)
"""Keys that belong to an archive: another one does not want them."""


def _on_one(panels: Iterable[Variant], name: str) -> tuple[Variant, ...]:
    """Return the panels that are left when all their archives are the same one."""
    found: dict[str, Variant] = {}
    for panel in panels:
        rest = {key: value for key, value in panel.settings.items() if key not in ARCHIVE}
        _, comma, what = panel.name.partition(", ")
        title = name + comma + what
        found.setdefault(title, Variant(title, rest))
    return tuple(found.values())


def named(variants: Iterable[Variant], name: str) -> Variant:
    """Return the variant of a name."""
    return next(variant for variant in variants if variant.name == name)


@dataclass(frozen=True)
class Study:
    """A prepared study.

    Attributes
    ----------
    name : str
        As the command line knows it.
    question : str
        What it answers, in one sentence.
    axis : str
        What its points are.
    small, full : Design
        Minutes, with data that need no files; and what docs/evidence.md is made of.
    pairs : tuple of (row, row)
        Which rows the findings hold against which.
    figures : tuple of str
        What is drawn and tabled, of `motet.study.measures.MEASURES`.
    said : tuple of str
        What the findings are about, of `figures`.
    kind : {"training", "regret"}
        What is measured of a run: how well it ends, or its regret on the way.
    reference : str, optional
        The point of the axis that the findings hold the others against, row by row.
    fit : function of (Design, list of modalities), optional
        Makes the points for an archive of the user's own, where they depend on its modalities.
    """

    name: str
    question: str
    axis: str
    small: Design
    full: Design
    pairs: tuple[tuple[str, str], ...]
    figures: tuple[str, ...] = ("accuracy",)
    said: tuple[str, ...] = ("accuracy",)
    kind: Literal["training", "regret"] = "training"
    reference: str | None = None
    fit: Callable[[Design, list[str]], Design] | None = None

    def design(self, preset: str) -> Design:
        """Return the design of a preset, small or full."""
        return self.full if preset == "full" else self.small
