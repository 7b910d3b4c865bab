"""How much is lost when a modality is bad rather than missing."""

from __future__ import annotations

from motet.study.archives import QUICK, SMALL, STREAM, UCIHAR, panel, points, recipes
from motet.study.design import Design, Search, Study, Variant

_KINDS = ("noise", "spikes", "drift", "flatline", "dropout", "quantise", "desync")
_FIRST = 10
_ROWS = (
    *recipes("fedavg", "partial", "qqr"),
    Variant("qqr, align", {"recipe": "qqr", "degraded": "align"}, like="qqr"),
    Variant("qqr, replace", {"recipe": "qqr", "degraded": "replace"}, like="qqr"),
    *recipes("motet"),
)

STUDY = Study(
    name="quality",
    question="Which kinds of bad data hurt, in training, and what helps?",
    axis="degradation",
    small=Design(
        settings={
            **QUICK,
            "degraded_rate": 0.5,
            "calibration_rounds": 5,
            "degradation_strength": 3,
            "flags": "assessed",
        },
        panels=(SMALL,),
        points=points("degradation", *_KINDS[:3]),
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings={**STREAM, "calibration_rounds": _FIRST, "flags": "assessed"},
        panels=(
            panel(UCIHAR, "half of training at strength 1", degraded_rate=0.5, degradation_strength=1),
            panel(UCIHAR, "half of training at strength 3", degraded_rate=0.5, degradation_strength=3),
            panel(UCIHAR, "nearly all of training at strength 3", degraded_rate=0.9, degradation_strength=3),
        ),
        points=points("degradation", *_KINDS),
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="noise"),
    ),
    pairs=(("qqr", "fedavg"), ("qqr, replace", "fedavg"), ("partial", "fedavg")),
)
