"""How recipes and modalities look: one colour and one mark each, the same in every figure of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from motet.record.comparison import runs_by_recipe
from motet.record.result import Comparison, Result
from motet.record.verdict import is_upper_bound

# (on light paper, on dark paper), each at least 4.5:1 against its paper; lightness alternates for colour-blind readers.
RECIPE_COLOURS = (
    ("#4a5568", "#a9b4c6"),
    ("#1f62b5", "#79b0f2"),
    ("#b4540a", "#f0a462"),
    ("#17744a", "#5fc795"),
    ("#8a3ca8", "#cf9bea"),
    ("#b0243f", "#f28b9c"),
    ("#0b7480", "#56c8d4"),
    ("#7a5d00", "#d8b84a"),
)
INK, MUTED, GRID = ("#1c2026", "#e6e9ee"), ("#626b78", "#9aa4b2"), ("#dfe3e8", "#333a44")
# Rasters are pictures and cannot follow the paper, so these keep 3:1 on both.
MODALITY_COLOURS = ("#3583cc", "#cf6a1f", "#3a9a66", "#a366cf", "#d14d7f", "#8d8422", "#2b97a3", "#8b7766")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


class Look(Protocol):
    """What a line is drawn and named with."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def colour(self) -> str: ...
    @property
    def variable(self) -> str: ...
    @property
    def mark(self) -> str: ...
    @property
    def bound(self) -> bool: ...
    @property
    def series(self) -> str: ...


@dataclass(frozen=True)
class Track:
    """One recipe's runs and how they look.

    Attributes
    ----------
    name : str
    runs : tuple of Result
        In the order of the seeds.
    place : int
        Which colour and mark; less than 0 is an upper bound, which is grey and dashed.
    """

    name: str
    runs: tuple[Result, ...]
    place: int

    @property
    def bound(self) -> bool:
        """Whether it sees data that the others don't."""
        return self.place < 0

    @property
    def label(self) -> str:
        """Its name, with the mark of an upper bound."""
        return f"{self.name} (upper bound)" if self.bound else self.name

    @property
    def colour(self) -> str:
        """The colour on light paper."""
        return MUTED[0] if self.bound else RECIPE_COLOURS[self.place % len(RECIPE_COLOURS)][0]

    @property
    def variable(self) -> str:
        """The colour as the style sheet names it."""
        return VARIABLES[self.colour]

    @property
    def mark(self) -> str:
        """The marker; where colours repeat, the markers are shifted."""
        return MARKS[(self.place + self.place // len(RECIPE_COLOURS)) % len(MARKS)]

    @property
    def series(self) -> str:
        """What its parts are marked with in every drawing, so that all can be hidden."""
        return f"bound{-self.place}" if self.bound else f"recipe{self.place}"


@dataclass(frozen=True)
class Sense:
    """One modality and how it looks.

    Attributes
    ----------
    name : str
    place : int
        Which of the modalities it is.
    """

    name: str
    place: int

    bound = False

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    @property
    def colour(self) -> str:
        """The colour, on any paper."""
        return modality_colour(self.place)

    @property
    def variable(self) -> str:
        """The colour as the style sheet names it."""
        return self.colour

    @property
    def mark(self) -> str:
        """The marker."""
        return MARKS[self.place % len(MARKS)]

    @property
    def series(self) -> str:
        """What its parts are marked with in every drawing."""
        return f"modality{self.place}"


@dataclass(frozen=True)
class LegendItem:
    """One entry under a figure: a line with a mark, or a patch where there is no mark.

    Attributes
    ----------
    series : str, optional
        What it shows and hides; nothing where the drawing is one picture.
    """

    label: str
    colour: str
    mark: str | None = None
    dashed: bool = False
    pale: bool = False
    series: str | None = None


def _variables() -> dict[str, tuple[str, str, str]]:
    pairs = {"ink": INK, "muted": MUTED, "grid": GRID}
    pairs |= {f"recipe-{place}": pair for place, pair in enumerate(RECIPE_COLOURS)}
    return {light: (f"--{name}", light, dark) for name, (light, dark) in pairs.items()}


PALETTE = tuple(_variables().values())
VARIABLES = {light: f"var({name})" for name, light, _ in PALETTE}


def tracks(comparison: Comparison) -> list[Track]:
    """Give each recipe of a comparison its colour and mark."""
    found: list[Track] = []
    fair = bounds = 0
    for name, runs in runs_by_recipe(comparison).items():
        bound = is_upper_bound(name, runs)
        fair, bounds = fair + (not bound), bounds + bound
        found.append(Track(name, tuple(runs), -bounds if bound else fair - 1))
    return found


def single(result: Result) -> Track:
    """Give one run its colour: the first that is not grey."""
    name = str(result.recipe.get("name", "run"))
    return Track(name, (result,), -1 if is_upper_bound(name, [result]) else 1)


def line_legend(shown: Sequence[Look]) -> list[LegendItem]:
    """Name the lines or dots of a figure."""
    return [LegendItem(one.label, one.variable, one.mark, dashed=one.bound, series=one.series) for one in shown]


def patch_legend(shown: Sequence[Look]) -> list[LegendItem]:
    """Name the bars of a figure."""
    return [LegendItem(one.label, one.variable, pale=one.bound, series=one.series) for one in shown]


def modality_colour(place: int) -> str:
    """Give the colour of a modality."""
    return MODALITY_COLOURS[place % len(MODALITY_COLOURS)]
