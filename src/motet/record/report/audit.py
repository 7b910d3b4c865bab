"""The figure of what an eavesdropper recovers: a line for each attack, over bits and over noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from motet.record.audit import EXACT, Attempt, Audit, Leak
from motet.record.report.figures import Figure
from motet.record.report.looks import GRID, MARKS, MUTED, RECIPE_COLOURS, VARIABLES, LegendItem
from motet.record.report.readings import Column, Readings
from motet.record.report.svg import canvas, mark, to_svg
from motet.record.table import audit_note, fraction, protection
from motet.record.wording import listed

TITLE = "What an eavesdropper recovers of clients' samples"
_SCALES = {"auroc": ("AUROC, own samples from others", 0.5), "recovery": ("recovery of samples", 0.0)}
"""What each is called, and where nothing is recovered; all is at 1, and every figure goes up to it."""
_HEIGHT = 2.3


@dataclass(frozen=True)
class _Line:
    """An attack and how it looks."""

    name: str
    attempt: Attempt
    place: int

    @property
    def colour(self) -> str:
        return RECIPE_COLOURS[self.place % len(RECIPE_COLOURS)][0]

    @property
    def mark(self) -> str:
        return MARKS[self.place % len(MARKS)]

    @property
    def series(self) -> str:
        return f"attack{self.place}"


def audit_figure(found: Audit) -> Figure | None:
    """Draw an audit; None where there was nothing to attack."""
    lines = [_Line(name, attempt, place) for place, (name, attempt) in enumerate(found.attempts.items(), start=1)]
    scales = list(dict.fromkeys(line.attempt.scale for line in lines))
    if not lines:
        return None
    with canvas(0.3 + _HEIGHT * len(scales)) as figure:
        panels = figure.subplots(len(scales), 2, sharey="row", squeeze=False)
        for row, scale in zip(panels, scales, strict=True):
            shown = [line for line in lines if line.attempt.scale == scale]
            for axes, over_noise in zip(row, (False, True), strict=True):
                _panel(axes, shown, over_noise)
            lowest = min(leak.mean - (leak.sd or 0) for line in shown for leak in line.attempt.leaks)
            row[0].set_ylim(min(lowest, _SCALES[scale][1]) - 0.05, 1.05)
            row[0].set_title(_SCALES[scale][0], loc="left")
        panels[-1][0].set_xlabel("bits per number")
        panels[-1][1].set_xlabel("noise")
        svg = to_svg(figure, "audit", _label(lines))
    legend = [LegendItem(line.name, VARIABLES[line.colour], line.mark, series=line.series) for line in lines]
    noise = "Noise: its deviation on each number, in lengths of the message. Bars: standard deviation over clients."
    return Figure("audit", TITLE, svg, " ".join([audit_note(found), noise, *found.notes]), legend, _readings(lines))


def _panel(axes: Axes, lines: Sequence[_Line], over_noise: bool) -> None:
    axes.axhline(_SCALES[lines[0].attempt.scale][1], color=MUTED[0], linewidth=1, linestyle=(0, (1, 2)))
    for line in lines:
        leaks = _along(line.attempt, over_noise)
        points, caps, bars = axes.errorbar(
            range(len(leaks)),
            [leak.mean for leak in leaks],
            yerr=[leak.sd or 0 for leak in leaks],
            color=line.colour,
            linewidth=1.7,
            elinewidth=0.8,
            marker=line.mark,
            markersize=5,
            markeredgewidth=0,
        )
        mark(line.series, points, points=True)
        mark(line.series, *caps, *bars)
    leaks = _along(lines[0].attempt, over_noise)
    axes.set_xticks(range(len(leaks)), [f"{leak.noise if over_noise else leak.bits:g}" for leak in leaks])
    axes.set_xlim(-0.3, len(leaks) - 0.7)
    axes.grid(axis="y", color=GRID[0])
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)


def _along(attempt: Attempt, over_noise: bool) -> list[Leak]:
    """Return what protects more and more: noise on exact numbers, or fewer bits without noise."""
    return [leak for leak in attempt.leaks if (leak.bits == EXACT if over_noise else leak.noise == 0)]


def _readings(lines: Sequence[_Line]) -> Readings:
    """Write what stands over each place of the two axes."""
    cells = [[leak for over_noise in (False, True) for leak in _along(line.attempt, over_noise)] for line in lines]
    bits = len(_along(lines[0].attempt, over_noise=False))
    heads = [f"{leak.bits} bits" if row < bits else f"noise {leak.noise:g}" for row, leak in enumerate(cells[0])]
    told = [[fraction(leak.mean, leak.sd) for leak in column] for column in cells]
    return Readings(
        unit="AUROC or recovery",
        note="with the standard deviation over clients" if any(leak.sd is not None for leak in cells[0]) else "",
        corner="protection",
        columns=[Column(line.name, line.series) for line in lines],
        rows=[(head, list(row)) for head, row in zip(heads, zip(*told, strict=True), strict=True)],
    )


def _label(lines: Sequence[_Line]) -> str:
    told = [f"{line.name}: {listed(_said(leak) for leak in line.attempt.leaks)}" for line in lines]
    return f"{TITLE}, by how messages are protected. {'; '.join(told)}."


def _said(leak: Leak) -> str:
    return (
        f"{fraction(leak.mean, None)} with {protection(leak)}"
        if leak.bits < EXACT or leak.noise
        else fraction(leak.mean, None)
    )
