"""Measure which aggregates withstand which attacks, and what they cost where nobody attacks; write docs/defences.md.

    MOTET_DATA=folder/of/archives python benchmarks/defences.py

Every attack meets every aggregate, and poisoned prototypes meet the server that leaves outlying ones out; differences
are to the run with the plain mean and nobody hostile, seed by seed. The learning rate is the one that is best there, on
samples held out of training, and is the same for all. Runs lie under runs/defences; finished ones are read, begun ones
go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from studies import (
    SEARCH_SEEDS,
    Figure,
    Point,
    accuracy,
    carry_out,
    command,
    difference,
    left_out,
    search,
    with_interval,
)
from withstood import CLEAN, PLAIN, Cell, Losses, listed, said

from motet.record.result import Result

PAGE = Path(__file__).resolve().parent.parent / "docs" / "defences.md"
FOLDER = Path("runs/defences")
SEEDS = 3
GRID = {"lr": (0.005, 0.002, 0.015)}
CLIENTS, HOSTILE = 30, 6

EVERY = {
    "data": "ucihar.npz",
    "encoder": "summary",
    "clients": CLIENTS,
    "rounds": 30,
    "local_epochs": 2,
    "batch_size": 32,
    "optimizer": "adam",
    "lr_decay": 0.98,
    "lr_min": 0.0005,
    "evaluate_every": 1000,
    "engine": "vector",
}
PARTITIONS: dict[str, Point] = {
    "iid": {"partition": "iid"},
    "Dirichlet(1)": {"partition": "dirichlet", "alpha": 1},
}
DEFENCES = {
    PLAIN: "mean",
    "clip": "clip",
    "median": "median",
    "trimmed mean": f"trimmed-mean:trim={HOSTILE / CLIENTS:g}",
    "Krum": f"krum:hostile={HOSTILE}",
    "multi-Krum": f"krum:hostile={HOSTILE},best={CLIENTS - HOSTILE}",
    "SSCA": "ssca",
}
ATTACKS = {
    "sign-flip": "the update times -3",
    "scaled": "the update times 10",
    "label-flip": "class y of C is trained on as C - 1 - y",
    "colluding": "the same random direction from all of them in all rounds, as long as the model",
    "noise": "the update and Gaussian noise of its own deviation: broken rather than hostile",
}
AIMED = ("sign-flip", "scaled")
POISONING = "prototype-poisoning"
UPDATES = {"recipe": "fedavg"}
PROTOTYPES = {"recipe": "pmm", "missing_rate": 0.5}
REJECT = 3


def hostile(attack: str) -> Point:
    """Return what makes clients hostile."""
    return {} if attack == CLEAN else {"hostile_share": HOSTILE / CLIENTS, "attack": attack}


def measure(partition: str, own: Point, cells: Mapping[Cell, Point]) -> tuple[Point, dict[Cell, list[Result]]]:
    """Return the rate that is best where there is neither attack nor defence, and the runs of all cells with it."""
    folder, name = FOLDER / str(PARTITIONS[partition]["partition"]), str(own["recipe"])
    common = {**EVERY, **PARTITIONS[partition], **own}
    rate = search(common, folder / "search", {name: {}}, GRID)[name]
    names = {"-".join([name, *cell]).replace(" ", "-"): cell for cell in cells}
    points = {written: {**cells[cell], **rate} for written, cell in names.items()}
    return rate, {names[written]: runs for written, runs in carry_out(common, folder / "test", points, SEEDS).items()}


def updates(partition: str) -> tuple[Point, dict[Cell, list[Result]]]:
    """Measure all aggregates against all attacks on updates."""
    cells = {
        (attack, defence): {**hostile(attack), "aggregate": aggregate}
        for attack in (CLEAN, *ATTACKS)
        for defence, aggregate in DEFENCES.items()
    }
    return measure(partition, UPDATES, cells)


def prototypes(partition: str) -> tuple[Point, dict[Cell, list[Result]]]:
    """Measure the rejection of outlying prototypes against poisoned ones."""
    cells = {
        (attack, defence): {**hostile(attack), **defended}
        for attack in (CLEAN, POISONING)
        for defence, defended in (("all kept", {}), ("outlying rejected", {"prototype_reject": REJECT}))
    }
    return measure(partition, PROTOTYPES, cells)


def losses(found: Mapping[Cell, list[Result]]) -> Losses:
    """Return how far every cell is from the first, which has neither attack nor defence."""
    first = next(iter(found.values()))
    return {cell: difference(runs, first) for cell, runs in found.items()}


def row(found: Mapping[Cell, list[Result]], cells: Sequence[Cell], figure: Figure = accuracy) -> list[str]:
    """Return some cells of a table: a figure in %, and how far it is from the first cell of all."""
    whole = next(iter(found.values()))
    means = [f"{100 * np.mean([figure(run) for run in found[cell]]):.1f}" for cell in cells]
    apart = [with_interval(difference(found[cell], whole, figure)) for cell in cells]
    return [
        mean if found[cell] is whole else f"{mean}<br>{lost}"
        for cell, mean, lost in zip(cells, means, apart, strict=True)
    ]


def table(found: Mapping[Cell, list[Result]]) -> str:
    """Return attacks by defences as a table of Markdown."""
    heads = [f"| | {' | '.join(DEFENCES)} |", "|---" * (len(DEFENCES) + 1) + "|"]
    cells = {attack: [(attack, defence) for defence in DEFENCES] for attack in (CLEAN, *ATTACKS)}
    return "\n".join(heads + [f"| {attack} | {' | '.join(row(found, own))} |" for attack, own in cells.items()])


def alike(found: Mapping[Cell, list[Result]]) -> list[str]:
    """Say which defences end with the very same accuracies under several attacks, as then nothing hostile counts."""
    told = []
    for defence in DEFENCES:
        ends = {attack: [accuracy(run) for run in found[attack, defence]] for attack in ATTACKS}
        same = max(([other for other in ATTACKS if ends[other] == ends[attack]] for attack in ATTACKS), key=len)
        if len(same) > 1:
            told.append(
                f"{defence} ends alike under {listed(same)}, seed by seed: it takes nothing of what is hostile."
            )
    return told


def updates_section(partition: str) -> str:
    """Return the section about attacks on updates in a partition."""
    rate, found = updates(partition)
    sentences = "\n".join(f"- {sentence}" for sentence in [*said(losses(found), AIMED), *alike(found)])
    typed = command({**EVERY, **PARTITIONS[partition], **UPDATES, **rate})
    return f"""## Updates, {partition}

