"""What it costs that nobody tells a device which of its samples are bad."""

from __future__ import annotations

from motet.study.archives import QUICK, SMALL, STREAM, UCIHAR, panel, points
from motet.study.design import Design, Search, Study, Variant

_ROWS = (
    Variant("fedavg", {"recipe": "fedavg", "flags": "none"}),
    Variant("qqr, oracle", {"recipe": "qqr", "flags": "oracle"}),
    Variant("qqr, assessed", {"recipe": "qqr", "flags": "assessed"}, like="qqr, oracle"),
    Variant("qqr, no flags", {"recipe": "qqr", "flags": "none"}, like="qqr, oracle"),
)


def _panels(archive: Variant, first: int, *kinds: str) -> tuple[Variant, ...]:
    """Return panels in which the first rounds are good, and known to be, and panels without such rounds."""
    return tuple(
        panel(archive, f"{kind}, {when}", degradation=kind, degradation_strength=3, calibration_rounds=good)
        for kind in kinds
        for when, good in (("never known to be good", 0), (f"the first {first} rounds are good", first))
    )


STUDY = Study(
    name="assessed",
    question="What does it cost that nobody tells a device which of its samples are bad?",
    axis="degraded rate",
    small=Design(
        settings=QUICK, panels=_panels(SMALL, 5, "noise"), points=points("degraded_rate", 0.1, 0.9), rows=_ROWS, seeds=3
    ),
    full=Design(
        settings=STREAM,
        panels=_panels(UCIHAR, 10, "noise", "drift"),
        points=points("degraded_rate", 0.1, 0.3, 0.5, 0.7, 0.9),
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at="0.5"),
    ),
    pairs=(("qqr, oracle", "fedavg"), ("qqr, assessed", "qqr, oracle"), ("qqr, assessed", "qqr, no flags")),
    figures=("accuracy", "flags precision", "flags recall"),
)
