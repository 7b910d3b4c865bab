"""Small studies and data of studies, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motet.study.data import Found, Header, Line
from motet.study.design import Cell, Design, Study, Variant

TINY: dict[str, Any] = {
    "data": "digits",
    "clients": 3,
    "rounds": 2,
    "features": 4,
    "partition": "iid",
    "evaluate_every": 1000,
    "lr": 0.05,
}
ROWS = (Variant("fedavg", {"recipe": "fedavg"}), Variant("partial", {"recipe": "partial"}))


def design(**changes: Any) -> Design:
    """Return a design of two runs a seed."""
    told: dict[str, Any] = {
        "settings": {key: value for key, value in TINY.items() if key != "data"},
        "panels": (Variant("digits", {"data": "digits"}),),
        "points": (Variant("0.5", {"missing_rate": 0.5}),),
        "rows": ROWS,
        "seeds": 2,
    }
    return Design(**{**told, **changes})


def study(own: Design | None = None, **changes: Any) -> Study:
    """Return a study of that design, in both presets."""
    own = own or design()
    told: dict[str, Any] = {
        "name": "tiny",
        "question": "Does it matter?",
        "axis": "missing rate",
        "small": own,
        "full": own,
        "pairs": (("partial", "fedavg"),),
    }
    return Study(**{**told, **changes})


def found(
    accuracy: Callable[[Cell], float], points: tuple[str, ...] = ("0.1", "0.9"), seeds: int = 3, **changes: Any
) -> Found:
    """Return data of a study in which a run of a cell reaches what a function says."""
    rows = changes.pop("rows", {"fedavg": {"recipe": "fedavg"}, "partial": {"recipe": "partial"}})
    panels = changes.pop("panels", {"ucihar": {"data": "ucihar"}})
    header = Header(
        study="missing-rate",
        preset="small",
        command="motet study tiny",
        versions={},
        seeds=seeds,
        settings={"rounds": 2},
        panels=panels,
        points={point: {"missing_rate": float(index)} for index, point in enumerate(points)},
        rows=rows,
        chosen={},
        tried=[],
    )
    cells = [Cell(p, x, r, s) for p in panels for x in points for r in rows for s in range(seeds)]
    return Found(header, [line(cell, accuracy(cell), **changes) for cell in cells])


def line(cell: Cell, accuracy: float, **changes: Any) -> Line:
    """Return a run's line."""
    told: dict[str, Any] = {
        "accuracy": accuracy,
        "accuracy_over_rounds": accuracy,
        "balanced_accuracy": accuracy,
        "macro_f1": accuracy,
        "loss": 1.0,
        "worst_class": accuracy / 2,
        "class_spread": 0.1,
        "bytes_up": 1000,
        "bytes_down": 2000,
        "train_s": 1.0,
    }
    return Line(**cell._asdict(), **{**told, **changes})
