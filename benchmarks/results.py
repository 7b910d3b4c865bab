"""Measure what docs/results.md states, and write it.

    MOTET_DATA=folder/of/archives python benchmarks/results.py

Each experiment is a comparison in a folder of its own under runs/results; finished ones are read, begun ones go on.
The text is filled from the data, so a figure can't disagree with the run that it comes from.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motet.cli.options import read_toml
from motet.engine import comparisons
from motet.engine.watch import ProgressBar
from motet.measure.statistics import interval
from motet.record.result import Comparison, Metrics, Result

HERE = Path(__file__).resolve().parent
SETTING = HERE.parent / "examples" / "s60.toml"
PAGE = HERE.parent / "docs" / "results.md"
FOLDER = Path("runs/results")
DATA = Path(os.environ.get("MOTET_DATA", ".")) / "ucihar.npz"

MISSING = {"missing_rate": 0.9, "missing_modality": "body_acc", "missing_bias": 0.9}
DEGRADED = {"degraded_rate": 0.9, "degraded_modality": "body_acc", "degradation": "noise", "degradation_strength": 3}
FAULTS = ("noise", "spikes", "drift", "flatline")
QUICK = {"encoder": "summary", "features": 16, "rounds": 30, "local_epochs": 1, "flags": "assessed"}


@dataclass(frozen=True)
class Experiment:
    """A comparison to measure: recipes, number of seeds, and what differs from examples/s60.toml."""

    recipes: str
    seeds: int
    settings: dict[str, Any]

    def command(self) -> str:
        """Return the command that a reader would type."""
        options = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in self.settings.items())
        return (
            f"motet compare examples/s60.toml --data ucihar.npz --recipes {self.recipes} --seeds {self.seeds} {options}"
        ).rstrip()


def quality(fault: str, rate: float, calibration: int) -> Experiment:
    """Return the experiment that scores quality flags; what is trained does not matter to them, so it is small."""
    settings = {"degraded_rate": rate, "degradation": fault, "calibration_rounds": calibration, **QUICK}
    return Experiment("qqr", 2, settings)


EXPERIMENTS = {
    "missing": Experiment("fedavg,partial,pmm,qqr,full", 5, MISSING),
    "degraded-oracle": Experiment("fedavg,qqr", 5, DEGRADED),
    "degraded-calibrated": Experiment("fedavg,qqr", 5, {**DEGRADED, "flags": "assessed", "calibration_rounds": 20}),
    "degraded-assessed": Experiment("fedavg,qqr", 5, {**DEGRADED, "flags": "assessed"}),
    "complete": Experiment("full,pmm,qqr", 5, {"flags": "assessed"}),
    "complete-calibrated": Experiment("full,qqr", 5, {"flags": "assessed", "calibration_rounds": 20}),
    **{f"quality-{fault}-calibrated": quality(fault, 0.5, 20) for fault in FAULTS},
    **{f"quality-{fault}-{rate}": quality(fault, rate, 0) for fault in FAULTS for rate in (0.1, 0.5, 0.9)},
}


def measure(name: str) -> Comparison:
    """Carry out an experiment, or go on with it, or read it."""
    experiment, folder = EXPERIMENTS[name], FOLDER / name
    if comparisons.is_comparison(folder):
        return comparisons.resume(folder, ProgressBar())
    settings = {**read_toml(SETTING), "data": str(DATA), "engine": "loop", **experiment.settings}
    plan = comparisons.plan(experiment.recipes.split(","), experiment.seeds, settings)
    print(name, file=sys.stderr)
    return comparisons.start(plan, folder, ProgressBar())


def runs(found: Comparison, recipe: str) -> list[Result]:
    """Return a recipe's runs in the order of seeds."""
    return sorted((r for r in found.runs if r.recipe["name"] == recipe), key=lambda r: r.seed)


def points(values: Iterable[float]) -> str:
    """Return mean and 95 % interval of differences, in points."""
    values = [100 * value for value in values]
    mean, around = sum(values) / len(values), interval(values)
    return f"{mean:+.1f}" if around is None else f"{mean:+.1f} ({around[0]:+.1f} to {around[1]:+.1f})"


def tail(found: Comparison, recipe: str, figure: Callable[[Metrics], float] = lambda m: m.accuracy) -> list[float]:
    """Return a figure of a recipe's tail, by seed."""
    return [figure(result.tail) for result in runs(found, recipe)]


def gain(found: Comparison, recipe: str, against: str) -> str:
    """Return the paired difference of two recipes, in points."""
    return points(a - b for a, b in zip(tail(found, recipe), tail(found, against), strict=True))


def table(found: Comparison) -> str:
    """Return a comparison as a table of Markdown."""
    against = found.recipes[0]
    rows = [
        f"| recipe | accuracy, % | sd | against {against}, points | worst class, % | online accuracy, % | sent, MB |"
    ]
    rows.append("|---" * 7 + "|")
    for row in found.summary:
        versus = "" if row.recipe == against else gain(found, row.recipe, against)
        bound = " (upper bound)" if row.recipe == "full" else ""
        spread = "" if row.accuracy_sd is None else f"{100 * row.accuracy_sd:.1f}"
        online = "" if row.online_accuracy_mean is None else f"{100 * row.online_accuracy_mean:.1f}"
        cells = [f"{100 * row.accuracy_mean:.1f}", spread, versus, f"{100 * row.worst_class_mean:.1f}", online]
        rows.append(f"| `{row.recipe}`{bound} | {' | '.join(cells)} | {row.bytes_up_mean / 1e6:.1f} |")
    return "\n".join(rows)


