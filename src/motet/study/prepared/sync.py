"""What rarer synchronisation costs: the same training in all, in fewer rounds."""

from __future__ import annotations

from motet.study.archives import PHONEWATCH, QUICK, SMALL, STREAM, UCIHAR, recipes
from motet.study.design import Design, Search, Study, Variant

_ROWS = recipes("fedavg", "late-unimodal", "fedmchain", "motet")


def _points(cycles: int, decay: float, *between: int) -> tuple[Variant, ...]:
    """Return points of equal training; the rate falls by cycles, so that it ends where it would."""
    return tuple(
        Variant(str(every), {"local_cycles": every, "rounds": cycles // every, "lr_decay": decay**every})
        for every in between
    )


STUDY = Study(
    name="sync",
    question="What does it cost to synchronise more rarely, with the same training in all?",
    axis="cycles between synchronisations",
    small=Design(
        settings={**QUICK, "buffer": "all", "local_epochs": 1},
        panels=(SMALL,),
        points=_points(24, 0.97, 1, 4),
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings={**STREAM, "buffer": "all", "local_epochs": 1},
        panels=(UCIHAR, PHONEWATCH),
        points=_points(96, 0.985, 1, 2, 4, 8),
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="2"),
    ),
    pairs=(("fedmchain", "fedavg"), ("late-unimodal", "fedavg")),
    figures=("accuracy at the end", "sent"),
    said=("accuracy at the end",),
    reference="1",
)
