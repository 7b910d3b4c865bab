"""What is claimed in the papers, and what studies say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from motet.measure import statistics
from motet.measure.statistics import Difference, paired_difference
from motet.record.wording import listed
from motet.study.data import Found
from motet.study.measures import MEASURES
from motet.study.page import table
from motet.study.prepared import STUDIES
from motet.study.standing import standing
from motet.study.words import over_points

WORST = -1.0
"""Points that fewer bits may cost, at most, to be called enough."""


Look = Callable[[Found], Iterator[tuple[str, bool, str]]]
WATCHES = "ucihar, convolutions, independent"


@dataclass(frozen=True)
class Claim:
    """What is claimed, and what a study says of it.

    Attributes
    ----------
    text : str
    study : str
    look : function of Found
        Yields a name of where it was looked for, whether it was seen there, and the figures.
    """

    text: str
    study: str
    look: Look

    def seen(self, found: Found) -> list[tuple[str, bool, str]]:
        """Return where it was looked for, whether it was seen there, and the figures."""
        return list(self.look(found))


def above(row: str, against: str, measure: str = "accuracy") -> Look:
    """Look on every panel whether a row is above another: the mean over the axis, with its whole interval."""

    def look(found: Found) -> Iterator[tuple[str, bool, str]]:
        held = standing(found, row, against, measure)
        for panel in filter(held.known, found.panels):
            mean = over_points(found, held, panel)
            yield panel, mean.above, _told(mean, measure)

    return look


def by(least: float, row: str, against: str, panel: str, point: str) -> Look:
    """Look whether a row is so many points above another at one place, on average, and surely above."""

    def look(found: Found) -> Iterator[tuple[str, bool, str]]:
        gain = found.difference(panel, point, row, against)
        yield f"{panel} at {point}", gain.above and 100 * gain.mean >= least, _told(gain, "accuracy")

    return look


def _told(difference: Difference, measure: str) -> str:
    return MEASURES[measure].told(difference)


def enough(bits: str) -> Look:
    """Look whether so many bits lose no more than a point beside 32: the lower end of the paired interval."""

    def look(found: Found) -> Iterator[tuple[str, bool, str]]:
        for panel in found.panels:
            for row in found.rows:
                lost = paired_difference(found.values(panel, bits, row), found.values(panel, "32", row))
                assert lost.interval is not None
                yield f"{row} on {panel}", 100 * lost.interval[0] > WORST, _told(lost, "accuracy")

    return look


def steeper(row: str, than: str) -> Look:
    """Look whether regret grows faster with one row than with another: intervals of slopes that do not meet."""

    def look(found: Found) -> Iterator[tuple[str, bool, str]]:
        for panel, point in found.places():
            own, other = (found.values(panel, point, name, "slope") for name in (row, than))
            if own and other:
                ends, others = statistics.interval(own), statistics.interval(other)
                assert ends is not None
                assert others is not None
                text = f"{_slope(own, ends)} against {_slope(other, others)}"
                yield f"{panel} at {point}", ends[0] > others[1], text

    return look


def loses_less(row: str, than: str) -> Look:
    """Look whether a row keeps more of what it has at the first point than another does, at every later point."""

    def look(found: Found) -> Iterator[tuple[str, bool, str]]:
        first, *later = found.points
        for panel in found.panels:
            for point in later:
                kept, other = (
                    np.subtract(*(found.values(panel, p, name, "accuracy at the end") for p in (point, first))).tolist()
                    for name in (row, than)
                )
                more = paired_difference(kept, other)
                yield f"{panel}, {point}", more.above, _told(more, "accuracy")

    return look


def _slope(values: list[float], ends: tuple[float, float]) -> str:
    return f"{np.mean(values):.3f} ({ends[0]:.3f} to {ends[1]:.3f})"


CLAIMS = [
    Claim("QQR is above FedAvg when modalities are missing", "missing-rate", above("qqr", "fedavg")),
    Claim(
        "QQR is 10 points above FedAvg where a modality is nearly always missing",
        "missing-rate",
        by(10, "qqr", "fedavg", WATCHES, "0.9"),
    ),
    Claim("QQR is 4 points above leaving it out there", "missing-rate", by(4, "qqr", "partial", WATCHES, "0.9")),
    Claim("QQR is above leaving missing modalities out (`partial`)", "missing-rate", above("qqr", "partial")),
    Claim("QQR is above FedAvg when modalities are bad", "quality", above("qqr", "fedavg")),
    Claim("QQR is above FedAvg when bad data are met at prediction", "quality-at-test", above("qqr", "fedavg")),
    Claim("Four bits are enough", "bits", enough("4")),
    Claim("Three bits are enough", "bits", enough("3")),
    Claim("Two bits are enough", "bits", enough("2")),
    Claim("FedAvg's regret grows faster than QQR's", "regret", steeper("fedavg", "qqr")),
    Claim("FedCMI's infiltration itself helps", "ablation", above("fedcmi", "fedcmi-untaught")),
    Claim(
        "FedCMI's temperatures help the worst class", "ablation", above("fedcmi", "fedcmi-plain", measure="worst class")
    ),
    Claim("FedMChain's residual error helps", "ablation", above("fedmchain", "fedmchain-alone")),
    Claim("FedMChain's joining by sign helps", "ablation", above("fedmchain", "fedmchain-mean")),
    Claim(
        "FedMChain serves lone modalities better than late fusion",
        "ablation",
        above("fedmchain", "fedmchain-late", measure="one left out"),
    ),
    Claim("FedMChain loses less than FedAvg by rare synchronisation", "sync", loses_less("fedmchain", "fedavg")),
]


def verdict(seen: list[tuple[str, bool, str]]) -> str:
    """Sum up where a claim was seen."""
    if not seen:
        return "**Not looked for**"
    where = [name for name, yes, _ in seen if yes]
    if len(where) == len(seen):
        return "**Seen**"
    return f"**Seen only**: {listed(where)}" if where else "**Not seen**"


def summary(studies: Mapping[str, Found]) -> str:
    """Return a table of all claims that the studies at hand speak of, each with its verdict."""
    lines = [
        [claim.text, f"[{claim.study}](#{claim.study})", verdict(claim.seen(studies[claim.study]))]
        for claim in CLAIMS
        if claim.study in studies
    ]
    return table(["claim", "study", "verdict"], lines)


def figures(studies: Mapping[str, Found]) -> Iterator[str]:
    """Yield what was found where, claim by claim."""
    for claim in CLAIMS:
        if claim.study in studies:
            seen = claim.seen(studies[claim.study])
            lines = [f"- {name}: {text}{'' if yes else ' (no)'}" for name, yes, text in seen]
            yield f"### {claim.text}\n\n" + "\n".join(lines)


def no_help(studies: Mapping[str, Found]) -> Iterator[str]:
    """Yield where a method that is held against another is surely worse: the whole interval lies below zero."""
    for name, found in studies.items():
        for row, against in STUDIES[name].pairs:
            if row not in found.rows or against not in found.rows or STUDIES[name].kind == "regret":
                continue
            held = standing(found, row, against)
            for panel in found.panels:
                mean = over_points(found, held, panel)
                points = [place.point for place in held.below if place.panel == panel]
                if mean.below or points:
                    where = f"; told apart at {listed(points)}" if points else ""
                    yield (
                        f"- `{row}` against `{against}` on {panel} (study [{name}](#{name})): "
                        f"{_told(mean, 'accuracy')} points over the axis{where}."
                    )
