"""The tables of results, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from rich import box
from rich.table import Table
from rich.text import Text

from motet.measure.statistics import standard_deviation
from motet.record.audit import EXACT, Audit, Leak
from motet.record.comparison import mean_known, runs_by_recipe
from motet.record.result import Comparison, Paired, Privacy, Result, Summary
from motet.record.verdict import is_upper_bound
from motet.record.wording import NONE, count, duration, interval, number, percent, points, probability, size, spread
from motet.record.worth import Share, Worth

BOUND_NOTE = "upper bound: sees data that the others do not"
MOST_SHARES = 20


@dataclass(frozen=True)
class Row:
    """One recipe's figures, written out."""

    recipe: str
    bound: bool
    accuracy: str
    difference: str
    interval: str
    p_value: str
    seeds: str
    balanced_accuracy: str
    macro_f1: str
    worst_class: str
    online: str
    sent: str
    reach: str
    time: str


def rows(comparison: Comparison) -> list[Row]:
    """Write out each recipe's figures: means over seeds, with the standard deviation where there are several."""
    against = {pair.recipe: pair for pair in comparison.paired}
    reach = {summary.recipe: _reach(summary, len(comparison.seeds)) for summary in comparison.summary}
    return [_row(name, runs, against.get(name), reach[name]) for name, runs in runs_by_recipe(comparison).items()]


def table(comparison: Comparison) -> Table:
    """Make the terminal's table of a comparison."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=_caption(comparison), caption_justify="left")
    made.add_column("recipe", overflow="fold", min_width=8)
    made.add_column("accuracy", justify="right", no_wrap=True)
    made.add_column(Text(f"points against {comparison.recipes[0]}"), justify="right", no_wrap=True)
    for heading in ("worst class", "sent", "time"):
        made.add_column(heading, justify="right")
    for row in rows(comparison):
        name = Text(row.recipe).append(" (upper bound)" if row.bound else "", style="dim")
        difference = f"{row.difference} ({row.interval})" if row.interval != NONE else row.difference
        worst = row.worst_class.partition(" ±")[0]
        cells = (row.accuracy, difference, worst, row.sent, row.time)
        made.add_row(name, *map(Text, cells), style="dim" if row.bound else "")
    return made


def run_table(result: Result) -> Table:
    """Make the terminal's table of one run."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    made.add_column(style="dim")
    made.add_column()
    for name, value in run_rows(result):
        made.add_row(Text(name), Text(value))
    return made


def run_rows(result: Result) -> list[tuple[str, str]]:
    """Write out the figures of one run."""
    tail = result.tail
    name = str(result.recipe.get("name", NONE))
    found = [
        ("recipe", f"{name} ({BOUND_NOTE})" if is_upper_bound(name, [result]) else name),
        ("accuracy", f"{percent(tail.accuracy)} (after the last round {percent(result.final.accuracy)})"),
        ("balanced accuracy", percent(tail.balanced_accuracy)),
        ("macro F1", percent(tail.macro_f1)),
        ("worst class", percent(tail.worst_class)),
    ]
    if result.validation:
        found.append(("accuracy on validation", percent(result.validation.accuracy)))
        fusion = ", ".join(f"{m} {number(weight)}" for m, weight in result.validation.fusion.items())
        found += [("fusion weights", fusion)] if fusion else []
    if result.online:
        found.append(("online accuracy", f"{percent(result.online.accuracy)} of {result.online.samples:,} arrivals"))
    if result.privacy:
        found.append(("simulated privacy", guarantee(result.privacy)))
    if result.attack:
        found.append(("attacked", f"{result.attack.name} by {count(len(result.attack.clients), 'client')}"))
    if result.refused:
        found.append(("refused", refusals([result])))
    return [
        *found,
        ("sent by all clients", size(result.bytes.up) + _kinds(result.bytes.up_by_kind)),
        ("sent by the server", size(result.bytes.down) + _kinds(result.bytes.down_by_kind)),
        ("kept on a device", f"{size(sum(_kept(result)))} at most"),
        ("time", f"{duration(result.time.train_s)} training, {duration(result.time.evaluate_s)} evaluating"),
        *([("time on the link", duration(result.time.link_s))] if result.time.link_s is not None else []),
    ]


def guarantee(privacy: Privacy) -> str:
    """Write out what a client is protected by."""
    noise = "the server" if privacy.by == "server" else "each device"
    return (
        f"epsilon {number(privacy.epsilon)} at delta {number(privacy.delta)}, noise by {noise} "
        f"({number(privacy.noise_multiplier)} clips)"
    )


def refusals(runs: Sequence[Result]) -> str:
    """Write out how many uploads of how many clients were refused, and why."""
    every = [(reason, clients) for run in runs for reason, clients in run.refused.items()]
    total: dict[str, int] = {}
    for reason, clients in every:
        total[reason] = total.get(reason, 0) + sum(clients.values())
    who = sum(len({client for clients in run.refused.values() for client in clients}) for run in runs)
    why = " ".join(f"{count(times, 'time')}: {reason}" for reason, times in total.items())
    return f"{count(sum(total.values()), 'upload')} of {count(who, 'client')}. {why}"


def _kept(result: Result) -> tuple[int, int, int]:
    device = result.device
    return device.buffer_bytes, device.prototype_bytes, device.private_state_bytes


