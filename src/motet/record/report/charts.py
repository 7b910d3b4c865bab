"""The three kinds of drawing on a page: lines, bars or dots by row, and a raster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from motet.record.report.curves import Curve
from motet.record.report.looks import GRID, MUTED, Look, Track, modality_colour
from motet.record.report.raster import Raster
from motet.record.report.svg import canvas, mark, to_svg
from motet.record.wording import percent, short_size, shortened, size

MOST_BARS = 32
_LINE_HEIGHT = 3.1
_LANE, _GAP = 3, 2
_BAND = "#808890"


@dataclass(frozen=True)
class Axis:
    """What an axis shows: its name, how its ticks are written and its numbers told, and whether it is logarithmic."""

    name: str
    write: Callable[[float], str]
    tell: Callable[[float], str]
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Value:
    """A mean over seeds with the lowest and the highest seed."""

    mean: float
    low: float
    high: float


def _plain(value: float) -> str:
    return f"{value:g}"


def _short(value: float) -> str:
    return f"{value:.3g}"


def _hundredths(value: float) -> str:
    return f"{100 * value:.6g}"


ROUNDS = Axis("round", _plain, _plain, whole=True)
ACCURACY = Axis("accuracy (%)", _hundredths, percent)
LOSS = Axis("loss (nats)", _plain, _short)
SHARE = Axis("share of the true-class score (%)", _hundredths, percent)
NORM = Axis("norm of a client's update, mean", _plain, _short)
AGREEMENT = Axis("lowest rank correlation", _plain, _short)
CLIENTS = Axis("clients, from the worst served to the best (%)", _hundredths, percent)


def bytes_axis(log: bool) -> Axis:
    """Make the axis of bytes sent."""
    return Axis("sent by all clients so far", lambda value: short_size(value) if value >= 0 else "", size, log)


def lines(key: str, label: str, drawn: Sequence[tuple[Look, Curve]], x: Axis, y: Axis) -> str:
    """Draw one line per recipe; a line that lies on an earlier one is dashed, so that both can be seen."""
    with canvas(_LINE_HEIGHT) as figure:
        axes = figure.subplots()
        for place, (track, curve) in enumerate(drawn):
            hidden = any(curve.same_as(earlier) for _, earlier in drawn[:place])
            _line(axes, track, curve, dashed=hidden or track.bound)
        axes.grid(axis="y")
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(x.name)
        axes.set_title(y.name, loc="left")
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: y.write(value)))
        _horizontal(axes, x, sorted({float(place) for _, curve in drawn for place in curve.x}))
        return to_svg(figure, key, label)


def _line(axes: Axes, track: Look, curve: Curve, dashed: bool) -> None:
    step = max(1, curve.x.size // 6)
    drawn = axes.plot(
        curve.x,
        curve.mean,
        color=track.colour,
        linewidth=1.7,
        linestyle=(0, (4, 2.5)) if dashed else "-",
        marker=track.mark,
        markersize=5,
        markevery=(min(step - 1, curve.x.size - 1), step),
        markeredgewidth=0,
    )
    mark(track.series, *drawn, points=True)
    if (curve.high - curve.low).max() > 0:
        band = axes.fill_between(curve.x, curve.low, curve.high, color=track.colour, alpha=0.14, linewidth=0)
        mark(track.series, band)


def _horizontal(axes: Axes, x: Axis, places: Sequence[float]) -> None:
    if x.log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=x.whole, steps=[1, 2, 5, 10]))
    if len(places) == 1:
        place = places[0]
        axes.set_xlim(*((place / 2, place * 2) if x.log else (place - 1, place + 1)))
        axes.set_xticks([place])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: x.write(value)))


def rows(key: str, label: str, names: Sequence[str], drawn: Sequence[tuple[Track, Sequence[Value | None]]]) -> str:
    """Draw accuracies by row: grouped bars with their numbers, or dots where bars would be too many."""
    bars = len(names) * len(drawn) <= MOST_BARS
    each = 0.145 * len(drawn) + 0.13 if bars else 0.215
    with canvas(0.55 + each * max(len(names), 2)) as figure:
        axes = figure.subplots()
        for place, (track, values) in enumerate(drawn):
            known = [(row, value) for row, value in enumerate(values) if value is not None]
            draw = _bars if bars else _dots
            draw(axes, track, known, place, len(drawn))
        axes.set_yticks(range(len(names)), shortened(names, 24))
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.set_xlim(0, 1.14 if bars else 1.02)
        axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: ACCURACY.write(value)))
        axes.set_xlabel(ACCURACY.name)
        axes.grid(axis="x")
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_visible(False)
        return to_svg(figure, key, label)


def _bars(axes: Axes, track: Track, known: Sequence[tuple[int, Value]], place: int, count: int) -> None:
    thick = 0.82 / count
    for row, value in known:
        y = row - 0.41 + thick * (place + 0.5)
        bar = axes.barh(y, value.mean, height=thick * 0.86, color=track.colour, alpha=0.45 if track.bound else 1)
        written = percent(value.mean).removesuffix(" %")
        text = axes.text(value.high + 0.012, y, written, va="center_baseline", fontsize=9)
        mark(track.series, *bar, text)
        if value.high > value.low:
            mark(track.series, axes.hlines(y, value.low, value.high, color=MUTED[0], linewidth=1.1))


def _dots(axes: Axes, track: Track, known: Sequence[tuple[int, Value]], place: int, count: int) -> None:
    if place == 0:
        axes.hlines(range(max((row for row, _ in known), default=0) + 1), 0, 1, color=GRID[0], linewidth=0.6)
    y = [row for row, _ in known]
    if count == 1:
        low, high = [value.low for _, value in known], [value.high for _, value in known]
        mark(track.series, axes.hlines(y, low, high, color=track.colour, linewidth=1.2))
    drawn = axes.plot(
        [value.mean for _, value in known],
        y,
        linestyle="none",
        marker=track.mark,
        markersize=5.5,
        color=track.colour,
        markeredgewidth=0,
    )
    mark(track.series, *drawn, points=True)


def raster(key: str, label: str, picture: Raster) -> str:
    """Draw who was hit when: a band per client with a lane per modality, a column per round."""
    clients = len(picture.clients)
    lanes = len(picture.modalities)
    with canvas(0.75 + clients * max(0.13 if clients > 12 else 0.21, 0.022 * lanes)) as figure:
        axes = figure.subplots()
        first, last = picture.rounds
        axes.imshow(
            _pixels(picture), interpolation="none", aspect="auto", extent=(first - 0.5, last + 0.5, clients - 0.5, -0.5)
        )
        step = next(step for step in (1, 2, 5, 10) if clients <= 12 * step or step == 10)
        ticks = range(0, clients, step)
        axes.set_yticks(ticks, shortened([picture.clients[row] for row in ticks], 14))
        if first == last:
            axes.set_xticks([first])
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axes.set_xlabel("round")
        axes.set_title("client", loc="left")
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        return to_svg(figure, key, label)


def _pixels(picture: Raster) -> np.ndarray[tuple[int, int, int], np.dtype[np.float64]]:
    """Colour by modality; the more of a client's samples were hit, the more opaque."""
    lanes, clients, columns = picture.shares.shape
    tall = lanes * _LANE + _GAP
    pixels = np.zeros((clients * tall, columns, 4))
    for client in range(clients):
        band = slice(client * tall, client * tall + lanes * _LANE)
        pixels[band, :, :3] = to_rgb(_BAND)
        pixels[band, :, 3] = 0.1
        for lane in range(lanes):
            hit = picture.shares[lane, client] > 0
            top = client * tall + lane * _LANE
            pixels[top : top + _LANE, hit, :3] = to_rgb(modality_colour(lane))
            pixels[top : top + _LANE, hit, 3] = 0.3 + 0.7 * picture.shares[lane, client, hit]
    return pixels
