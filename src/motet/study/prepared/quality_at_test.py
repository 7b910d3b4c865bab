"""How much is lost when a model meets bad data that training did not have."""

from __future__ import annotations

from motet.study.archives import QUICK, SMALL, STREAM, UCIHAR, panel, recipes
from motet.study.design import Design, Search, Study, Variant

_ROWS = (
    *recipes("fedavg", "partial", "qqr"),
    Variant("qqr, replace", {"recipe": "qqr", "degraded": "replace"}, like="qqr"),
    *recipes("motet"),
)


def _points(*kinds: str) -> tuple[Variant, ...]:
    clean = Variant("none", {})
    return (clean, *(Variant(kind, {"degradation": kind, "test_degradation": kind}) for kind in kinds))


STUDY = Study(
    name="quality-at-test",
    question="What does a model make of bad data that it meets at prediction alone?",
    axis="degradation of the test split",
    small=Design(
        settings={**QUICK, "degradation_strength": 3, "flags": "assessed"},
        panels=(SMALL,),
        points=_points("noise", "drift"),
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings={**STREAM, "flags": "assessed"},
        panels=(
            panel(UCIHAR, "strength 1", degradation_strength=1),
            panel(UCIHAR, "strength 3", degradation_strength=3),
        ),
        points=_points("noise", "spikes", "drift", "flatline", "dropout", "quantise", "desync"),
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="none"),
    ),
    pairs=(("qqr", "fedavg"), ("qqr, replace", "fedavg"), ("partial", "fedavg")),
    reference="none",
)
