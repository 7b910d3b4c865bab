"""The one sentence that a reader takes home, filled from the data and no bolder than they are."""

from __future__ import annotations

from motet.measure.statistics import Difference
from motet.record.result import Comparison, Result, Summary
from motet.record.verdict import Verdict, is_upper_bound, judge
from motet.record.wording import gap_interval, interval, percent, placed, spread

BOUND = "an upper bound that sees data the others do not"
NO_INTERVAL = "with one seed no interval can be given, so the difference may be chance"


def comparison_headline(comparison: Comparison) -> str:
    """Say where the best recipe ends, and how far from the first one named."""
    verdict = judge(comparison)
    summary = {entry.recipe: entry for entry in comparison.summary}
    sentence = f"{_seeds(comparison.seeds)} {_finding(verdict, summary)}."
    bounds = [bound for bound in verdict.bounds if bound != verdict.baseline]
    return sentence + "".join(
        f" The upper bound {bound}, which sees data the others do not, ends at {_end(summary[bound])}."
        for bound in bounds
    )


def run_headline(result: Result) -> str:
    """Say where one run ends, and that it is one run."""
    name = str(result.recipe.get("name", "the run"))
    bound = f", {BOUND}," if is_upper_bound(name, [result]) else ""
    tail = result.tail
    return (
        f"On seed {result.seed} {name}{bound} ends at {percent(tail.accuracy)} accuracy, "
        f"and recognises its worst class {percent(tail.worst_class)} of the time; "
        "this is one run, so no interval can be given."
    )


def _seeds(seeds: list[int]) -> str:
    return f"On one seed ({seeds[0]})" if len(seeds) == 1 else f"On these {len(seeds)} seeds"


def _end(summary: Summary) -> str:
    return percent(summary.accuracy_mean) + spread(summary.accuracy_sd)


def _finding(verdict: Verdict, summary: dict[str, Summary]) -> str:
    end, base = _end(summary[verdict.leader]), _end(summary[verdict.baseline])
    difference = verdict.difference
    if difference is None:
        nothing = "no other recipe was run" if len(summary) == 1 else "no recipe that sees the same data was run"
        return f"{verdict.baseline} ends at {end}; {nothing} to compare it with"
    place = placed(difference.mean, verdict.baseline)
    if verdict.baseline in verdict.bounds:
        return f"{verdict.leader} ends at {end}, {place}, {BOUND}{_interval(difference)}"
    if verdict.state == "ahead" or (verdict.state == "one-seed" and difference.mean > 0):
        return f"{verdict.leader} ends at {end}, {place}{_interval(difference)}"
    best = "the other recipe" if _others(verdict, summary) == 1 else "the best of the others"
    if verdict.state == "level":
        return (
            f"nothing is shown to beat {verdict.baseline} ({base}): {best}, {verdict.leader}, ends at {end}, "
            f"and {_zero(difference)}"
        )
    return (
        f"nothing beats {verdict.baseline} ({base}): {best}, {verdict.leader}, ends at {end}, "
        f"{place}{_interval(difference)}"
    )


def _others(verdict: Verdict, summary: dict[str, Summary]) -> int:
    return len([recipe for recipe in summary if recipe not in (verdict.baseline, *verdict.bounds)])


def _interval(difference: Difference) -> str:
    return gap_interval(difference.mean, difference.interval) or f"; {NO_INTERVAL}"


def _zero(difference: Difference) -> str:
    if difference.interval is None or difference.interval[0] == difference.interval[1]:
        return "the two do not differ on any seed"
    return f"the 95 % interval of the difference, {interval(difference.interval)} points, includes zero"
