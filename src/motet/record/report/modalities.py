"""What modalities bring to a model, alone and together: a sentence and a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from motet.measure.complementarity import complementarity
from motet.record.comparison import mean_known
from motet.record.report import figures
from motet.record.report.figures import Figure
from motet.record.report.looks import Track
from motet.record.report.subsets import modalities
from motet.record.result import Result
from motet.record.wording import NONE, count, gap, listed, percent, points

LAST = 10
"""Rounds at the end of a run over which the sizes of updates are averaged, as accuracies are."""
MOST_NAMED = 3
ALONE = "Alone: the model is given this modality only, of the test samples that have it."


@dataclass(frozen=True)
class Line:
    """One line of the table: a modality of a run, or a recipe of a comparison."""

    name: str
    bound: bool
    cells: list[str]


@dataclass(frozen=True)
class Brought:
    """What the section says and shows.

    Attributes
    ----------
    sentence, note : str
    heads : list of str
        Headings of the table's columns.
    lines : list of Line
    figures : list of Figure
    """

    sentence: str
    note: str
    heads: list[str]
    lines: list[Line]
    figures: list[Figure]


def brought(tracks: Sequence[Track]) -> Brought | None:
    """Say what modalities bring; None where there is one alone, or the results are too old to tell."""
    names = modalities(tracks[0].runs[0])
    told = all(run.tail.accuracy_alone for track in tracks for run in track.runs)
    if len(names) < 2 or not told:
        return None
    return _of_one(tracks[0], names) if len(tracks) == 1 else _of_several(tracks, names)


def _of_one(track: Track, names: Sequence[str]) -> Brought:
    alone = _alone(track, names)

    def cells(m: str) -> list[str]:
        share = _mean(track, lambda run: (run.tail.dominance or {}).get(m))
        size = _mean(track, lambda run: mean_known([(line.update_norm or {}).get(m) for line in run.history[-LAST:]]))
        return [_bare(alone[m]), _bare(share), NONE if size is None else f"{size:.3g}"]

    return Brought(
        sentence=_together(track, alone),
        note=_explained(track),
        heads=["modality", "accuracy alone (%)", "share of the true-class score (%)", "update norm"],
        lines=[Line(m, False, cells(m)) for m in names],
        figures=figures.by_modality(track, names),
    )


def _of_several(tracks: Sequence[Track], names: Sequence[str]) -> Brought:
    gains = {track.label: gain for track in tracks if (gain := _gain(track, _alone(track, names))) is not None}

    def cells(track: Track) -> list[str]:
        alone, gain = _alone(track, names), gains.get(track.label)
        wrong = mean_known([share for _, share in _faults(track)])
        together = _mean(track, lambda run: run.tail.accuracy)
        beyond = NONE if gain is None else points(gain)
        return [_bare(together), beyond, _bare(wrong), *map(_bare, alone.values())]

    pairs = "" if len(names) == 2 else "; mean over pairs"
    heads = ["together (%)", "beyond the best alone (points)", "both wrong (%)", *(f"{m} alone (%)" for m in names)]
    return Brought(
        sentence=_ranging(gains),
        note=f"{ALONE} Both wrong: samples that two modalities get wrong, each alone{pairs}.",
        heads=["recipe", *heads],
        lines=[Line(track.name, track.bound, cells(track)) for track in tracks],
        figures=[],
    )


def _together(track: Track, alone: dict[str, float | None]) -> str:
    known = {m: value for m, value in alone.items() if value is not None}
    absent = [m for m in alone if m not in known]
    ranked = sorted(known, key=lambda m: -known[m])
    lacking = f" No test sample has {listed(absent)}." if absent else ""
    gain = _gain(track, alone)
    if gain is None or len(known) < 2:
        return "".join(f"{m} alone reaches {percent(known[m])}." for m in known) + lacking
    if len(known) > MOST_NAMED:
        best, worst = ranked[0], ranked[-1]
        each = f"{best} alone reaches most, {percent(known[best])}, and {worst} least, {percent(known[worst])}"
    else:
        reaches = [f"{m} alone {'reaches ' * (m == ranked[0])}{percent(known[m])}" for m in ranked]
        each = ", ".join(reaches)
    whole = percent(_mean(track, lambda run: run.tail.accuracy))
    return f"{each}; together they reach {whole}, {_beyond(gain)}.{lacking}"


def _beyond(gain: float) -> str:
    if gap(gain) == gap(0):
        return "as much as the best one alone"
    return f"{gap(gain)} {'more' if gain > 0 else 'less'} than the best one alone"


def _ranging(gains: dict[str, float]) -> str:
    if not gains:
        return "No modality was tested alone."
    low, high = min(gains, key=lambda name: gains[name]), max(gains, key=lambda name: gains[name])
    if points(gains[low]) == points(gains[high]):
        return f"With every recipe all modalities together reach {_beyond(gains[low])}."
    return f"All modalities together reach {_beyond(gains[high])} with {high}, {_beyond(gains[low])} with {low}."


def _explained(track: Track) -> str:
    worst = sorted(_faults(track), key=lambda pair: -pair[1])
    told = [f"{pair} {percent(share)}" for pair, share in worst[:MOST_NAMED]]
    rest = len(worst) - len(told)
    told += [f"{count(rest, 'other pair')} no more often"] if rest else []
    words = [
        ALONE,
        "Share: the probability that each gives the true class alone, of the sum over modalities.",
        "Update norm: the size of what a client sends for it, mean over the last ten rounds.",
        *([f"Both wrong alone, of the samples: {listed(told)}."] if told else []),
    ]
    return " ".join(words)


def _alone(track: Track, names: Sequence[str]) -> dict[str, float | None]:
    def mean(m: str) -> float | None:
        return _mean(track, lambda run: (run.tail.accuracy_alone or {}).get(m))

    return {m: mean(m) for m in names}


def _gain(track: Track, alone: dict[str, float | None]) -> float | None:
    whole = _mean(track, lambda run: run.tail.accuracy)
    return None if whole is None else complementarity(whole, alone)


def _faults(track: Track) -> list[tuple[str, float]]:
    """Give each pair that is known, with the share of samples that both get wrong alone."""

    def mean(pair: str) -> float | None:
        return _mean(track, lambda run: (run.tail.double_fault or {}).get(pair))

    means = {pair: mean(pair) for pair in track.runs[0].tail.double_fault or {}}
    return [(" and ".join(pair.split("~")), share) for pair, share in means.items() if share is not None]


def _mean(track: Track, figure: Callable[[Result], float | None]) -> float | None:
    return mean_known([figure(run) for run in track.runs])


def _bare(fraction: float | None) -> str:
    return percent(fraction).removesuffix(" %")
