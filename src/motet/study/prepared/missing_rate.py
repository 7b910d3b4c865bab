"""How much is lost when a modality is missing ever more often."""

from __future__ import annotations

from motet.study.archives import AVDIGITS, PHONEWATCH, QUICK, SMALL, STREAM, UCIHAR, WATCHES, panel, points, recipes
from motet.study.design import Design, Search, Study

_PATTERNS = ("independent", "correlated", "persistent", "bursty", "alternating")
_ROWS = recipes("fedavg", "partial", "qqr", "motet")
_ACCELERATION = {"missing_modality": "body_acc", "missing_bias": 0.9}

STUDY = Study(
    name="missing-rate",
    question="How much accuracy is lost when a modality is missing ever more often, and who keeps most of it?",
    axis="missing rate",
    small=Design(
        settings=QUICK,
        panels=(panel(SMALL, "independent"), panel(SMALL, "bursty", missing_pattern="bursty", missing_length=10)),
        points=points("missing_rate", 0.1, 0.5, 0.9),
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings=STREAM,
        panels=(
            panel(WATCHES, "convolutions, independent", **_ACCELERATION),
            *(
                panel(UCIHAR, pattern, missing_pattern=pattern, missing_length=10, **_ACCELERATION)
                for pattern in _PATTERNS
            ),
            *(panel(archive, "independent") for archive in (PHONEWATCH, AVDIGITS)),
        ),
        points=points("missing_rate", 0.1, 0.3, 0.5, 0.7, 0.9),
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="0.5"),
    ),
    pairs=(("qqr", "fedavg"), ("qqr", "partial"), ("motet", "fedavg")),
)
