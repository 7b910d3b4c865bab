"""Write docs/evidence.md from the data of full studies: what is claimed, what was seen, and how sure that is.

    python benchmarks/evidence.py [FOLDER ...]

Each FOLDER is one of a finished study (`motet study NAME --preset full`); its data are taken over to docs/evidence.
Without any the page is made of the data that lie there. Every number of the page is filled in from them.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motet.measure import statistics
from motet.measure.statistics import Difference, paired_difference
from motet.record.files import write_atomic
from motet.record.wording import interval, listed, points
from motet.study.data import Found, load
from motet.study.folder import DATA
from motet.study.measures import MEASURES
from motet.study.page import tables, wins
from motet.study.picture import picture
from motet.study.prepared import STUDIES
from motet.study.standing import standing
from motet.study.words import how_sure, over_points

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDER = DOCS / "evidence"
WORST = -1.0
"""Points that fewer bits may cost, at most, to be called enough."""


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
    look: Callable[[Found], Iterator[tuple[str, bool, str]]]


def above(row: str, against: str, measure: str = "accuracy") -> Callable[[Found], Iterator[tuple[str, bool, str]]]:
    """Look on every panel whether a row is above another: the mean over the axis, with its whole interval."""

    def look(found: Found) -> Iterator[tuple[str, bool, str]]:
        held = standing(found, row, against, measure)
        for panel in filter(held.known, found.panels):
            mean = over_points(found, held, panel)
            yield panel, mean.above, _told(mean, measure)

    return look


def _told(difference: Difference, measure: str) -> str:
    return MEASURES[measure].told(difference)


def enough(bits: str) -> Callable[[Found], Iterator[tuple[str, bool, str]]]:
    """Look whether so many bits lose no more than a point beside 32: the lower end of the paired interval."""

    def look(found: Found) -> Iterator[tuple[str, bool, str]]:
        for panel in found.panels:
            for row in found.rows:
                lost = paired_difference(found.values(panel, bits, row), found.values(panel, "32", row))
                assert lost.interval is not None
                yield f"{row} on {panel}", 100 * lost.interval[0] > WORST, _told(lost, "accuracy")

    return look


def steeper(row: str, than: str) -> Callable[[Found], Iterator[tuple[str, bool, str]]]:
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


def loses_less(row: str, than: str) -> Callable[[Found], Iterator[tuple[str, bool, str]]]:
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


def claims(studies: dict[str, Found]) -> Iterator[str]:
    """Yield every claim that the studies at hand speak of, with its verdict and figures."""
    for claim in CLAIMS:
        if claim.study not in studies:
            continue
        seen = list(claim.look(studies[claim.study]))
        yield f"### {claim.text}\n\n{verdict(seen)} (study [{claim.study}](#{claim.study})).\n\n" + "\n".join(
            f"- {name}: {text}{'' if yes else ' (no)'}" for name, yes, text in seen
        )


def no_help(studies: dict[str, Found]) -> Iterator[str]:
    """Yield where a celebrated method is surely no better than a baseline: the whole interval below zero."""
    for name, found in studies.items():
        for row, against in STUDIES[name].pairs:
            if row not in found.rows or against not in found.rows or STUDIES[name].kind == "regret":
                continue
            held = standing(found, row, against)
            for panel in found.panels:
                mean = over_points(found, held, panel)
                if mean.interval is not None and mean.mean < 0 and mean.below:
                    text = f"{points(mean.mean)} points ({interval(mean.interval)})"
                    yield f"- `{row}` against `{against}` on {panel} (study [{name}](#{name})): {text} over its axis."


def page(studies: dict[str, Found]) -> str:
    """Return the page."""
    parts = [
        "# Evidence",
        "What the papers claim, held against full studies, each of which is one command. A claim is *seen* on a panel "
        "where the paired 95 % interval of the mean over the study's axis lies above zero (or as it says); every "
        "number is filled in from the data in `docs/evidence`, by `python benchmarks/evidence.py`.",
        "## Claims",
        *claims(studies),
    ]
    below = list(no_help(studies))
    if below:
        parts += ["## Where the method does not help", "The whole interval lies below zero:", "\n".join(below)]
    for name, found in studies.items():
        study = STUDIES[name]
        shown = [part.replace("## ", "#### ", 1) for part in [*tables(study, found), *wins(study, found)]]
        parts += [
            f"## {name}",
            study.question,
            f"```\n{found.header.command}\n```",
            f"![{study.question}](evidence/{name}.svg)",
            how_sure(found),
            *shown,
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Take over the data of studies, and write page and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of finished studies")
    FOLDER.mkdir(exist_ok=True)
    for folder in parser.parse_args().folders:
        found = load(folder / DATA)
        own = {panel.name for panel in STUDIES[found.header.study].full.panels}
        if found.header.preset != "full" or set(found.header.panels) != own:
            parser.error(f"{folder} holds no full preset on the study's own archives")
        shutil.copy(folder / DATA, FOLDER / f"{found.header.study}.jsonl")
    studies = {name: load(path) for name in STUDIES if (path := FOLDER / f"{name}.jsonl").is_file()}
    for name, found in studies.items():
        write_atomic(FOLDER / f"{name}.svg", picture(STUDIES[name], found))
    write_atomic(DOCS / "evidence.md", page(studies))
    print(f"wrote evidence.md, of {listed(studies)}")


if __name__ == "__main__":
    main()
