"""A study's figure: a panel for each setting, a line for each row, bands from the lowest to the highest seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from motet.record.report.looks import GRID, INK, MARKS, MUTED, RECIPE_COLOURS
from motet.record.report.svg import WIDTH, canvas, standalone, to_svg
from motet.record.wording import shortened
from motet.study.data import Found
from motet.study.design import Study
from motet.study.measures import MEASURES, Measure
from motet.study.standing import fair

_COLUMNS = 2
_DECADE = 9.5
"""Numbers that reach farther lie on a logarithm."""
_TALL, _EACH_ROW = 2.7, 0.2


def picture(study: Study, found: Found) -> str:
    """Draw a study, as an SVG file: a field for every panel and figure, two side by side."""
    wanted = [(panel, name) for panel in found.panels for name in study.figures if _known(found, panel, name)]
    columns = min(_COLUMNS, len(wanted))
    rows = -(-len(wanted) // columns)
    numeric = _numbers(found.points) is not None
    tall = _TALL if numeric else 0.9 + _EACH_ROW * max(4.0, len(found.points) * len(found.rows) * 0.8)
    with canvas(rows * tall + 0.5, WIDTH * (1 if columns == 1 else 0.75 * columns)) as figure:
        grid = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).flatten()
        for axes, (panel, name) in zip(grid, wanted, strict=False):
            draw = _lines if numeric else _dots
            draw(axes, found, panel, name)
            axes.set_title(f"{panel}\n{MEASURES[name].label}", loc="left", color=INK[0])
            axes.tick_params(length=0)
        for axes in grid[len(wanted) :]:
            axes.set_visible(False)
        if numeric:
            for axes in grid[: len(wanted)]:
                axes.set_xlabel(study.axis)
        if len(found.points) > 1:
            _legend(figure, found.rows, found)
        drawn = to_svg(figure, "study", f"{study.question} {study.axis}: {', '.join(found.points)}")
    return standalone(drawn)


def _known(found: Found, panel: str, measure: str) -> bool:
    """Return whether any runs of a panel have a figure."""
    return any(found.values(panel, point, row, measure) for point in found.points for row in found.rows)


def _numbers(points: Sequence[str]) -> list[float] | None:
    """Return points as numbers; None where they are none, or only one."""
    try:
        numbers = [float(point) for point in points]
    except ValueError:
        return None
    return numbers if len(numbers) > 1 else None


def _spread(found: Found, panel: str, point: str, row: str, measure: str) -> tuple[float, float, float] | None:
    """Return mean, lowest and highest seed; None where runs don't have the figure."""
    values = found.values(panel, point, row, measure)
    return (float(np.mean(values)), min(values), max(values)) if values else None


def _mark(place: int) -> str:
    """Return a row's marker; where colours repeat, the markers are shifted."""
    return MARKS[(place + place // len(RECIPE_COLOURS)) % len(MARKS)]


def _colour(place: int, row: str, found: Found) -> str:
    return RECIPE_COLOURS[place % len(RECIPE_COLOURS)][0] if row in fair(found) else MUTED[0]


def _lines(axes: Axes, found: Found, panel: str, measure: str) -> None:
    numbers = _numbers(found.points)
    assert numbers is not None
    for place, row in enumerate(found.rows):
        known = [
            (x, spread)
            for x, point in zip(numbers, found.points, strict=True)
            if (spread := _spread(found, panel, point, row, measure))
        ]
        x = [x for x, _ in known]
        mean, low, high = np.array([spread for _, spread in known]).T if known else np.empty((3, 0))
        colour = _colour(place, row, found)
        bound = row not in fair(found)
        axes.plot(
            x,
            mean,
            color=colour,
            marker=_mark(place),
            markersize=4.5,
            linewidth=1.6,
            linestyle=(0, (4, 2.5)) if bound else "-",
        )
        axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
    if min(numbers) > 0 and max(numbers) / min(numbers) > _DECADE:
        axes.set_xscale("log")
    axes.set_xticks(numbers, found.points)
    axes.minorticks_off()
    _vertical(axes, MEASURES[measure])


def _vertical(axes: Axes, measure: Measure) -> None:
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(measure, value)))


def _dots(axes: Axes, found: Found, panel: str, measure: str) -> None:
    """Draw points of the axis one below the other, rows within; where there is one point, rows one below the other."""
    alone = len(found.points) == 1
    labels = found.rows if alone else found.points
    for place, row in enumerate(found.rows):
        shift = 0.0 if alone else 0.7 * ((place + 0.5) / len(found.rows) - 0.5)
        for number, point in enumerate(found.points):
            spread = _spread(found, panel, point, row, measure)
            if spread is not None:
                mean, low, high = spread
                y, colour = place if alone else number + shift, _colour(0 if alone else place, row, found)
                axes.hlines(y, low, high, color=colour, linewidth=1.3)
                axes.plot(mean, y, color=colour, marker=_mark(0 if alone else place), markersize=5)
    axes.set_yticks(range(len(labels)), shortened(labels, 24))
    axes.set_ylim(len(labels) - 0.5, -0.5)
    if not alone:
        for edge in range(1, len(labels)):
            axes.axhline(edge - 0.5, color=GRID[0], linewidth=0.6)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(MEASURES[measure], value)))


def _short(measure: Measure, value: float) -> str:
    return measure.write(value).removesuffix(".0")


def _legend(figure: Figure, rows: Sequence[str], found: Found) -> None:
    keys = [
        Line2D(
            [],
            [],
            color=_colour(place, row, found),
            marker=_mark(place),
            markersize=5,
            linestyle="-" if row in fair(found) else "--",
            label=row if row in fair(found) else f"{row} (upper bound)",
        )
        for place, row in enumerate(rows)
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=min(4, len(rows)), frameon=False, fontsize=10)
