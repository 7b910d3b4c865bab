"""Why one recipe is better: one paragraph from the data, which explains only differences that the seeds show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from motet.measure.statistics import Difference, paired_difference
from motet.record.comparison import runs_by_recipe
from motet.record.report.raster import shares
from motet.record.report.subsets import full_set, phrase
from motet.record.result import Comparison, Result
from motet.record.verdict import Verdict, judge
from motet.record.wording import gap, gap_interval, interval, listed, percent, placed, points, size

NOTHING = "There is nothing to explain: {}."
Runs = Sequence[Result]


def why(comparison: Comparison) -> str:
    """Say which recipe leads and where its gap comes from; or that the differences are within noise.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        One paragraph of plain text. With two or more seeds a recipe "leads" only if its paired interval excludes zero.
    """
    verdict = judge(comparison)
    if verdict.difference is None:
        return NOTHING.format("no two recipes that see the same data were compared")
    runs = runs_by_recipe(comparison)
    leader, baseline = runs[verdict.leader], runs[verdict.baseline]
    fair_baseline = verdict.baseline not in verdict.bounds
    sentences = [
        _lead(verdict, verdict.difference),
        _rivals(verdict),
        _by_present(verdict, leader, baseline) if fair_baseline else "",
        _worst_class(verdict, leader, baseline) if fair_baseline else "",
        _impairment(leader),
        _price(verdict, leader, baseline),
        _left_to_gain(verdict, runs),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _lead(verdict: Verdict, difference: Difference) -> str:
    leader, baseline = verdict.leader, verdict.baseline
    ends = gap_interval(difference.mean, difference.interval)
    place = f"{gap(difference.mean)} {'above' if difference.mean > 0 else 'below'}{ends}"
    if baseline in verdict.bounds:
        return f"{leader} comes nearest to the upper bound {baseline}: {place}."
    if verdict.state == "ahead":
        won = f"ahead on {difference.wins} of {difference.wins + difference.ties + difference.losses} seeds"
        return f"{leader} leads {baseline} by {gap(difference.mean)}{ends}, {won}."
    if verdict.state == "behind":
        return f"No recipe leads {baseline}: the nearest, {leader}, ends {place}."
    if verdict.state == "one-seed":
        return (
            f"On one seed {leader} ends {placed(difference.mean, baseline)}; one seed cannot tell a real difference "
            "from chance, so what follows describes this seed only."
        )
    if difference.interval is None or difference.interval[0] == difference.interval[1]:
        return f"{leader} and {baseline} do not differ on any seed."
    return (
        f"The differences are within noise: {leader} against {baseline} is "
        f"{points(difference.mean)} points (95 % interval {interval(difference.interval)}), so no recipe is shown to "
        f"lead {baseline}; more seeds would narrow the interval."
    )


def _rivals(verdict: Verdict) -> str:
    if verdict.state != "ahead" or not verdict.rivals:
        return ""
    named = [
        f"{recipe} ({points(rival.mean)} points, 95 % interval {interval(rival.interval)})"
        for recipe, rival in verdict.rivals[:3]
        if rival.interval
    ]
    return f"These seeds cannot tell {verdict.leader} from {listed(named)}."


def _by_present(verdict: Verdict, leader: Runs, baseline: Runs) -> str:
    """Name the subset of modalities where the two differ most, and compare it with all modalities present."""
    whole = full_set(leader[0])
    gaps = {
        subset: _paired(leader, baseline, _present(subset))
        for subset in leader[0].tail.accuracy_by_present
        if all(subset in run.tail.accuracy_by_present for run in (*leader, *baseline))
    }
    shown = {subset: gap for subset, gap in gaps.items() if subset != whole and _counts(gap)}
    if not shown:
        return "No subset of the modalities shows a clear difference." if len(gaps) > 1 and len(leader) > 1 else ""
    subset = max(shown, key=lambda name: abs(shown[name].mean))
    sentence = (
        f"{verdict.leader} and {verdict.baseline} differ most {phrase(subset, leader[0])}: "
        f"{_against(leader, baseline, subset)}"
    )
    if whole in gaps:
        sentence += f"; {phrase(whole, leader[0])} it is {_against(leader, baseline, whole)}"
    return sentence + "."


def _present(subset: str) -> Callable[[Result], float]:
    return lambda run: run.tail.accuracy_by_present[subset]


def _against(leader: Runs, baseline: Runs, subset: str) -> str:
    ours, theirs = (percent(fmean(run.tail.accuracy_by_present[subset] for run in side)) for side in (leader, baseline))
    return f"{ours} against {theirs}"


def _worst_class(verdict: Verdict, leader: Runs, baseline: Runs) -> str:
    if not _counts(_paired(leader, baseline, lambda run: run.tail.worst_class)):
        return ""
    ours, theirs = (percent(fmean(run.tail.worst_class for run in side)) for side in (leader, baseline))
    return f"In its worst class {verdict.leader} recognises {ours}, {verdict.baseline} {theirs}."


def _impairment(leader: Runs) -> str:
    missing, degraded = shares(leader)
    if missing == 0 and degraded == 0:
        return "No modality was missing or degraded while training."
    parts = [f"a modality was missing in {percent(missing, 0)}"] if missing else []
    parts += [f"{'one' if missing else 'a modality'} was degraded in {percent(degraded, 0)}"] if degraded else []
    return f"While training, {' and '.join(parts)} of the client-rounds."


def _price(verdict: Verdict, leader: Runs, baseline: Runs) -> str:
    ours, theirs = (fmean(run.bytes.up for run in side) for side in (leader, baseline))
    if round(ours) == round(theirs):
        return "Both send the same number of bytes."
    if theirs == 0 or ours == 0:
        silent, loud = (verdict.leader, verdict.baseline) if ours == 0 else (verdict.baseline, verdict.leader)
        return f"{silent} sends nothing, {loud} {size(max(ours, theirs))}."
    texts = f"({size(ours)} against {size(theirs)})"
    if ours > 3 * theirs:
        return f"{verdict.leader} sends {ours / theirs:.3g} times the bytes {texts}."
    change = percent(abs(ours / theirs - 1), 0 if abs(ours / theirs - 1) >= 0.1 else 1)
    return f"{verdict.leader} sends {change} {'more' if ours > theirs else 'fewer'} bytes {texts}."


def _left_to_gain(verdict: Verdict, runs: dict[str, list[Result]]) -> str:
    if not verdict.bounds or verdict.baseline in verdict.bounds:
        return ""
    bound = verdict.bounds[0]
    rest = _paired(runs[bound], runs[verdict.leader], lambda run: run.tail.accuracy)
    side = "above" if rest.mean > 0 else "below"
    return f"The upper bound {bound} ends {gap(rest.mean)} {side} {verdict.leader}."


def _paired(left: Runs, right: Runs, figure: Callable[[Result], float]) -> Difference:
    return paired_difference([figure(run) for run in left], [figure(run) for run in right])


def _counts(difference: Difference) -> bool:
    """Whether a difference may be told: its interval excludes zero, or one seed is all there is to describe."""
    return difference.above or difference.below or (difference.interval is None and difference.mean != 0)