```
motet run {typed} --aggregate DEFENCE --hostile-share {HOSTILE / CLIENTS:g} --attack ATTACK --seed SEED
```

{table(found)}

{sentences}
"""


FIGURES: dict[str, Figure] = {"the accuracy": accuracy, "the accuracy with one sensor left out": left_out}


def prototypes_table(found: Mapping[str, Mapping[Cell, list[Result]]]) -> str:
    """Return partitions and figures by attack and defence as a table of Markdown."""
    cells = list(next(iter(found.values())))
    heads = [f"| | | {' | '.join(', '.join(cell) for cell in cells)} |", "|---" * (len(cells) + 2) + "|"]
    rows = [
        f"| {partition} | {name.removeprefix('the ')} | {' | '.join(row(runs, cells, figure))} |"
        for partition, runs in found.items()
        for name, figure in FIGURES.items()
    ]
    return "\n".join(heads + rows)


def rejection(partition: str, found: Mapping[Cell, list[Result]]) -> str:
    """Say what poisoned prototypes change, and what rejecting outlying ones changes then and where there are none."""
    clean, rejected, poisoned, mended = found.values()
    told = [
        f"poisoning changes {name} by {with_interval(difference(poisoned, clean, figure))}; rejecting changes that by "
        f"{with_interval(difference(mended, poisoned, figure))}, and by "
        f"{with_interval(difference(rejected, clean, figure))} where nobody is hostile"
        for name, figure in FIGURES.items()
    ]
    return "\n".join(f"- {partition}: {sentence}." for sentence in told)


def certain(found: Mapping[str, Mapping[Cell, list[Result]]]) -> str:
    """Say where poisoned prototypes do harm for certain, as there is nothing to reject for elsewhere."""
    harmed = []
    for partition, runs in found.items():
        clean, _, poisoned, _ = runs.values()
        harmed += [f"{name}, {partition}" for name, own in FIGURES.items() if difference(poisoned, clean, own)[2] < 0]
    if not harmed:
        return (
            "Poisoning does no harm for certain in any of these, so that rejecting mends anything is not shown either."
        )
    return f"Poisoning does harm for certain here: {'; '.join(harmed)}."


def prototypes_section() -> str:
    """Return the section about poisoned prototypes."""
    measured = {partition: prototypes(partition) for partition in PARTITIONS}
    found = {partition: runs for partition, (_, runs) in measured.items()}
    rates = ", ".join(f"{rate['lr']:g} ({partition})" for partition, (rate, _) in measured.items())
    sentences = "\n".join(rejection(partition, runs) for partition, runs in found.items())
    return f"""## Prototypes

Recipe `pmm`; half the client-rounds lack a modality, and prototypes stand in for it. Hostile clients send each class's
prototype as the next one's; with `--prototype-reject` the server leaves out those that lie apart. Learning rates:
{rates}.

```
motet run {command({**EVERY, **PROTOTYPES})} PARTITION --lr LR [{command(hostile(POISONING))}] \\
    [--prototype-reject {REJECT}] --seed SEED
```

{prototypes_table(found)}

{sentences}
- {certain(found)}
"""


def page() -> str:
    """Return the page, filled from the runs."""
    attacks = "\n".join(f"- {name}: {what}." for name, what in ATTACKS.items())
    defences = "\n".join(f"- {name}: `--aggregate {aggregate}`" for name, aggregate in DEFENCES.items())
    sections = "\n".join(updates_section(partition) for partition in PARTITIONS)
    return f"""# Attacks and defences

Measured with `benchmarks/defences.py`: {CLIENTS} clients, of which {HOSTILE} are hostile for the whole run, with each
of {SEEDS} seeds. Accuracies are on the test split, means over the last ten rounds and over seeds; under each stands how
far it is from that of the mean with nobody hostile, paired by seed, in points, with its 95 % interval (Student's t).
The learning rate is what is best with that mean and nobody hostile on samples held out of training (others with each of
{SEARCH_SEEDS} seeds), of {", ".join(f"{rate:g}" for rate in sorted(GRID["lr"]))}; all cells of a table share it.

Trimmed mean, Krum and multi-Krum are told how many are hostile, which nobody knows outside of a study. SSCA was not
made as a defence. Which defence does best is read off the same figures.

What hostile clients do:

{attacks}

What the server does:

{defences}

{sections}
{prototypes_section()}"""


def main() -> None:
    """Measure, and write the page."""
    PAGE.write_text(page())
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
