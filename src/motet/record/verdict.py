"""What a comparison allows one to say: who is ahead of the first recipe named, and whether the seeds show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from motet.measure.statistics import Difference, paired_difference
from motet.record.comparison import UPPER_BOUND, runs_by_recipe, tail_accuracies
from motet.record.result import Comparison, Result

State = Literal["alone", "one-seed", "ahead", "level", "behind"]


@dataclass(frozen=True)
class Verdict:
    """The finding that the headline and its reason are written from.

    Attributes
    ----------
    state : str
        ``alone`` where nothing is compared; ``one-seed`` where no interval exists; else whether the interval of
        leader minus baseline lies above zero, holds zero, or lies below.
    baseline : str
        The first recipe named.
    leader : str
        The recipe that the sentence is about: of those shown to beat the baseline the one with the highest mean, else
        the one with the highest mean of all but the baseline. Never an upper bound, unless nothing else was run.
    difference : Difference or None
        Leader minus baseline.
    rivals : tuple of (str, Difference)
        Other recipes that the seeds cannot tell from the leader, nearest first: leader minus rival.
    bounds : tuple of str
        The upper bounds among the recipes.
    """

    state: State
    baseline: str
    leader: str
    difference: Difference | None
    rivals: tuple[tuple[str, Difference], ...]
    bounds: tuple[str, ...]


def is_upper_bound(recipe: str, results: Sequence[Result]) -> bool:
    """Tell whether a recipe sees data that the others don't: `full`, or any whose impairment was switched off."""
    return recipe == UPPER_BOUND or any(
        result.recipe.get("upper_bound") is True or result.config.get("impaired") is False for result in results
    )


def judge(comparison: Comparison) -> Verdict:
    """Find the leader and whether the paired interval shows that it leads."""
    runs = runs_by_recipe(comparison)
    accuracy = {recipe: tail_accuracies(results) for recipe, results in runs.items()}
    bounds = tuple(recipe for recipe, results in runs.items() if is_upper_bound(recipe, results))
    baseline = comparison.recipes[0]
    fair = [recipe for recipe in comparison.recipes[1:] if recipe not in bounds]
    if not fair:
        return Verdict("alone", baseline, baseline, None, (), bounds)
    against = {recipe: paired_difference(accuracy[recipe], accuracy[baseline]) for recipe in fair}
    shown = [recipe for recipe in fair if against[recipe].above]
    leader = max(shown or fair, key=lambda recipe: fmean(accuracy[recipe]))
    rivals = {recipe: paired_difference(accuracy[leader], accuracy[recipe]) for recipe in fair if recipe != leader}
    alike = [(recipe, gap) for recipe, gap in rivals.items() if gap.interval and not gap.above and not gap.below]
    return Verdict(
        state=_state(against[leader]),
        baseline=baseline,
        leader=leader,
        difference=against[leader],
        rivals=tuple(sorted(alike, key=lambda pair: abs(pair[1].mean))),
        bounds=bounds,
    )


def _state(difference: Difference) -> State:
    if difference.interval is None:
        return "one-seed"
    if difference.above:
        return "ahead"
    return "behind" if difference.below else "level"
