"""How few bits are enough, for prototypes and for the model."""

from __future__ import annotations

from motet.study.archives import PHONEWATCH, QUICK, SMALL, STREAM, UCIHAR
from motet.study.design import Design, Search, Study, Variant

_POINTS = tuple(
    Variant(str(bits), {"prototype_bits": bits, "upload": f"q{bits}" if bits < 32 else "dense"})
    for bits in (2, 3, 4, 6, 8, 16, 32)
)
_ROWS = (
    Variant("prototypes in so many bits", {"recipe": "pmm", "upload": "dense"}),
    Variant("model in so many bits", {"recipe": "pmm", "prototype_bits": 32}, like="prototypes in so many bits"),
    Variant("both", {"recipe": "pmm"}, like="prototypes in so many bits"),
)
_OFTEN = {"missing_rate": 0.9, "evaluate_every": 1}

STUDY = Study(
    name="bits",
    question="How few bits are enough, for prototypes and for the model?",
    axis="bits a number",
    small=Design(settings={**QUICK, **_OFTEN}, panels=(SMALL,), points=_POINTS[::2], rows=_ROWS, seeds=3),
    full=Design(
        settings={**STREAM, **_OFTEN},
        panels=(UCIHAR, PHONEWATCH),
        points=_POINTS,
        rows=_ROWS,
        seeds=8,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="32"),
    ),
    pairs=(),
    figures=("accuracy", "accuracy over all rounds", "prototype error", "sent"),
    reference="32",
)