def section(title: str, name: str, text: str) -> str:
    """Return a section: its title, the command, and the text."""
    return f"## {title}\n\n```\n{EXPERIMENTS[name].command()}\n```\n\n{text}\n"


def missing_section(found: Comparison) -> str:
    """Return what is said of missing modalities."""
    kept = sum(tail(found, "pmm")) / sum(tail(found, "full"))
    return section(
        "A modality is missing in 90 % of client-rounds",
        "missing",
        f"{table(found)}\n\n"
        f"`pmm` against `fedavg`: {gain(found, 'pmm', 'fedavg')} points; against `partial`: "
        f"{gain(found, 'pmm', 'partial')}; it keeps {100 * kept:.1f} % of what `full` reaches. "
        f"`qqr` against `pmm`, with nothing degraded: {gain(found, 'qqr', 'pmm')}.",
    )


def degraded_section(oracle: Comparison, calibrated: Comparison, assessed: Comparison) -> str:
    """Return what is said of degraded modalities."""
    parts = [
        section(
            "A modality is noisy in 90 % of client-rounds: flags from the oracle", "degraded-oracle", table(oracle)
        ),
        section("The same, flags assessed after 20 calibration rounds", "degraded-calibrated", table(calibrated)),
        section("The same, flags assessed without calibration", "degraded-assessed", table(assessed)),
        "Sensors are good in calibration rounds, so the second table's `fedavg` is another one than the first's. "
        "Beyond one half, a reference learnt from what devices received breaks down: most of what it saw was noise.\n",
    ]
    return "\n".join(parts)


def complete_section(found: Comparison, calibrated: Comparison) -> str:
    """Return what is said of complete data: modalities lost at test time, and false alarms."""
    rows = [
        "| lost at test time | zeros, encoded (`full`) | soft prototypes (`pmm`) | gain, points |",
        "|---|---|---|---|",
    ]
    for lost, left in (("body_acc", "gyro"), ("gyro", "body_acc")):
        alone = {r: tail(found, r, lambda m, left=left: m.accuracy_by_present[left]) for r in ("full", "pmm")}
        cells = [f"{100 * sum(values) / len(values):.1f}" for values in alone.values()]
        versus = points(a - b for a, b in zip(alone["pmm"], alone["full"], strict=True))
        rows.append(f"| {lost} | {' | '.join(cells)} | {versus} |")
    return section(
        "Complete data: a modality lost at test time, and what assessed flags cost",
        "complete",
        f"{table(found)}\n\n`full` and `pmm` train alike, to the bit, as nothing is missing; they differ in what "
        "stands in for a modality that is lost when the model is used. Accuracy, %:\n\n" + "\n".join(rows) + "\n\n"
        f"Where nothing is degraded, false alarms cost `qqr` against `full` {gain(found, 'qqr', 'full')} points; "
        f"after 20 calibration rounds {gain(calibrated, 'qqr', 'full')}.",
    )


def quality_section(measured: dict[str, Comparison]) -> str:
    """Return how well the quality score finds faults."""

    def cell(name: str) -> str:
        found = [r.assessment for r in measured[name].runs if r.assessment is not None]
        values = [value for each in found for value in each.auroc.values() if value is not None]
        precision = [each.precision for each in found if each.precision is not None]
        recall = [each.recall for each in found if each.recall is not None]
        rates = " ".join(f"{sum(v) / len(v):.2f}" if v else "-" for v in (precision, recall))
        return f"{min(values):.3f} ({rates})"

    header = "| fault, strength 3 | 20 calibration rounds, rate .5 | none, rate .1 | none, rate .5 | none, rate .9 |"
    rows = [header, "|---|---|---|---|---|"]
    for fault in FAULTS:
        names = [f"quality-{fault}-calibrated", *(f"quality-{fault}-{rate}" for rate in (0.1, 0.5, 0.9))]
        rows.append(f"| {fault} | {' | '.join(cell(name) for name in names)} |")
    text = (
        "The lowest AUROC over both modalities and both seeds; in brackets precision and recall of the flags. Faults "
        "hit either modality.\n\n" + "\n".join(rows)
    )
    return section("How well bad samples are noticed", "quality-noise-calibrated", text)


def main() -> None:
    """Measure everything and write the page."""
    measured = {name: measure(name) for name in EXPERIMENTS}
    first = measured["missing"].runs[0]
    versions = ", ".join(f"{name} {version}" for name, version in first.versions.items())
    page = [
        "# Results",
        f"Measured with `benchmarks/results.py` ({versions}; {first.engine.threads} thread a run). Accuracies are "
        "means over the last ten of 60 rounds and over seeds, on the test people; sd is over seeds; brackets hold "
        "95 % intervals of paired differences (Student's t). The setting is `examples/s60.toml`: UCI-HAR (3,350 of its "
        "windows), body acceleration and gyroscope, five clients by Dirichlet(1), a stream of 20 arrivals a round into "
        "a buffer of 200, Adam. It was chosen earlier with an eye on the same test people, so margins are optimistic.",
        missing_section(measured["missing"]),
        degraded_section(measured["degraded-oracle"], measured["degraded-calibrated"], measured["degraded-assessed"]),
        complete_section(measured["complete"], measured["complete-calibrated"]),
        quality_section(measured),
    ]
    PAGE.write_text("\n\n".join(page).replace("\n\n\n", "\n\n").rstrip() + "\n")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
