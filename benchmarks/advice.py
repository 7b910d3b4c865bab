"""What to use when: every recipe beside fedavg under many circumstances, as a chart and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.patches import Rectangle

from motet.measure.statistics import Difference, paired_difference
from motet.record.report.looks import INK
from motet.record.report.svg import canvas, standalone, to_svg
from motet.record.wording import interval, listed, percent, points
from motet.study.data import Found
from motet.study.page import table
from motet.study.standing import fair

REFERENCE = "fedavg"
FEW = ("partial", "qqr", "motet")
"""What a small table shows."""
FAR = 0.12
"""A difference of accuracies that is as dark as the chart gets."""


@dataclass(frozen=True)
class Circumstances:
    """Where somebody may find themselves, and the part of a study that speaks of it.

    Attributes
    ----------
    text : str
    study : str
    points, panels : tuple of str
        All of the study where none is named.
    """

    text: str
    study: str
    points: tuple[str, ...] = ()
    panels: tuple[str, ...] = ()

    def places(self, found: Found) -> list[tuple[str, str]]:
        """Return the (panel, point) that it is about."""
        return [
            (panel, point)
            for panel, point in found.places()
            if panel in (self.panels or found.panels) and point in (self.points or found.points)
        ]


CIRCUMSTANCES = [
    Circumstances("a modality is missing now and then", "missing-rate", points=("0.1", "0.3")),
    Circumstances("a modality is missing half the time", "missing-rate", points=("0.5",)),
    Circumstances("a modality is nearly always missing", "missing-rate", points=("0.9",)),
    Circumstances("half the devices have one modality", "unimodal-share", points=("0.5",)),
    Circumstances("all devices have one modality", "unimodal-share", points=("1",)),
    Circumstances("half of what is learnt is bad", "quality", panels=("ucihar, half of training at strength 3",)),
    Circumstances(
        "nearly all that is learnt is bad", "quality", panels=("ucihar, nearly all of training at strength 3",)
    ),
    Circumstances("bad data come at prediction alone", "quality-at-test", panels=("ucihar, strength 3",)),
    Circumstances("devices hold few classes", "skew", points=("0.1",)),
    Circumstances("devices hold like shares", "skew", points=("10",)),
    Circumstances("a tenth of the devices take part", "participation", points=("0.1",)),
    Circumstances("another modality is missing every round", "dynamics", points=("another modality every round",)),
    Circumstances("devices drop out of rounds", "dynamics", points=("a third of the clients drop out",)),
    Circumstances("a fifth of the samples have labels", "dynamics", points=("a fifth of the labels",)),
]


@dataclass(frozen=True)
class Standings:
    """Every row under some circumstances.

    Attributes
    ----------
    gains : dict of row to Difference
        Of accuracy, to `REFERENCE`; seeds are pairs, each the mean over all places.
    level : list of row
        Those of which it is not sure that they are below the best: the best itself first.
    sent : dict of row to float
        What is uploaded, as a share of what `REFERENCE` uploads.
    reached : float
        The mean accuracy of `REFERENCE`.
    """

    gains: dict[str, Difference]
    level: list[str]
    sent: dict[str, float]
    reached: float

    @property
    def best(self) -> str:
        """The row with the highest mean."""
        return self.level[0]


def held(found: Found, circumstances: Circumstances) -> Standings:
    """Hold all fair rows of a study against each other under some circumstances."""
    places = circumstances.places(found)
    seeds = {row: found.by_seed(places, row) for row in fair(found)}
    sent = {row: float(np.mean(found.by_seed(places, row, "sent"))) for row in seeds}
    ranked = sorted(seeds, key=lambda row: -np.mean(seeds[row]))
    return Standings(
        gains={row: paired_difference(own, seeds[REFERENCE]) for row, own in seeds.items()},
        level=[row for row in ranked if not paired_difference(seeds[row], seeds[ranked[0]]).below],
        sent={row: amount / sent[REFERENCE] for row, amount in sent.items()},
        reached=float(np.mean(seeds[REFERENCE])),
    )


def advice(studies: Mapping[str, Found]) -> list[tuple[Circumstances, Standings]]:
    """Return the standings under all circumstances that the studies at hand speak of."""
    return [(own, held(studies[own.study], own)) for own in CIRCUMSTANCES if own.study in studies]


def told(circumstances: Circumstances, standings: Standings) -> str:
    """Say what to use."""
    best, *others = standings.level
    about = f"**{circumstances.text[0].upper()}{circumstances.text[1:]}**"
    source = f"(study [{circumstances.study}](#{circumstances.study}))"
    level = f"; not surely worse: {listed(f'`{row}`' for row in others)}" if others else "; all others are surely worse"
    if best == REFERENCE:
        return f"- {about}: `{REFERENCE}`, nothing is above it{level} {source}."
    figures = f"{_gained(standings, best)} points, {percent(standings.sent[best], 0)} of its upload"
    return f"- {about}: `{best}` beside `{REFERENCE}`: {figures}{level} {source}."


def brief(every: list[tuple[Circumstances, Standings]]) -> str:
    """Return a small table of the circumstances that a few recipes were all run under; nothing if there are none."""
    lines = [
        [
            circumstances.text,
            percent(standings.reached),
            *(_gained(standings, row) for row in FEW),
            f"[{circumstances.study}](docs/evidence.md#{circumstances.study})",
        ]
        for circumstances, standings in every
        if set(FEW) <= set(standings.gains)
    ]
    if not lines:
        return ""
    about = (
        f"Points of accuracy above `{REFERENCE}` on the same data, failures and seeds (95 % intervals), mean over a "
        "study's archives."
    )
    return about + "\n\n" + table(["when", f"`{REFERENCE}`", *(f"`{row}`" for row in FEW), "study"], lines)


def _gained(standings: Standings, row: str) -> str:
    gain = standings.gains[row]
    return points(gain.mean) + (f" ({interval(gain.interval)})" if gain.interval else "")


def chart(every: list[tuple[Circumstances, Standings]]) -> str:
    """Draw the advice, as an SVG file: a field for each recipe under each circumstances, in points above fedavg."""
    columns = _columns([standings for _, standings in every])
    with canvas(0.9 + 0.36 * len(every), 9.6) as figure:
        axes, colours = figure.subplots(), TwoSlopeNorm(0, -FAR, FAR)
        for y, (_, standings) in enumerate(every):
            for x, row in enumerate(columns):
                if row in standings.gains:
                    gain = standings.gains[row].mean
                    paper = _paper(colours(float(np.clip(gain, -FAR, FAR))))
                    axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=paper, linewidth=0))
                    likely = row in standings.level
                    axes.text(
                        x, y, points(gain) + ("*" if likely else ""), ha="center", va="center", color=INK[0],
                        fontsize=9, fontweight="bold" if row == standings.best else "normal",
                    )  # fmt: skip
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_ylim(len(every) - 0.5, -0.5)
        axes.set_yticks(range(len(every)), [circumstances.text for circumstances, _ in every])
        axes.set_xticks(range(len(columns)), [row.replace(", ", ",\n") for row in columns], color=INK[0])
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        words = "Points of accuracy above fedavg, by recipe and circumstances; the figures are in the list beside it."
        return standalone(to_svg(figure, "advice", words))


def _paper(share: float) -> tuple[float, float, float]:
    """Return a colour from orange by white to blue, pale enough for dark letters on all of it."""
    end = np.array([0.44, 0.66, 0.92]) if share > 0.5 else np.array([0.95, 0.62, 0.36])
    red, green, blue = 1 + (end - 1) * abs(2 * share - 1)
    return float(red), float(green), float(blue)


def _columns(every: list[Standings]) -> list[str]:
    """Return the rows that more than one of the circumstances know, those that come up most often first."""
    often: dict[str, int] = {}
    for standings in every:
        for row in standings.gains:
            often[row] = often.get(row, 0) + (row != REFERENCE)
    return sorted((row for row, times in often.items() if times > 1), key=lambda row: -often[row])
