"""What a study says: sentences whose numbers are filled in from its data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from motet.measure.statistics import Difference, paired_difference
from motet.record.wording import count, listed, probability
from motet.study.data import Found
from motet.study.design import Study
from motet.study.measures import MEASURES
from motet.study.standing import BEST, Place, Standing, fair, standings


def findings(study: Study, found: Found) -> list[str]:
    """Return a sentence or two for each pair of rows that the study is about, and each panel."""
    said = []
    for measure in study.said:
        for held in standings(found, study.pairs, measure):
            said += [_on_panel(found, held, panel) for panel in found.panels if held.known(panel)]
        if study.reference is not None:
            said += [
                _along(found, row, panel, study.reference, measure) for row, panel in product(found.rows, found.panels)
            ]
    return said


def _along(found: Found, row: str, panel: str, reference: str, measure: str) -> str:
    """Say what the axis does to a row: each point held against the one of reference, paired by seed."""
    before, written = found.values(panel, reference, row, measure), MEASURES[measure]
    parts = [
        f"{written.told(paired_difference(found.values(panel, point, row, measure), before))} at {point}"
        for point in found.points
        if point != reference
    ]
    what = f"points of {measure}" if written.share else written.label
    return f"On {panel}, `{row}` against itself at {reference}: {'; '.join(parts)} ({what})."


def how_sure(found: Found) -> str:
    """Say what the sentences and tables rest on."""
    header = found.header
    if header.seeds == 1:
        return "1 seed: no interval can be given, and nothing is told apart."
    parts = [count(header.seeds, "seed")]
    if header.chosen:
        like = ", but for controls, which take those of their recipe" if header.like else ""
        parts.append(
            f"every row's {listed(next(iter(next(iter(header.chosen.values())).values())))} is the best of as many "
            f"values on samples held out of training{like}"
        )
    parts.append("differences are paired by seed, brackets hold 95 % intervals (Student's t)")
    parts.append("rows are told apart where a t test says so at 5 % over all comparisons of a figure together (Holm)")
    return "; ".join(parts) + "."


def _on_panel(found: Found, held: Standing, panel: str) -> str:
    here = {place: held.differences[place] for place in held.differences if place.panel == panel}
    names = f"`{held.row}` against " + (held.against if held.against == BEST else f"`{held.against}`")
    measure = MEASURES[held.measure]
    what = f"points of {held.measure}" if measure.share else f"in {measure.label}"
    if len(here) == 1:
        [(place, difference)] = here.items()
        return f"On {panel}, {names}: {measure.told(difference)} {what}, {_verdict(held, place)}."
    largest = max(here, key=lambda place: abs(here[place].mean))
    parts = [f"{measure.told(over_points(found, held, panel))} {what} on average"]
    parts += list(_told_apart(held, panel))
    parts.append(f"farthest apart at {largest.point}: {measure.told(here[largest])}")
    return f"On {panel}, {names}: {'; '.join(parts)}."


def over_points(found: Found, held: Standing, panel: str) -> Difference:
    """Return the difference over a panel, each seed's mean over the points being one figure."""
    known = [place for place in held.differences if place.panel == panel]
    other = held.against
    if other == BEST:
        rivals = [name for name in fair(found) if name != held.row]
        other = max(rivals, key=lambda name: np.mean(found.by_seed(known, name, held.measure)))
    return paired_difference(*(found.by_seed(known, name, held.measure) for name in (held.row, other)))


def _told_apart(held: Standing, panel: str) -> Iterator[str]:
    for word, places in (("above", held.above), ("below", held.below)):
        names = [place.point for place in places if place.panel == panel]
        if names:
            yield f"{word} at {listed(names)}"
    level = [place.point for place in held.level if place.panel == panel]
    if level:
        yield "not told apart " + ("anywhere" if len(level) == _count(held, panel) else f"at {listed(level)}")


def _count(held: Standing, panel: str) -> int:
    return sum(place.panel == panel for place in held.differences)


def _verdict(held: Standing, place: Place) -> str:
    p = probability(held.differences[place].p_value)
    if place in held.above:
        return f"above (p {p})"
    return f"below (p {p})" if place in held.below else f"not told apart (p {p})"


def tally(found: Found, references: Sequence[str], measure: str) -> list[Standing]:
    """Return every fair row's standing against each reference and the best of all others, corrected for all of them."""
    rows = fair(found)
    wanted = [name for name in references if name in rows]
    pairs = [(row, other) for row in rows for other in [*wanted, BEST] if other != row]
    return standings(found, pairs, measure) if len(rows) > 1 else []
