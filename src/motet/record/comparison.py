"""From the results of several recipes over the same seeds to a `Comparison`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from motet.errors import MotetError
from motet.measure.reach import sent_until
from motet.measure.statistics import paired_difference, standard_deviation
from motet.record.result import Comparison, Paired, Result, Summary

# `full` runs with the impairment off, so it is never a fair rival and is marked wherever it appears.
UPPER_BOUND = "full"


def tail_accuracies(results: Sequence[Result]) -> list[float]:
    """Give each run's accuracy, the mean over its last rounds."""
    return [result.tail.accuracy for result in results]


def mean_known(values: Sequence[float | None]) -> float | None:
    """Give the mean of the values that are not None; None where there are none."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def summarise(recipe: str, results: Sequence[Result], baseline: Sequence[Result]) -> Summary:
    """Summarise one recipe's runs over all seeds; `baseline` holds the first recipe's, in the same order."""
    accuracies = tail_accuracies(results)
    sent = [
        sent_until(target, [(line.accuracy, line.bytes_up) for line in run.history])
        for run, target in zip(results, tail_accuracies(baseline), strict=True)
    ]
    return Summary(
        recipe=recipe,
        accuracy_mean=fmean(accuracies),
        accuracy_sd=standard_deviation(accuracies),
        balanced_accuracy_mean=fmean(r.tail.balanced_accuracy for r in results),
        macro_f1_mean=fmean(r.tail.macro_f1 for r in results),
        worst_class_mean=fmean(r.tail.worst_class for r in results),
        online_accuracy_mean=mean_known([r.online.accuracy if r.online else None for r in results]),
        bytes_up_mean=fmean(r.bytes.up for r in results),
        train_s_mean=fmean(r.time.train_s for r in results),
        reached=sum(cost is not None for cost in sent),
        bytes_up_to_reach_mean=mean_known(sent),
    )


def paired(recipe: str, results: Sequence[Result], against: str, baseline: Sequence[Result]) -> Paired:
    """Compare a recipe with another, seed by seed.

    Parameters
    ----------
    recipe, against : str
    results, baseline : sequence of Result
        The two recipes' runs, in the same order of seeds.
    """
    difference = paired_difference(tail_accuracies(results), tail_accuracies(baseline))
    return Paired(
        recipe=recipe,
        against=against,
        difference_mean=difference.mean,
        ci95=difference.interval,
        p_value=difference.p_value,
        wins=difference.wins,
        ties=difference.ties,
        losses=difference.losses,
    )


def compare(
    recipes: Sequence[str],
    seeds: Sequence[int],
    config: Mapping[str, Any],
    results: Mapping[tuple[str, int], Result],
) -> Comparison:
    """Join the runs of several recipes over the same seeds.

    Parameters
    ----------
    recipes : sequence of str
        The first is the one that the others are compared with.
    seeds : sequence of int
    config : mapping
        What all runs share.
    results : mapping of (recipe, seed) to Result
        One run for each pair.

    Returns
    -------
    Comparison
        Its runs are in the order of `recipes`, and within a recipe in the order of `seeds`.
    """
    absent = [f"{recipe} (seed {seed})" for recipe in recipes for seed in seeds if (recipe, seed) not in results]
    if absent or not recipes or not seeds:
        raise MotetError(f"cannot compare: no result for {', '.join(absent) if absent else 'any recipe'}")
    runs = {recipe: [results[recipe, seed] for seed in seeds] for recipe in recipes}
    first = recipes[0]
    return Comparison(
        recipes=list(recipes),
        seeds=list(seeds),
        config=dict(config),
        runs=[run for recipe in recipes for run in runs[recipe]],
        summary=[summarise(recipe, runs[recipe], runs[first]) for recipe in recipes],
        paired=[paired(recipe, runs[recipe], first, runs[first]) for recipe in recipes[1:]],
    )


def runs_by_recipe(comparison: Comparison) -> dict[str, list[Result]]:
    """Split a comparison's runs by recipe, each list in the order of the seeds."""
    count = len(comparison.seeds)
    if len(comparison.runs) != count * len(comparison.recipes):
        raise MotetError(
            f"a comparison of {len(comparison.recipes)} recipes over {count} seeds must hold "
            f"{count * len(comparison.recipes)} runs, but it holds {len(comparison.runs)}"
        )
    return {
        recipe: comparison.runs[place * count : (place + 1) * count] for place, recipe in enumerate(comparison.recipes)
    }
