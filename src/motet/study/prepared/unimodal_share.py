"""What devices do that have one modality only."""

from __future__ import annotations

from motet.study.archives import AVDIGITS, PHONEWATCH, QUICK, SMALL, STREAM, UCIHAR, points, recipes
from motet.study.design import Design, Search, Study

_ROWS = recipes("fedavg", "partial", "late-unimodal", "fedcmi", "fedmchain", "motet")

STUDY = Study(
    name="unimodal-share",
    question="What if some devices have one modality only, for ever?",
    axis="share of clients with one modality",
    small=Design(settings=QUICK, panels=(SMALL,), points=points("unimodal_share", 0.0, 0.5, 1.0), rows=_ROWS, seeds=3),
    full=Design(
        settings=STREAM,
        panels=(UCIHAR, PHONEWATCH, AVDIGITS),
        points=points("unimodal_share", 0.0, 0.25, 0.5, 0.75, 1.0),
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="0.5"),
    ),
    pairs=(("fedcmi", "fedavg"), ("fedcmi", "late-unimodal"), ("fedmchain", "late-unimodal")),
    figures=("accuracy", "one left out"),
)
