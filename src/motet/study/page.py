"""A study's page in Markdown: question, findings, figure, tables, and how it was done."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from motet.config import option
from motet.measure.statistics import interval
from motet.record.wording import points as in_points
from motet.study.data import Found
from motet.study.design import Study
from motet.study.measures import MEASURES
from motet.study.standing import BEST, Standing
from motet.study.words import findings, how_sure, tally

REFERENCES = ("fedavg", "partial")


def page(study: Study, found: Found, figure: str = "figure.svg") -> str:
    """Return the page; `figure` is where the picture lies, seen from it."""
    return (
        "\n\n".join(
            [
                f"# {study.name}: {study.question}",
                f"```\n{found.header.command}\n```",
                "\n".join(f"- {sentence}" for sentence in findings(study, found)),
                how_sure(found),
                f"![{study.question}]({figure})",
                "Lines are means over seeds, bands reach from the lowest to the highest seed.",
                *tables(study, found),
                *standings(found),
                *settings(found),
            ]
        ).rstrip()
        + "\n"
    )


def tables(study: Study, found: Found) -> Iterator[str]:
    """Yield a table for every panel: a line for each point and row, or one for each point where one figure is shown."""
    for panel in found.panels:
        yield f"## {panel}"
        if len(study.figures) == 1:
            heads = [study.axis, *(f"`{row}`" for row in found.rows)]
            lines = [
                [point, *(_cell(found, panel, point, row, study.figures[0]) for row in found.rows)]
                for point in found.points
            ]
            yield f"{MEASURES[study.figures[0]].label.capitalize()}, mean ± half of its 95 % interval."
        else:
            several = len(found.points) > 1
            heads = [*([study.axis] if several else []), "row", *(MEASURES[name].label for name in study.figures)]
            lines = [
                [
                    *([point] if several else []),
                    f"`{row}`",
                    *(_cell(found, panel, point, row, name) for name in study.figures),
                ]
                for point in found.points
                for row in found.rows
            ]
        yield table(heads, lines)


def standings(found: Found) -> Iterator[str]:
    """Yield how every row stands against the baselines and the best, counted over all places."""
    counted = [(row, held) for row, held in tally(found, REFERENCES) if held]
    if not any(name in found.rows for name in REFERENCES) or found.header.seeds < 2:
        return
    heads = ["row", *(f"against {name if name == BEST else f'`{name}`'}" for name in (*REFERENCES, BEST))]
    known = {held.against for _, own in counted for held in own}
    heads = [heads[0], *(head for head, name in zip(heads[1:], (*REFERENCES, BEST), strict=True) if name in known)]
    lines = []
    for row, own in counted:
        by_name = {held.against: held for held in own}
        cells = [_counts(by_name[name]) if name in by_name else "" for name in (*REFERENCES, BEST) if name in known]
        lines.append([f"`{row}`", *cells])
    yield "## Wins, ties, losses"
    yield (
        "Places (a point of a panel) where the row is above, not told apart, below; then the mean difference in "
        "points. The best is chosen with the same runs, which is to its advantage."
    )
    yield table(heads, lines)


def _counts(held: Standing) -> str:
    mean = float(np.mean([difference.mean for difference in held.differences.values()]))
    return f"{len(held.above)} / {len(held.level)} / {len(held.below)}, {in_points(mean)}"


def settings(found: Found) -> Iterator[str]:
    """Yield what was run, so that the page says it without the data at hand."""
    header = found.header
    yield "## Settings"
    yield f"All runs: {options(header.settings)}, seeds 0 to {header.seeds - 1}."
    for title, variants in (("Panels", header.panels), ("Points", header.points), ("Rows", header.rows)):
        named = [f"- {name}: {options(own)}" for name, own in variants.items() if own]
        if named and title != "Points":
            yield f"{title}:\n\n" + "\n".join(named)
    if header.chosen:
        heads = ["panel", "row", *next(iter(next(iter(header.chosen.values())).values()))]
        lines = [
            [panel, f"`{row}`", *map(str, own.values())]
            for panel, rows in header.chosen.items()
            for row, own in rows.items()
        ]
        yield "Chosen on validation:"
        yield table(heads, lines)


def options(settings: dict[str, object]) -> str:
    """Return settings as options of the command line."""
    return f"`{' '.join(f'{option(key)} {_typed(value)}' for key, value in settings.items())}`"


def _typed(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return json.dumps(value) if isinstance(value, dict | bool) else str(value)


def table(heads: list[str], lines: list[list[str]]) -> str:
    """Return a table of Markdown."""
    return "\n".join([f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *lines]])


def _cell(found: Found, panel: str, point: str, row: str, measure: str) -> str:
    values = found.values(panel, point, row, measure)
    if not values:
        return ""
    mean, ends = float(np.mean(values)), interval(values)
    write = MEASURES[measure].write
    if ends is None or measure in ("sent", "prototypes sent", "time"):
        return write(mean)
    return f"{write(mean)} ± {write((ends[1] - ends[0]) / 2)}"
