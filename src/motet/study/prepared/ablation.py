"""What each paper's own idea brings, beside its controls."""

from __future__ import annotations

from motet.learn.recipe import RECIPES
from motet.study.archives import AVDIGITS, PHONEWATCH, QUICK, SMALL, STREAM, UCIHAR
from motet.study.design import Design, Search, Study, Variant

_WHOLE = tuple(dict.fromkeys(row.control_of for row in RECIPES.values() if row.control_of is not None))
_CONTROLS = tuple((whole, name) for whole in _WHOLE for name, row in RECIPES.items() if row.control_of == whole)
_ROWS = (
    Variant("fedavg", {"recipe": "fedavg"}),
    *(
        Variant(name, {"recipe": name}, like=RECIPES[name].control_of)
        for whole in _WHOLE
        for name in (whole, *(control for own, control in _CONTROLS if own == whole))
    ),
)
_POINTS = (
    Variant("missing and degraded", {"missing_rate": 0.5, "degraded_rate": 1 / 3}),
    Variant("half the clients unimodal", {"unimodal_share": 0.5}),
)

STUDY = Study(
    name="ablation",
    question="What does each paper's own idea bring, beside the same method without it?",
    axis="setting",
    small=Design(
        settings={**QUICK, "calibration_rounds": 5, "flags": "assessed"},
        panels=(SMALL,),
        points=_POINTS[:1],
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings={**STREAM, "calibration_rounds": 10, "flags": "assessed"},
        panels=(UCIHAR, PHONEWATCH, AVDIGITS),
        points=_POINTS,
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at=_POINTS[0].name),
    ),
    pairs=_CONTROLS,
    figures=("accuracy", "one left out", "worst class"),
)
