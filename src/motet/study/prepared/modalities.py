"""What each modality adds, and which one is missed most."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from motet.study.archives import PHONEWATCH, QUICK, SMALL, STREAM, recipes
from motet.study.design import Design, Search, Study, Variant

_OFTEN = 0.9
FEW = 3
_ROWS = recipes("fedavg", "partial", "late-unimodal", "qqr", "motet")


def points(design: Design, names: list[str]) -> Design:
    """Return the design with a point for every subset (or each alone, each left out, all), and for each one lost."""
    sizes = range(1, len(names) + 1) if len(names) <= FEW else sorted({1, len(names) - 1, len(names)})
    subsets = [_kept(names, subset) for size in sizes for subset in combinations(names, size)]
    lost = [
        Variant(f"{name} mostly missing", {"missing_modality": name, "missing_rate": _OFTEN})
        for name in names
        if len(names) > 1
    ]
    search = replace(design.search, at="all") if design.search else None
    return replace(design, points=(*subsets, *lost), search=search)


def _kept(names: list[str], kept: tuple[str, ...]) -> Variant:
    """Return a point of some modalities, named after them or, where that is shorter, after those left out."""
    out = [name for name in names if name not in kept]
    short = "all" if not out else f"without {out[0]}" if len(out) == 1 and len(names) > FEW else " + ".join(kept)
    return Variant(short, {"modalities": list(kept)})


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
            search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="all"),
        ),
        ["phone_acc", "phone_gyro", "watch_acc", "watch_gyro"],
    ),
    pairs=(("qqr", "fedavg"), ("motet", "fedavg")),
    fit=points,
)