def _kinds(kinds: dict[str, int]) -> str:
    return f" ({', '.join(f'{kind} {size(many)}' for kind, many in kinds.items())})" if len(kinds) > 1 else ""


def _reach(summary: Summary, seeds: int) -> str:
    """Write what was sent until the first recipe's accuracy was reached, and by how many seeds if not by all."""
    if summary.bytes_up_to_reach_mean is None:
        return "never"
    sent = size(summary.bytes_up_to_reach_mean)
    return sent if summary.reached == seeds else f"{sent} ({summary.reached} of {seeds})"


def _row(name: str, runs: Sequence[Result], pair: Paired | None, reach: str) -> Row:
    online = mean_known([run.online.accuracy if run.online else None for run in runs])
    return Row(
        recipe=name,
        bound=is_upper_bound(name, runs),
        accuracy=_mean(runs, lambda run: run.tail.accuracy),
        difference=points(pair.difference_mean) if pair else NONE,
        interval=interval(pair.ci95) if pair and pair.ci95 else NONE,
        p_value=probability(pair.p_value) if pair else NONE,
        seeds=f"{pair.wins} / {pair.ties} / {pair.losses}" if pair else NONE,
        balanced_accuracy=_mean(runs, lambda run: run.tail.balanced_accuracy),
        macro_f1=_mean(runs, lambda run: run.tail.macro_f1),
        worst_class=_mean(runs, lambda run: run.tail.worst_class),
        online=percent(online),
        sent=size(fmean(run.bytes.up for run in runs)),
        reach=reach,
        time=_time(runs),
    )


def _time(runs: Sequence[Result]) -> str:
    link = mean_known([run.time.link_s for run in runs])
    training = duration(fmean(run.time.train_s for run in runs))
    return training if link is None else f"{training} (link {duration(link)})"


def _mean(runs: Sequence[Result], figure: Callable[[Result], float]) -> str:
    values = [figure(run) for run in runs]
    return percent(fmean(values)) + spread(standard_deviation(values))


def _caption(comparison: Comparison) -> str:
    first, seeds = comparison.recipes[0], len(comparison.seeds)
    level = [f"{summary.recipe} {_reach(summary, seeds)}" for summary in comparison.summary if summary.reached]
    costs = f"Sent until as good as {first} ends: {', '.join(level)}."
    if seeds == 1:
        return f"One seed: no interval can be given. {costs}"
    return f"{seeds} seeds; ± is the standard deviation, in brackets the 95 % interval. {costs}"


def worth_table(found: Worth) -> Table:
    """Make the terminal's table of what modalities are worth: in all, by class and by client."""
    chance = percent(found.chance)
    caption = (
        f"Exact Shapley values in points of accuracy. Chance (1 / number of classes, {chance}) is left without any "
        "modality: a row's points and chance make its accuracy."
    )
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=caption, caption_justify="left")
    made.add_column("test samples", overflow="fold", min_width=8)
    for heading in (*found.overall.worth, "accuracy"):
        made.add_column(Text(heading), justify="right", no_wrap=True)
    _add_shares(made, "", {"all": found.overall})
    _add_shares(made, "", found.by_class)
    _add_shares(made, "client ", found.by_client)
    return made


def _add_shares(made: Table, prefix: str, shares: dict[str, Share]) -> None:
    for name in list(shares)[:MOST_SHARES]:
        share = shares[name]
        made.add_row(*map(Text, (prefix + name, *map(points, share.worth.values()), percent(share.accuracy))))
    if len(shares) > MOST_SHARES:
        made.add_row(Text(f"and {len(shares) - MOST_SHARES} more in worth.json", style="dim"))
    made.add_section()


def audit_table(found: Audit) -> Table:
    """Make the terminal's table of what an eavesdropper recovers: a row for each way to protect a message."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=audit_note(found), caption_justify="left")
    made.add_column("message", no_wrap=True)
    for name in found.attempts:
        made.add_column(Text(name.replace(",", "").replace(" ", "\n", 1)), justify="right", no_wrap=True)
    for leaks in zip(*(attempt.leaks for attempt in found.attempts.values()), strict=True):
        made.add_row(protection(leaks[0]), *(fraction(leak.mean, leak.sd) for leak in leaks))
    return made


def audit_note(found: Audit) -> str:
    """Say what the figures of an audit are."""
    scales = {attempt.scale for attempt in found.attempts.values()}
    words = []
    if "auroc" in scales:
        words.append("Nearest sample: AUROC of telling a client's samples from held ones; 0.5 is guessing.")
    if "recovery" in scales:
        words.append("Inversions: how near reconstructions come; 0 no nearer than held data, 1 exact.")
    if any(attempt.samples for attempt in found.attempts.values()):
        words.append("The number behind gradient inversion is that of the samples in an update.")
    spread = " ± standard deviation" if len(found.clients) > 1 else ""
    return " ".join([*words, f"Mean{spread} over {count(len(found.clients), 'client')}."])


def protection(leak: Leak) -> str:
    """Say how a message is protected."""
    if leak.noise:
        return f"noise {leak.noise:g}"
    return f"{leak.bits} bits" if leak.bits < EXACT else "as it is"


def fraction(mean: float, deviation: float | None) -> str:
    """Write a fraction of 1 with its deviation, short enough for many in a row, as ``0.79±0.02``."""
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f}±{deviation:.2f}"
