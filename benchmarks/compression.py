"""Measure what compression costs in accuracy and saves in bytes, and write docs/compression.md.

    MOTET_DATA=folder/of/archives python benchmarks/compression.py

Every row at equal rounds against the row that it compresses, seed by seed. Learning rates are chosen on samples held
out of training. Runs lie under runs/compression; finished ones are read, begun ones go on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from studies import Point, accuracy, carry_out, command, difference, search, with_interval

from motet.measure.reach import sent_until
from motet.record.result import Result

PAGE = Path(__file__).resolve().parent.parent / "docs" / "compression.md"
FOLDER = Path("runs/compression")
SEEDS = 8
GRID = {"lr": (0.005, 0.015, 0.05)}
SPARSE = "topk+memory+q8:share=0.2"
EVERY = {
    "encoder": "summary",
    "clients": 10,
    "partition": "dirichlet",
    "rounds": 60,
    "local_epochs": 2,
    "batch_size": 100,
    "buffer": 200,
    "missing_rate": 0.5,
    "optimizer": "adam",
    "lr_decay": 0.98,
    "lr_min": 0.0005,
    "engine": "vector",
}
ARCHIVES = ("ucihar.npz", "phonewatch.npz")
ROWS: dict[str, Point] = {
    "fedavg": {"recipe": "fedavg"},
    "fedavg, 8 bits": {"recipe": "fedavg", "upload": "q8"},
    "fedavg, a fifth": {"recipe": "fedavg", "upload": "topk+memory:share=0.2"},
    "fedavg, a fifth in 8 bits": {"recipe": "fedavg", "upload": SPARSE},
    "fedavg, a fifth in 8 bits, deflated": {"recipe": "fedavg", "upload": "topk+memory+q8+deflate:share=0.2"},
    "fedavg, a fifth, no memory": {"recipe": "fedavg", "upload": "topk+q8:share=0.2"},
    "t-fedavg": {"recipe": "t-fedavg", "upload": "ternary+deflate"},
    "t-fedavg by the exact gradient": {"recipe": "t-fedavg", "upload": "ternary+deflate:gradient=exact"},
    "pmm": {"recipe": "pmm"},
    "pmm, prototypes in 4 bits": {"recipe": "pmm", "prototype_bits": 4},
    "motet": {"recipe": "motet"},
    "motet, a twentieth, deflated": {"recipe": "motet", "upload": "topk+memory+q8+deflate:share=0.05"},
}
OTHERS = ("t-fedavg", "t-fedavg by the exact gradient", "motet")
WHOLE = {name: name.partition(",")[0] for name in ROWS} | dict.fromkeys(OTHERS, "fedavg")
"""The row that each is held against."""


def settings(archive: str) -> Point:
    """Return what all rows have in common."""
    return {"data": archive, **EVERY}


def rates(archive: str) -> dict[str, Point]:
    """Return the rate of every row that compresses nothing; the others take it over."""
    own = {name: ROWS[name] for name in ROWS if "," not in name}
    return search({**settings(archive), "evaluate_every": 1000}, FOLDER / archive / "search", own, GRID)


def measure(archive: str) -> dict[str, list[Result]]:
    """Carry out all rows, or read them."""
    chosen = rates(archive)
    rows = {name: {**row, **chosen[name.partition(",")[0]]} for name, row in ROWS.items()}
    return carry_out(settings(archive), FOLDER / archive / "test", rows, SEEDS)


def until_level(runs: list[Result], dense: list[Result]) -> tuple[int, float]:
    """Return how many seeds reach what fedavg ends with, and the share of its upload that they need, the median."""
    shares = []
    for own, whole in zip(runs, dense, strict=True):
        sent = sent_until(accuracy(whole), [(line.accuracy, line.bytes_up) for line in own.history])
        shares += [] if sent is None else [sent / whole.bytes.up]
    return len(shares), float(np.median(shares)) if shares else float("nan")


def table(archive: str) -> str:
    """Return an archive's rows as a table of Markdown."""
    found, chosen = measure(archive), rates(archive)
    heads = [
        "row",
        "accuracy, %",
        "against",
        "difference",
        "sent, MB",
        "sent, % of `fedavg`",
        "until as good as `fedavg` ends, % of its upload",
        "rate",
    ]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    dense = float(np.mean([run.bytes.up for run in found["fedavg"]]))
    for name, runs in found.items():
        sent, whole = float(np.mean([run.bytes.up for run in runs])), WHOLE[name]
        reached, share = until_level(runs, found["fedavg"])
        against = ["", ""] if whole == name else [whole, with_interval(difference(runs, found[whole]))]
        arrived = f"{100 * share:.1f} ({reached} of {SEEDS} seeds)" if reached else "never"
        cells = [
            accuracy_of(runs),
            *against,
            f"{sent / 1e6:.2f}",
            f"{100 * sent / dense:.1f}",
            arrived,
            f"{chosen[name.partition(',')[0]]['lr']:g}",
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def finding(archive: str) -> str:
    """Say what the table of an archive shows."""
    found = measure(archive)
    dense = found["fedavg"]
    whole = np.mean([run.bytes.up for run in dense])

    def apart(name: str) -> str:
        return with_interval(difference(found[name], found[WHOLE[name]]))

    def sent(name: str) -> str:
        return f"{100 * np.mean([run.bytes.up for run in found[name]]) / whole:.1f} %"

    reached, share = until_level(found["motet"], dense)
    chain, alone = "fedavg, a fifth in 8 bits", "fedavg, a fifth, no memory"
    ternary = f"{accuracy_of(found['t-fedavg'])} % against {accuracy_of(dense)} %"
    return f"""- Prototypes in 4 bits against 32: {apart("pmm, prototypes in 4 bits")} points.
- A fifth of the numbers in 8 bits, {sent(chain)} of what `fedavg` sends: {apart(chain)} points. Without the memory of
  what was not sent: {apart(alone)}.
- `motet` is as good as `fedavg` ends after {100 * share:.1f} % of its upload ({reached} of {SEEDS} seeds).
- `t-fedavg` sends {sent("t-fedavg")} and ends at {ternary}: in this regime it is no rival."""


def accuracy_of(runs: list[Result]) -> str:
    """Write the mean accuracy over seeds, in percent."""
    return f"{100 * np.mean([accuracy(run) for run in runs]):.1f}"


def page() -> str:
    """Return the page, filled from the runs."""
    uploads = "\n".join(f"- {name}: `{command(row)}`" for name, row in ROWS.items())
    sections = "\n\n".join(
        f"## {archive.removesuffix('.npz')}\n\n{finding(archive)}\n\n{table(archive)}" for archive in ARCHIVES
    )
    return f"""# What compression costs and saves

Measured with `benchmarks/compression.py`: equal rounds, {SEEDS} seeds, bytes with all headers. Differences are paired,
in points, with 95 % intervals (Student's t), against the row that is compressed. Learning rates are chosen from
{", ".join(f"{rate:g}" for rate in sorted(GRID["lr"]))} on samples held out of training; a compressed row takes that of
the row it compresses. The last column but one is the median over the seeds that get there.

```
motet run ROW --lr LR {command(settings("ARCHIVE"))} --seed SEED
```

{uploads}

{sections}
"""


def main() -> None:
    """Measure, and write the page."""
    PAGE.write_text(page())
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
