"""Measure what messages give away of a client's samples, and write docs/audit.md.

    MOTET_DATA=folder/of/archives python benchmarks/audit.py

`motet audit` on a few runs: encoders that give away more and less, early and late. Runs lie under runs/audit; finished
ones are read, begun ones go on.
"""

from __future__ import annotations

from pathlib import Path

from studies import Point, carry_out, command

from motet.engine.runs import audit, keep_audit
from motet.engine.watch import ProgressBar
from motet.record.audit import Audit
from motet.record.table import fraction, protection

PAGE = Path(__file__).resolve().parent.parent / "docs" / "audit.md"
FOLDER = Path("runs/audit")
CLIENTS, STEPS = 5, 150
EVERY: Point = {"data": "ucihar.npz", "recipe": "pmm", "threads": 1}
ROWS: dict[str, Point] = {
    "Convolutions after 20 rounds": {"encoder": "conv", "rounds": 20},
    "A perceptron after 3 rounds": {"encoder": "mlp", "rounds": 3},
}
INTRODUCTION = f"""# What messages give away

`motet audit DIR` takes the part of an eavesdropper who has the model that clients received, one client's messages of
one round, and the test split as data of the same kind. `benchmarks/audit.py` made this page: seed 0, {CLIENTS}
clients drawn at random, {STEPS} steps of descent; means and standard deviations over the clients.

- **nearest sample**: the AUROC of telling a client's training samples from held ones by how near they are to its
  prototype of their class; .5 is guessing. What one person's samples have in common counts too.
- **prototype inversion**: samples whose feature is the prototype, looked for by gradient descent from the mean of the
  held samples of the class; **gradient inversion**: samples whose update points where the client's does (Zhu et al.
  2019, arXiv 1906.08935; Geiping et al. 2020, arXiv 2003.14053), for minibatches of 1, 4 and 8 samples, one step of
  SGD and known classes: the worst case for the client. Both as recovery: 0 is no nearer to the client's sample than
  held data come anyway, 1 is exact.
- Messages are sent in fewer **bits** or with **noise**, whose deviation on each number is given in lengths of the
  message: the `--noise-multiplier` of `--privacy device`, where a message is as long as its bound."""


def table(found: Audit) -> str:
    """Return an audit as a table of Markdown."""
    lines = [f"| message | {' | '.join(found.attempts)} |", "|---" * (len(found.attempts) + 1) + "|"]
    for leaks in zip(*(attempt.leaks for attempt in found.attempts.values()), strict=True):
        cells = [fraction(leak.mean, leak.sd) for leak in leaks]
        lines.append(f"| {protection(leaks[0])} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def section(name: str) -> str:
    """Carry out a run and its audit, and return its section."""
    carry_out(EVERY, FOLDER, {name: ROWS[name]}, seeds=1)
    folder = FOLDER / f"{name}-seed0"
    found = audit(folder, ProgressBar(), CLIENTS, STEPS)
    keep_audit(folder, found)
    by_modality = [
        f"{m} {share:.2f}" for m, share in found.attempts["gradient inversion, 1"].leaks[0].by_modality.items()
    ]
    return f"""## {name}

```
motet run {command({**EVERY, **ROWS[name]})} --seed 0 --out DIR
motet audit DIR --clients {CLIENTS} --steps {STEPS}
```

{table(found)}

By modality, one sample from its update as it is: {", ".join(by_modality)}.
"""


def main() -> None:
    """Measure, and write the page."""
    PAGE.write_text("\n\n".join([INTRODUCTION, *(section(name).rstrip() for name in ROWS)]) + "\n")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
