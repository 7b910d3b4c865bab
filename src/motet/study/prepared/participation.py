"""What it costs when few clients take part in a round."""

from __future__ import annotations

from motet.study.archives import AVDIGITS, QUICK, SMALL, STREAM, UCIHAR, panel, points, recipes
from motet.study.design import Design, Search, Study

_ROWS = recipes("fedavg", "partial", "scaffold", "qqr", "fedmchain", "motet")

STUDY = Study(
    name="participation",
    question="What does it cost when few clients take part in a round?",
    axis="share of clients in a round",
    small=Design(
        settings={**QUICK, "missing_rate": 0.5},
        panels=(SMALL,),
        points=points("participation", 0.2, 1.0),
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings={**STREAM, "missing_rate": 0.5},
        panels=(panel(UCIHAR, clients=30), panel(AVDIGITS, clients=30)),
        points=points("participation", 0.1, 0.2, 0.5, 1.0),
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="0.5"),
    ),
    pairs=(("qqr", "fedavg"), ("scaffold", "fedavg"), ("motet", "fedavg")),
    reference="1",
)
