"""Every recipe on every archive."""

from __future__ import annotations

from motet.learn.recipe import RECIPES
from motet.study.archives import ARCHIVES, QUICK, SMALL, STREAM, recipes
from motet.study.design import Design, Search, Study, Variant

_ROWS = recipes(*(name for name, row in RECIPES.items() if row.control_of is None))
_HARM = (Variant("a modality missing in half", {"missing_rate": 0.5}),)

STUDY = Study(
    name="recipes",
    question="Which recipe does best on which data?",
    axis="of all client-rounds",
    small=Design(settings=QUICK, panels=(SMALL,), points=_HARM, rows=_ROWS, seeds=3),
    full=Design(
        settings=STREAM,
        panels=ARCHIVES,
        points=_HARM,
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at=_HARM[0].name),
    ),
    pairs=(("qqr", "fedavg"), ("fedcmi", "fedavg"), ("fedmchain", "fedavg"), ("motet", "the best other")),
    figures=("accuracy", "one left out", "worst class", "sent", "time"),
)
