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
from motet.study.standing import BEST, Place, Standing, standings
from motet.study.words import findings, how_sure, tally

REFERENCES = ("fedavg", "partial")
PLUS = "mean ± half of its 95 % interval"


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
                *differences(study, found),
                *wins(study, found),
                *settings(found, study.axis),
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
            yield f"{MEASURES[study.figures[0]].label.capitalize()}, {PLUS}."
        else:
            several = len(found.points) > 1
            yield f"{PLUS.capitalize()}."
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


def differences(study: Study, found: Found) -> Iterator[str]:
    """Yield, place by place, how the rows that the study holds against each other differ."""
    for measure in study.said:
        every = standings(found, study.pairs, measure)
        known = [held for held in every if held.differences]
        if known:
            yield f"## Differences in {measure}"
            unit = "points" if MEASURES[measure].share else MEASURES[measure].label
            yield f"In {unit}, with 95 % intervals; bold where told apart, corrected for all of the table."
            heads = ["panel", study.axis, *(f"{_name(held.row)} against {_name(held.against)}" for held in known)]
            yield table(
                heads, [[*place, *(_difference(held, Place(*place)) for held in known)] for place in found.places()]
            )


def _name(row: str) -> str:
    return row if row == BEST else f"`{row}`"


def _difference(held: Standing, place: Place) -> str:
    if place not in held.differences:
        return ""
    told = MEASURES[held.measure].told(held.differences[place])
    return told if place in held.level else f"**{told}**"


def wins(study: Study, found: Found) -> Iterator[str]:
    """Yield how every row stands against the baselines and the best, counted over all places."""
    measure = study.said[0]
    every = tally(found, REFERENCES, measure)
    if not any(name in found.rows for name in REFERENCES) or found.header.seeds < 2 or study.kind == "regret":
        return
    known = [name for name in (*REFERENCES, BEST) if any(held.against == name for held in every)]
    lines = []
    for row in dict.fromkeys(held.row for held in every):
        own = {held.against: held for held in every if held.row == row}
        lines.append([f"`{row}`", *(_counts(own[name]) if name in own else "" for name in known)])
    yield "## Wins, ties, losses"
    yield (
        f"Places (a point of a panel) where the row's {measure} is above, not told apart, below; then the mean "
        "difference in points. The best is chosen with the same runs, which is to its advantage."
    )
    yield table(["row", *(f"against {_name(name)}" for name in known)], lines)


def _counts(held: Standing) -> str:
    mean = float(np.mean([difference.mean for difference in held.differences.values()]))
    return f"{len(held.above)} / {len(held.level)} / {len(held.below)}, {in_points(mean)}"


def settings(found: Found, axis: str) -> Iterator[str]:
    """Yield what was run, so that the page says it without the data at hand."""
    header = found.header
    elsewhere = {key for own in (header.panels, header.points, header.rows) for row in own.values() for key in row}
    searched = {key for rows in header.chosen.values() for own in rows.values() for key in own}
    common = {key: value for key, value in header.settings.items() if key not in elsewhere | searched}
    differs = {key: value for key, value in header.settings.items() if key in elsewhere - searched}
    yield "## Settings"
    yield f"All runs: {options(common)}, seeds 0 to {header.seeds - 1}."
    if differs:
        yield f"Unless it says otherwise below: {options(differs)}."
    for title, variants in (("Panels", header.panels), (f"{axis.capitalize()}", header.points), ("Rows", header.rows)):
        named = [f"- {name}: {options(own)}" for name, own in variants.items() if own]
        if named:
            yield f"{title}:\n\n" + "\n".join(named)
    if header.chosen:
        heads = ["panel", "row", *next(iter(next(iter(header.chosen.values())).values())), "tried (accuracy, %)"]
        lines = [
            [panel, f"`{row}`", *map(str, own.values()), _tried(found, panel, header.like.get(row, row))]
            for panel, rows in header.chosen.items()
            for row, own in rows.items()
        ]
        yield f"Chosen on validation at {header.search_at}, {header.search_seeds} seeds:"
        yield table(heads, lines)


def _tried(found: Found, panel: str, row: str) -> str:
    tried = [own for own in found.header.tried if (own.panel, own.row) == (panel, row)]
    return ", ".join(f"{'/'.join(map(str, own.settings.values()))}: {100 * own.accuracy:.1f}" for own in tried)


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
