"""What a finished run should be read with caution for, and what to do about it: one plain sentence each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from motet.measure.statistics import paired_difference
from motet.record.comparison import runs_by_recipe
from motet.record.result import Comparison, Meaning, Result, Round
from motet.record.verdict import is_upper_bound
from motet.record.wording import count, gap, gap_interval, listed, number

LEAST = 0.1
"""An agreement or a separation below this is as good as none."""

SUMMED = ("late", "late-unimodal", "chain")
"""Objectives whose scores are the sum of the modalities'."""
MOST_BAD = 0.5
"""The share of bad data from which a robust estimate has nothing to hold on to."""

MOST_NAMED = 3
DIGITS = 3


@dataclass(frozen=True)
class Finding:
    """One warning about the runs of one recipe.

    Attributes
    ----------
    what, therefore : str
        The two halves of the sentence.
    where : str
        The figures, each with its modality or pair; may be empty.
    seeds : int
        How many of the runs it is about.
    """

    what: str
    therefore: str
    where: str
    seeds: int


def run_warnings(result: Result) -> list[str]:
    """Warn about one run."""
    return [f"{found.what}{_bracketed(found.where)}: {found.therefore}" for found in _findings([result])]


def comparison_warnings(comparison: Comparison) -> list[str]:
    """Warn about a comparison: once for all recipes and seeds with the same fault, then of those below joint fusion."""
    told: dict[tuple[str, str], list[str]] = {}
    recipes = runs_by_recipe(comparison)
    for recipe, runs in recipes.items():
        for found in _findings(runs):
            seeds = f"{found.seeds} of {len(runs)} seeds" if len(runs) > 1 else ""
            whose = f"{recipe}{_bracketed(', '.join(filter(None, (found.where, seeds))))}"
            told.setdefault((found.what, found.therefore), []).append(whose)
    said = [f"{what} with {listed(whose)}: {therefore}" for (what, therefore), whose in told.items()]
    return said + _below_joint(recipes)


def _findings(runs: Sequence[Result]) -> list[Finding]:
    found = [
        _low(
            runs,
            lambda meaning: meaning.agreement,
            "Prototypes mean different things in different modalities",
            "the rank correlation of class distances",
        ),
        _low(
            runs,
            lambda meaning: meaning.separation,
            "Prototypes hardly tell the classes apart",
            "the separation of classes",
        ),
        _unfounded(runs),
        _unowned(runs),
        _refused(runs),
        _ended(runs),
    ]
    return [finding for finding in found if finding]


def _low(
    runs: Sequence[Result], figures: Callable[[Meaning], Mapping[str, float | None]], what: str, name: str
) -> Finding | None:
    """Find what is too low after the last round; over several runs, at its lowest."""
    last = [run.history[-1].meaning for run in runs if run.history]
    low = [_below(figures(meaning)) for meaning in last if meaning]
    if not any(low):
        return None
    lowest = {key: min(each[key] for each in low if key in each) for key in dict.fromkeys(chain(*low))}
    therefore = (
        f"{name} ends under {LEAST}, so a prototype may be no substitute for a feature; compare with {_without(runs)}."
    )
    return Finding(what, therefore, _where(lowest), sum(map(bool, low)))


