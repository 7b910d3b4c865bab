"""How rows stand against each other over all cells of a study, with a correction for so many comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from motet.measure.statistics import Difference, holm
from motet.study.data import Found

LEVEL = 0.05


class Place(NamedTuple):
    """A panel and a point of its axis."""

    panel: str
    point: str


@dataclass(frozen=True)
class Standing:
    """A row against another, place by place.

    Attributes
    ----------
    row, against, measure : str
    differences : dict of Place to Difference
        Of the measure, paired by seed; where both have it.
    above, below : list of Place
        Where the two are told apart: Student's t on paired seeds, at a level of 5 % over all places together (Holm).
    """

    row: str
    against: str
    measure: str
    differences: dict[Place, Difference]
    above: list[Place]
    below: list[Place]

    def known(self, panel: str) -> bool:
        """Return whether there is anything to say of a panel."""
        return any(place.panel == panel for place in self.differences)

    @property
    def level(self) -> list[Place]:
        """Where they are not told apart."""
        return [place for place in self.differences if place not in {*self.above, *self.below}]


def standing(found: Found, row: str, against: str, measure: str = "accuracy") -> Standing:
    """Hold a row against another, or against ``best``: of all other rows, the one with the highest mean at a place.

    The best is chosen with the same runs, which is to its advantage.
    """
    differences = {}
    for panel, point in found.places():
        other = best_other(found, panel, point, row) if against == BEST else against
        if found.values(panel, point, row, measure) and found.values(panel, point, other, measure):
            differences[Place(panel, point)] = found.difference(panel, point, row, other, measure)
    places = list(differences)
    corrected = holm([differences[place].p_value for place in places])
    sure = [place for place, p in zip(places, corrected, strict=True) if p is not None and p <= LEVEL]
    return Standing(
        row,
        against,
        measure,
        differences,
        [place for place in sure if differences[place].mean > 0],
        [place for place in sure if differences[place].mean < 0],
    )


BEST = "the best other"


def best_other(found: Found, panel: str, point: str, row: str) -> str:
    """Return the row with the highest mean accuracy among all others that see no more than they may."""
    others = [name for name in fair(found) if name != row]
    return max(others, key=lambda name: found.mean(panel, point, name))


def fair(found: Found) -> Sequence[str]:
    """Return the rows but for upper bounds, which see what nothing happened to."""
    return [name for name, settings in found.header.rows.items() if settings.get("recipe") != "full"]
