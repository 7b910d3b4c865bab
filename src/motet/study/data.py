"""What a study finds, as it is kept: JSON lines, the first of which says what was run, the others a run each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from motet.errors import InputError
from motet.measure.statistics import Difference, paired_difference
from motet.record.regret import Regret
from motet.record.result import Metrics, Result
from motet.study.design import Cell, Variant
from motet.study.measures import MEASURES

FORMAT: Literal["motet-study/1"] = "motet-study/1"
DIGITS = 8


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tried(_Record):
    """What a row reached on validation with some settings, mean over the seeds of the search."""

    panel: str
    row: str
    settings: dict[str, Any]
    accuracy: float


class Header(_Record):
    """What was run."""

    format: Literal["motet-study/1"] = FORMAT
    study: str
    preset: str
    command: str
    versions: dict[str, str]
    seeds: int
    settings: dict[str, Any] = Field(description="what all runs have in common")
    panels: dict[str, dict[str, Any]]
    points: dict[str, dict[str, Any]]
    rows: dict[str, dict[str, Any]]
    chosen: dict[str, dict[str, dict[str, Any]]] = Field(description="panel -> row -> settings, chosen on validation")
    tried: list[Tried] = Field(description="what they were chosen from")
    search_seeds: int = 0
    search_at: str | None = Field(None, description="the point at which they were chosen")
    like: dict[str, str] = Field({}, description="row -> the row whose chosen settings it takes over")


class Line(_Record):
    """One run; accuracies are means over the evaluations of its last rounds."""

    panel: str
    point: str
    row: str
    seed: int
    accuracy: float
    accuracy_at_end: float | None = Field(
        None, description="after the last round: where runs differ in rounds, their last ten are not the same share"
    )
    accuracy_over_rounds: float | None = Field(
        None, description="mean over all rounds, where all were evaluated: how fast it is learnt"
    )
    balanced_accuracy: float | None = None
    macro_f1: float | None = None
    loss: float | None = None
    worst_class: float | None = None
    class_spread: float | None = Field(None, description="standard deviation of accuracy over classes")
    one_left_out: float | None = Field(None, description="mean accuracy with one modality left out")
    alone: dict[str, float] = Field({}, description="accuracy with one modality alone")
    complementarity: float | None = Field(None, description="accuracy minus that of the best modality alone")
    online_accuracy: float | None = None
    online_loss: float | None = None
    bytes_up: int | None = None
    bytes_down: int | None = None
    prototype_bytes: int | None = Field(None, description="of bytes_up")
    flags_precision: float | None = None
    flags_recall: float | None = None
    separation: float | None = Field(None, description="the lowest silhouette of prototypes after the last round")
    prototype_error: float | None = Field(
        None,
        description="the largest of any modality in the last round: what is rounded off, over the spread of classes",
    )
    train_s: float | None = Field(None, description="the only figure that another time may be another one")
    link_s: float | None = Field(None, description="over all rounds, on the link that devices have")
    regret: float | None = Field(None, description="after the last round, in nats")
    regret_slope: float | None = Field(None, description="of log regret over log rounds")
    comparator: str | None = Field(None, description="solved, where the loss is convex, or trained")
    comparator_loss: float | None = None
    gradient_norm: float | None = Field(None, description="at the comparator, in nats a round")

    @property
    def cell(self) -> Cell:
        """Where it belongs."""
        return Cell(self.panel, self.point, self.row, self.seed)


def line_of(cell: Cell, result: Result) -> Line:
    """Return what is kept of a run."""
    tail, online, flags = result.tail, result.online, result.assessment
    meaning = result.history[-1].meaning
    separations = [value for value in meaning.separation.values() if value is not None] if meaning else []
    rounded = [value for value in meaning.rounding.values() if value is not None] if meaning else []
    figures: dict[str, Any] = {
        "accuracy": tail.accuracy,
        "accuracy_at_end": result.final.accuracy,
        "accuracy_over_rounds": _mean([line.accuracy for line in result.history]),
        "balanced_accuracy": tail.balanced_accuracy,
        "macro_f1": tail.macro_f1,
        "loss": tail.loss,
        "worst_class": tail.worst_class,
        "class_spread": float(np.std([share for share in tail.accuracy_by_class if share is not None])),
        "one_left_out": left_out(tail),
        "alone": {m: round(value, DIGITS) for m, value in (tail.accuracy_alone or {}).items() if value is not None},
        "complementarity": tail.complementarity,
        "online_accuracy": online.accuracy if online else None,
        "online_loss": online.loss if online else None,
        "bytes_up": result.bytes.up,
        "bytes_down": result.bytes.down,
        "prototype_bytes": result.bytes.up_by_kind.get("prototypes", 0),
        "flags_precision": flags.precision if flags else None,
        "flags_recall": flags.recall if flags else None,
        "separation": min(separations, default=None),
        "prototype_error": max(rounded, default=None),
        "train_s": result.time.train_s,
        "link_s": result.time.link_s,
    }
    return _line(cell, figures)


def line_of_regret(cell: Cell, found: Regret) -> Line:
    """Return what is kept of a run whose regret was measured."""
    figures: dict[str, Any] = {
        "accuracy": found.accuracy,
        "online_loss": found.loss,
        "regret": found.regret[-1],
        "regret_slope": found.slope,
        "comparator": found.comparator,
        "comparator_loss": found.comparator_loss,
        "gradient_norm": found.gradient_norm,
    }
    return _line(cell, figures)


def _line(cell: Cell, figures: dict[str, Any]) -> Line:
    rounded = {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in figures.items()}
    return Line(**cell._asdict(), **rounded)


def _mean(values: list[float | None]) -> float | None:
    """Return the mean of values that are all there."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def left_out(tail: Metrics) -> float | None:
    """Return the mean accuracy with one modality left out; with two, of each alone."""
    present = tail.accuracy_by_present
    most = max((key.count("+") for key in present), default=0)
    values = [value for key, value in present.items() if most and key.count("+") == most - 1]
    return float(np.mean(values)) if values else None