def _below(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Give the figures that are too low, rounded first, so that none is told as the bound that it is under."""
    rounded = {key: round(value, DIGITS) for key, value in figures.items() if value is not None}
    return {key: value for key, value in rounded.items() if value < LEAST}


def _where(figures: Mapping[str, float]) -> str:
    """Name the lowest figures, as ``0.03 for acc and gyro``."""
    ranked = sorted(figures, key=lambda key: figures[key])
    named = [f"{number(figures[key])} for {key.replace('~', ' and ')}" for key in ranked[:MOST_NAMED]]
    more = len(ranked) - MOST_NAMED
    return ", ".join(named + ([f"{more} more"] if more > 0 else []))


def _without(runs: Sequence[Result]) -> str:
    """Name the choice that puts nothing in a feature's place."""
    replaces_missing = str(runs[0].recipe.get("missing")).startswith("prototype")
    return "--missing skip" if replaces_missing else "--degraded drop"


def _unfounded(runs: Sequence[Result]) -> Finding | None:
    """Find whether quality was assessed against a reference that was learnt from mostly bad data."""
    config = runs[0].config
    rate = config.get("degraded_rate", 0) if config.get("impaired", True) else 0
    uncalibrated = config.get("flags") == "assessed" and config.get("calibration_rounds") == 0
    if runs[0].assessment is None or not uncalibrated or rate < MOST_BAD:
        return None
    return Finding(
        f"Quality is assessed at a degraded rate of {number(rate)} without calibration",
        "a robust reference breaks down where half of the data or more are bad, and flags go wrong; "
        "use --calibration-rounds N if sensors are good in the first N rounds.",
        "",
        len(runs),
    )


def _unowned(runs: Sequence[Result]) -> Finding | None:
    """Find modalities that no client is left to own; devices are drawn anew for each seed."""
    owners = [run.data.get("owners", {}) for run in runs]
    unowned = [[m for m, clients in own.items() if clients == 0] for own in owners]
    if not any(unowned):
        return None
    names = dict.fromkeys(m for own in unowned for m in own)
    return Finding(
        "A modality has no owner",
        "nothing is learnt of it, yet the test split has it; use a smaller --unimodal-share, or choose --modalities.",
        ", ".join(names),
        sum(map(bool, unowned)),
    )


def _refused(runs: Sequence[Result]) -> Finding | None:
    """Find rounds that changed nothing, for nobody's upload was taken; over several runs, where it was most."""
    barren = [sum(map(_barren, run.history)) for run in runs]
    if not any(barren):
        return None
    worst = max(range(len(runs)), key=lambda place: barren[place])
    reasons = (reason for line in runs[worst].history if _barren(line) for reason in line.refused)
    return Finding(
        "All uploads of a round were refused",
        "such a round changes nothing; where numbers are too large, lower --lr, or raise --norm-bound.",
        f"{barren[worst]} of {count(len(runs[worst].history), 'round')}: {' '.join(dict.fromkeys(reasons))}",
        sum(map(bool, barren)),
    )


def _barren(line: Round) -> bool:
    """Say whether there were uploads in a round, and none was taken."""
    return line.clients == 0 and bool(line.refused)


def _ended(runs: Sequence[Result]) -> Finding | None:
    """Find runs that ended early; over several, how many rounds the shortest had."""
    short = [run for run in runs if run.privacy and run.bytes.rounds < run.privacy.rounds_asked]
    if not short:
        return None
    first = min(short, key=lambda run: run.bytes.rounds)
    asked = first.privacy.rounds_asked if first.privacy else 0
    return Finding(
        "The budget of privacy ended before the last round",
        "more noise lasts longer: leave out --noise-multiplier to spread --epsilon over all --rounds.",
        f"{first.bytes.rounds} of {count(asked, 'round')}",
        len(short),
    )


def _below_joint(recipes: Mapping[str, Sequence[Result]]) -> list[str]:
    """Warn of recipes that joint fusion beats on validation; of several joint ones, by the most alike."""
    known = {
        name: runs
        for name, runs in recipes.items()
        if all(run.validation for run in runs) and not is_upper_bound(name, runs)
    }
    joint = [name for name, runs in known.items() if runs[0].recipe.get("objective") == "joint"]
    said = []
    for name, runs in known.items():
        objective = str(runs[0].recipe.get("objective")).partition(":")[0]
        if not joint or objective not in SUMMED:
            continue
        rival = min(joint, key=lambda other: _unlike(known[other][0], runs[0]))
        apart = paired_difference(_validated(runs), _validated(known[rival]))
        if apart.below:
            said.append(
                f"{name} is below joint fusion ({rival}) on validation by {gap(apart.mean)}"
                f"{gap_interval(apart.mean, apart.interval)}: strong label skew or a useless modality may be why; "
                "try --fusion validation, or a joint objective."
            )
    return said


def _unlike(one: Result, other: Result) -> list[bool]:
    """Say in which choices two recipes differ, the weightiest first."""
    return [one.recipe.get(choice) != other.recipe.get(choice) for choice in ("missing", "aggregate", "degraded")]


def _validated(runs: Sequence[Result]) -> list[float]:
    return [run.validation.accuracy for run in runs if run.validation]


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""
