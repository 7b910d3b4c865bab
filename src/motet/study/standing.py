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
    [held] = standings(found, [(row, against)], measure)
    return held


def standings(found: Found, pairs: Sequence[tuple[str, str]], measure: str = "accuracy") -> list[Standing]:
    """Hold rows against others, corrected for all comparisons of all pairs together."""
    every = [_differences(found, row, against, measure) for row, against in pairs]
    corrected = iter(holm([difference.p_value for own in every for difference in own.values()]))
    made = []
    for (row, against), own in zip(pairs, every, strict=True):
        sure = {place for place, p in zip(own, corrected, strict=False) if p is not None and p <= LEVEL}
        above, below = ([place for place in own if place in sure and sign * own[place].mean > 0] for sign in (1, -1))
        made.append(Standing(row, against, measure, own, above, below))
    return made


def _differences(found: Found, row: str, against: str, measure: str) -> dict[Place, Difference]:
    differences = {}
    for panel, point in found.places():
        other = best_other(found, panel, point, row) if against == BEST else against
        if found.values(panel, point, row, measure) and found.values(panel, point, other, measure):
            differences[Place(panel, point)] = found.difference(panel, point, row, other, measure)
    return differences


BEST = "the best other"


def best_other(found: Found, panel: str, point: str, row: str) -> str:
    """Return the row with the highest mean accuracy among all others that see no more than they may."""
    others = [name for name in fair(found) if name != row]
    return max(others, key=lambda name: found.mean(panel, point, name))


def fair(found: Found) -> Sequence[str]:
    """Return the rows but for upper bounds, which see what nothing happened to."""
    return [name for name, settings in found.header.rows.items() if settings.get("recipe") != "full"]
