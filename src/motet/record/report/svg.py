"""From a matplotlib figure to SVG that stands inside a page, takes on its colours and fonts, and is always the same."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from motet.record.report.looks import GRID, INK, MUTED, PALETTE, VARIABLES

WIDTH = 5.6
FILE_WIDTH = 700
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "motet",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.color": INK[0],
    "axes.edgecolor": GRID[0],
    "axes.labelcolor": MUTED[0],
    "axes.labelsize": 11,
    "axes.titlecolor": MUTED[0],
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": GRID[0],
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.color": GRID[0],
    "ytick.color": GRID[0],
    "xtick.labelcolor": MUTED[0],
    "ytick.labelcolor": INK[0],
    # Every point stays a corner of its line, so that the page can tell which number stands where.
    "path.simplify": False,
}


@contextmanager
def canvas(height: float, width: float = WIDTH) -> Iterator[Figure]:
    """Open a figure of the width that suits a phone; what is drawn inside looks the same whatever the user's settings.

    Parameters
    ----------
    height, width : float
        In inches.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        # The reader's own fonts draw the text, so what matplotlib's font lacks does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield Figure(figsize=(width, height), layout="constrained")


def mark(series: str, *parts: Artist, points: bool = False) -> None:
    """Name parts of a drawing after what they show, so that the page can hide them.

    Parameters
    ----------
    series : str
        Of letters and digits.
    *parts : Artist
    points : bool
        Whether their corners, or markers, are the points that a reader can ask about.
    """
    for part in parts:
        part.set_gid(f"{'points' if points else 'part'} {series}")


def to_svg(figure: Figure, key: str, label: str) -> str:
    """Write a figure as an SVG element.

    Parameters
    ----------
    figure : Figure
    key : str
        Unique in the page; parts of the drawing are named after it.
    label : str
        What the picture says, for those who cannot see it.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace("xlink:href", "href")
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r' d="([^"]*)"', _shorter_path, text)
    text = re.sub(r'transform="rotate\(-0 [^"]*"', "", text)
    text = _own_names(text, key)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r">\s*\n\s*<", "><", text).strip()
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None, "matplotlib writes a viewBox"
    head = f'<svg {box.group()} role="img" aria-label="{escape(label)}">'
    return re.sub(r"<svg[^>]*>", lambda _: head, text, count=1)


def _shorter_path(match: re.Match[str]) -> str:
    numbers = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found.group()):.1f}".removesuffix(".0"), match.group(1))
    path = re.sub(r"\s*([A-Za-z])\s*", r"\1", numbers).strip()
    return f' d="{path}"'


def _own_names(text: str, key: str) -> str:
    """Keep only the names that are referred to, and make them unique in the page; those of series are marks."""
    text = re.sub(r' id="(points|part) ([a-z0-9]+)"', r' class="\1" data-series="\2"', text)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda found: f' id="{key}-{found[1]}"' if found[1] in used else "", text)
    return re.sub(r'(url\(#|href="#)', rf"\1{key}-", text)


def standalone(drawing: str) -> str:
    """Turn a drawing for a page into a file of its own, on white, with the colours of light paper."""
    for variable, light, _ in PALETTE:
        drawing = drawing.replace(f"var({variable})", light)
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    assert box is not None, "a drawing begins with its box"
    height = FILE_WIDTH * float(box[2]) / float(box[1])
    size = f'xmlns="http://www.w3.org/2000/svg" width="{FILE_WIDTH}" height="{height:.0f}" font-family="sans-serif"'
    head, end, rest = drawing.replace("<svg", f"<svg {size}", 1).partition(">")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}{end}<rect width="100%" height="100%" fill="#fff"/>{rest}\n'
