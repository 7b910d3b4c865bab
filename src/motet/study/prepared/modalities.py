"""What each modality adds, and which one is missed most."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from motet.study.archives import PHONEWATCH, QUICK, SMALL, STREAM, recipes
from motet.study.design import Design, Search, Study, Variant

_OFTEN = 0.9
_MOST = 8
_ROWS = recipes("fedavg", "partial", "late-unimodal", "qqr", "motet")


def points(design: Design, names: list[str]) -> Design:
    """Return the design with a point for every subset (or each alone and each left out), and for each one lost."""
    sizes = range(1, len(names) + 1) if len(names) <= 3 else sorted({1, len(names) - 1, len(names)})
    kept = [subset for size in sizes for subset in combinations(names[:_MOST], size)]
    subsets = [Variant(" + ".join(subset), {"modalities": list(subset)}) for subset in kept]
    lost = [
        Variant(f"all, {name} mostly missing", {"missing_modality": name, "missing_rate": _OFTEN})
        for name in names[:_MOST]
        if len(names) > 1
    ]
    return replace(design, points=(*subsets, *lost))


STUDY = Study(
    name="modalities",
    question="What does each modality add, and which one is missed most?",
    axis="modalities",
    small=points(
        Design(settings=QUICK, panels=(SMALL,), points=(), rows=_ROWS[:1] + _ROWS[3:], seeds=3),
        ["acc", "gyro", "heart"],
    ),
    full=points(
        Design(
            settings=STREAM,
            panels=(PHONEWATCH,),
            points=(),
            rows=_ROWS,
            seeds=5,
            search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="phone_acc"),
        ),
        ["phone_acc", "phone_gyro", "watch_acc", "watch_gyro"],
    ),
    pairs=(("qqr", "fedavg"), ("motet", "fedavg")),
    fit=points,
)
