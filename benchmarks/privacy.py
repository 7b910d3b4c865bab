"""Measure what privacy costs in accuracy, and write docs/privacy.md and its figure.

    python benchmarks/privacy.py

A thousand simulated people, of whom a tenth are drawn for a round. The bound of updates is chosen on people held out of
training, at one budget, for each recipe; noise follows from the budget. Runs lie under runs/privacy; finished ones are
read, begun ones go on.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from studies import Point, accuracy, carry_out, command, difference, search, with_interval

from motet.record.result import Result

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDER = Path("runs/privacy")
SEEDS = 3
EPSILONS = (16, 8, 4, 2)
CHOSEN_AT = 8
GRID = {"update_clip": (1.0, 0.3, 3.0)}
RECIPES: dict[str, Point] = {
    "fedavg": {"recipe": "fedavg"},
    "pmm": {"recipe": "pmm", "prototype_clip": 5, "prototype_average": "cumulative"},
}
EVERY = {
    "data": "wearables",
    "encoder": "summary",
    "features": 16,
    "clients": 1000,
    "participation": 0.1,
    "sampling": "poisson",
    "missing_rate": 0.5,
    "flags": "none",
    "rounds": 40,
    "local_epochs": 2,
    "optimizer": "adam",
    "lr": 0.01,
    "evaluate_every": 10,
    "engine": "vector",
}
INTRODUCTION = """# What privacy costs

`--privacy server` and `--privacy device` keep a client from showing in what is learnt: (epsilon, delta) differential
privacy of whole clients, of their updates and of their prototypes alike. `motet run --privacy server --epsilon 8 ...`
needs the extra `motet[privacy]` (dp-accounting) and prints what was spent.

## What it means

- **By the server.** The server clips each client's update (`--update-clip`) and its prototypes with their counts, as
  one vector (`--prototype-clip`), adds Gaussian noise to the sums, and divides by how many clients it expects, which
  it knows beforehand. Two states of the world are neighbours where one client holds its samples, or nothing. Clients
  are drawn independently (`--sampling poisson`), as the accountant assumes. The server sees what each client sends:
  it must be trusted, and so must whoever can read its memory.
- **By each device.** A device clips and adds noise before it sends, all parameters and classes whether it has
  anything to say of them or not; the server need not be trusted with content. Neighbours differ in all that one
  device holds, so noise is for twice the bound, and being drawn hides nothing, for the server sees who sends: what
  the device that sends most often spends is counted. Noise adds up over devices; this needs very many of them. A
  hostile device keeps to no bound here; what is let in is what `--norm-bound` allows.
- **What is covered** is what devices are sent: the model, and the prototypes. What an experiment records of its
  clients (history, report, checkpoints) is not, nor is a run that ends because a client's training gives no finite
  numbers.
- **What counts as known.** How many clients there are, and how many have which modality; the means and deviations of
  channels, by which devices scale their samples: under privacy they are not sent, and results here use the exact
  ones.
- **What stays open.** Secure aggregation is out of scope: with it devices could share the noise between them and
  still hide from the server; without it one has to trust either the server or one's own noise. Noise is drawn in
  floating point, whose gaps an attacker with the exact sums may use. A choice of settings by accuracy on clients'
  data spends privacy that nobody counts here.
- **Simulated.** In a simulation a seed draws the noise, so that a run can be repeated to the bit. That shows what
  privacy costs, and protects nobody.
- **Refused** is what would reach devices besides: `--flags assessed`, weights by samples, residual memory, SCAFFOLD's
  variates, dominance scores, fusion weights fitted on samples held out, aggregates other than the mean.
- **The budget.** Without `--noise-multiplier` the noise is what spends `--epsilon` in all rounds; with it, the run
  stops before it would spend more. What is spent follows from the privacy loss distribution, rounded up to .001 a
  loss. Updates and prototypes share the budget: each has noise sqrt(2) times what it would have alone. A class counts
  as known to the server once its noised count is four deviations above nothing."""


def settings(**more: object) -> Point:
    """Return what all runs have in common."""
    return {**EVERY, **more}


def chosen() -> dict[str, Point]:
    """Return each recipe's bound, by accuracy on people held out, at one budget."""
    private = settings(privacy="server", epsilon=CHOSEN_AT, evaluate_every=1000)
    return search(private, FOLDER / "search", RECIPES, GRID)