class Found:
    """A study's runs, to be asked by cell.

    Parameters
    ----------
    header : Header
    lines : sequence of Line
        One for each cell.
    """

    def __init__(self, header: Header, lines: Sequence[Line]) -> None:
        self.header, self.lines = header, list(lines)
        self.panels, self.points, self.rows = list(header.panels), list(header.points), list(header.rows)
        self._lines = {line.cell: line for line in lines}

    def values(self, panel: str, point: str, row: str, measure: str = "accuracy") -> list[float]:
        """Return a figure of each seed; empty where runs don't have it."""
        lines = [self._lines[Cell(panel, point, row, seed)] for seed in range(self.header.seeds)]
        found = [MEASURES[measure].of(line) for line in lines]
        return [value for value in found if value is not None] if None not in found else []

    def mean(self, panel: str, point: str, row: str, measure: str = "accuracy") -> float:
        """Return the mean of a figure over seeds; NaN where runs don't have it."""
        values = self.values(panel, point, row, measure)
        return float(np.mean(values)) if values else float("nan")

    def by_seed(self, places: Sequence[tuple[str, str]], row: str, measure: str = "accuracy") -> list[float]:
        """Return each seed's mean of a figure over places, (panel, point); empty where runs don't have it."""
        values = [self.values(panel, point, row, measure) for panel, point in places]
        return list(map(float, np.mean(values, axis=0))) if all(values) else []

    def difference(self, panel: str, point: str, row: str, against: str, measure: str = "accuracy") -> Difference:
        """Return a row's figure minus another's, paired by seed."""
        return paired_difference(*(self.values(panel, point, name, measure) for name in (row, against)))

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield every panel with every point."""
        yield from ((panel, point) for panel in self.panels for point in self.points)


def write(found: Found) -> str:
    """Write a study's data as JSON lines; what is empty is left out of the lines of runs."""
    lines = [found.header.model_dump_json()]
    lines += [
        json.dumps({key: value for key, value in line.model_dump().items() if value not in (None, {})})
        for line in found.lines
    ]
    return "\n".join(lines) + "\n"


def load(path: Path) -> Found:
    """Read a study's data.

    Raises
    ------
    InputError
        If the file holds none.
    """
    try:
        first, *others = path.read_text(encoding="utf-8").splitlines()
        found = Found(Header.model_validate_json(first), [Line.model_validate_json(line) for line in others])
    except FileNotFoundError:
        raise InputError(f"there is no {path}: name the data of a study (study.jsonl)") from None
    except (ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} holds no study of this version ({reason}): run the study again elsewhere") from None
    for panel, point in found.places():
        for row in found.rows:
            for seed in range(found.header.seeds):
                if Cell(panel, point, row, seed) not in found._lines:
                    raise InputError(f"{path} lacks the run of {row} at {point} on {panel} with seed {seed}")
    return found


def names(variants: Sequence[Variant]) -> dict[str, dict[str, Any]]:
    """Return variants as a header keeps them."""
    return {variant.name: dict(variant.settings) for variant in variants}
