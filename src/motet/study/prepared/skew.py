"""What uneven classes across clients do."""

from __future__ import annotations

from motet.study.archives import AVDIGITS, QUICK, SMALL, STREAM, UCIHAR, points, recipes
from motet.study.design import Design, Search, Study

_ROWS = recipes("fedavg", "partial", "scaffold", "late-unimodal", "qqr", "motet")

STUDY = Study(
    name="skew",
    question="Which methods stand clients that hold few of the classes?",
    axis="alpha of Dirichlet shares, smaller is more skewed",
    small=Design(
        settings={**QUICK, "missing_rate": 0.5, "partition": "dirichlet"},
        panels=(SMALL,),
        points=points("alpha", 0.1, 1.0, 10.0),
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings={**STREAM, "missing_rate": 0.5},
        panels=(UCIHAR, AVDIGITS),
        points=points("alpha", 0.1, 0.3, 1.0, 3.0, 10.0),
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="1"),
    ),
    pairs=(("late-unimodal", "fedavg"), ("qqr", "fedavg"), ("motet", "fedavg")),
)