def rows() -> dict[str, Point]:
    """Return every row of the table: without privacy, and at each budget."""
    found: dict[str, Point] = {}
    for recipe, point in chosen().items():
        found[recipe] = {key: value for key, value in RECIPES[recipe].items() if key != "prototype_clip"}
        for epsilon in EPSILONS:
            own = {**RECIPES[recipe], **point, "privacy": "server", "epsilon": epsilon}
            found[f"{recipe}, epsilon {epsilon}"] = own
    return found


def separation(runs: list[Result]) -> str:
    """Return how well the prototypes tell classes apart after the last round, mean over modalities and seeds."""
    meanings = [run.history[-1].meaning for run in runs]
    known = [value for own in meanings if own for value in own.separation.values() if value is not None]
    return f"{np.mean(known):.2f}" if known else "–"


def table(found: dict[str, list[Result]]) -> str:
    """Return the rows as a table of Markdown."""
    heads = ["row", "accuracy, %", "against no noise", "noise, clips", "separation of prototypes"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, runs in found.items():
        plain, private = name.partition(",")[0], runs[0].privacy
        cells = [
            f"{100 * np.mean([accuracy(run) for run in runs]):.1f}",
            "" if plain == name else with_interval(difference(runs, found[plain])),
            f"{private.noise_multiplier:.2f}" if private else "0",
            separation(runs),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found: dict[str, list[Result]]) -> None:
    """Draw accuracy against epsilon, a line a recipe with a band of one deviation over seeds."""
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "motet"
    drawing = Figure(figsize=(6, 3.5), layout="constrained")
    axes = drawing.subplots()
    for recipe, colour in zip(RECIPES, ("#0072b2", "#d55e00"), strict=True):
        every = [[accuracy(run) for run in found[f"{recipe}, epsilon {epsilon}"]] for epsilon in EPSILONS]
        mean, spread = np.mean(every, axis=1), np.std(every, axis=1, ddof=1)
        axes.plot(EPSILONS, 100 * mean, marker="o", color=colour, label=recipe)
        axes.fill_between(EPSILONS, 100 * (mean - spread), 100 * (mean + spread), color=colour, alpha=0.15)
        plain = 100 * np.mean([accuracy(run) for run in found[recipe]])
        axes.axhline(plain, color=colour, linestyle=":", label=f"{recipe}, no noise")
    axes.set(xscale="log", xlabel="epsilon (delta 1e-05)", ylabel="accuracy, %")
    axes.set_xticks(EPSILONS, [str(epsilon) for epsilon in EPSILONS])
    axes.minorticks_off()
    axes.legend(frameon=False)
    (DOCS / "privacy").mkdir(exist_ok=True)
    drawing.savefig(DOCS / "privacy" / "epsilon.svg", metadata={"Date": None})


def page() -> str:
    """Return the page, filled from the runs."""
    found = carry_out(EVERY, FOLDER / "test", rows(), SEEDS)
    draw(found)
    uploads = "\n".join(f"- {name}: `{command(row)}`" for name, row in rows().items() if "epsilon" not in name)
    private = "\n".join(
        f"- {recipe}, epsilon E: `{command({**RECIPES[recipe], **point})} --privacy server --epsilon E`"
        for recipe, point in chosen().items()
    )
    return f"""{INTRODUCTION}

## Accuracy against epsilon

Measured with `benchmarks/privacy.py`: {EVERY["clients"]} simulated people, {EVERY["participation"]:.0%} of them drawn
for each round, {EVERY["rounds"]} rounds, {SEEDS} seeds, by the server. The bound of updates was chosen from
{", ".join(f"{value:g}" for value in sorted(GRID["update_clip"]))} by accuracy on people held out of training, at
epsilon {CHOSEN_AT}, for each recipe, and kept at every epsilon; so recipes with other bounds are no contest at a small
one. The bound of prototypes and the rate are the same for all and were not searched, so that no noise and all the noise
go at one rate. Differences are paired, in points, with 95 % intervals (Student's t). Separation is the silhouette of
the classes' prototypes: noise pulls it about.

```
motet run {command(EVERY)} ROW --seed SEED
```

{uploads}
{private}

![Accuracy against epsilon](privacy/epsilon.svg)

{table(found)}
"""


def main() -> None:
    """Measure, and write the page."""
    (DOCS / "privacy.md").write_text(page())
    print("wrote privacy.md")


if __name__ == "__main__":
    main()
