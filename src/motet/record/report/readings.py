"""The numbers of a drawing as a table: for those who cannot see it, and for the point that a reader asks about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from motet.record.report.charts import ACCURACY, Axis, Value
from motet.record.report.curves import Curve
from motet.record.report.looks import Look
from motet.record.report.raster import Kind, Raster
from motet.record.wording import NONE, percent


@dataclass(frozen=True)
class Column:
    """What stands at the head of a column, and the series whose points it holds, one by one from the top."""

    name: str
    series: str | None = None


@dataclass(frozen=True)
class Readings:
    """A table with a row for each place where something was measured.

    Attributes
    ----------
    unit : str
        What the numbers are.
    note : str
        What else stands in a cell.
    corner : str
        What the rows are.
    columns : list of Column
    rows : list of (str, list of str)
        The head of a row and its cells.
    """

    unit: str
    note: str
    corner: str
    columns: list[Column]
    rows: list[tuple[str, list[str]]]


def of_lines(drawn: Sequence[tuple[Look, Curve]], along: Axis, x: Axis, y: Axis) -> Readings:
    """Write lines as a table.

    Parameters
    ----------
    drawn : sequence of (Look, Curve)
    along : Axis
        Of the curves' `at`.
    x, y : Axis
        Of the drawing; where `x` is not `along`, it stands in the cells.
    """
    columns = [_cells(curve, None if x == along else x, y) for _, curve in drawn]
    places = sorted({place for cells in columns for place in cells})
    return Readings(
        unit=y.name,
        note=_note(any((curve.high > curve.low).any() for _, curve in drawn)),
        corner=along.name,
        columns=[Column(look.label, look.series) for look, _ in drawn],
        rows=[(_bare(along.tell(place)), [cells.get(place, NONE) for cells in columns]) for place in places],
    )


def of_rows(drawn: Sequence[tuple[Look, Sequence[Value | None]]], names: Sequence[str], corner: str) -> Readings:
    """Write accuracies by row as a table."""
    return Readings(
        unit=ACCURACY.name,
        note=_note(any(value and value.high > value.low for _, values in drawn for value in values)),
        corner=corner,
        columns=[Column(look.label, look.series) for look, _ in drawn],
        rows=[
            (name, [_told(value, ACCURACY.tell) if value else NONE for value in row])
            for name, row in zip(names, zip(*(values for _, values in drawn), strict=True), strict=True)
        ],
    )


def of_raster(picture: Raster, kind: Kind) -> Readings:
    """Write for each client how much of its band is coloured."""
    hit = (picture.shares > 0).mean(axis=2).T
    rows = [
        (client, [_bare(percent(float(share), 0)) for share in row])
        for client, row in zip(picture.clients, hit, strict=True)
    ]
    return Readings(f"{kind} in (% of the cells)", "", "client", [Column(name) for name in picture.modalities], rows)


def _cells(curve: Curve, x: Axis | None, y: Axis) -> dict[float, str]:
    """Write each point, by what it is named by."""
    points = zip(curve.at, curve.x, curve.mean, curve.low, curve.high, strict=True)
    return {
        float(at): (f"{x.tell(place)}: " if x else "") + _told(Value(mean, low, high), y.tell)
        for at, place, mean, low, high in points
    }


def _told(value: Value, tell: Callable[[float], str]) -> str:
    mean, low, high = (_bare(tell(one)) for one in (value.mean, value.low, value.high))
    return mean if low == high else f"{mean} ({low} to {high})"


def _bare(text: str) -> str:
    return text.removesuffix(" %")


def _note(spread: bool) -> str:
    return "in brackets the lowest and the highest seed" if spread else ""
