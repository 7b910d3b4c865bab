"""Regret on a stream whose samples are bad, ever more so."""

from __future__ import annotations

from motet.study.archives import points, recipes
from motet.study.design import Design, Study, Variant
from motet.study.prepared.regret import SETTINGS, UCIHAR, WEARABLES

_ROWS = (
    *recipes("full", "fedavg", "partial", "qqr"),
    Variant("qqr, replace", {"recipe": "qqr", "degraded": "replace"}),
)

STUDY = Study(
    name="regret-quality",
    question="How much more does a learner lose on the way, when most of what arrives is bad?",
    axis="deviations of noise, in nine of ten client-rounds",
    small=Design(
        settings={**SETTINGS, "rounds": 60, "degraded_modality": "acc", "degraded_rate": 0.9},
        panels=(WEARABLES,),
        points=points("degradation_strength", 1.0, 4.0),
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings={**SETTINGS, "rounds": 1000, "degraded_modality": "body_acc", "degraded_rate": 0.9},
        panels=(UCIHAR,),
        points=points("degradation_strength", 0.5, 1.0, 2.0, 4.0),
        rows=_ROWS,
        seeds=5,
    ),
    pairs=(("fedavg", "full"), ("qqr", "fedavg"), ("qqr, replace", "fedavg")),
    figures=("regret", "slope", "accuracy"),
    said=("regret", "slope"),
    kind="regret",
)
