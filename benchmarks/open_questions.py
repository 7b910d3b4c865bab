"""What the papers leave open, answered as far as the data of studies go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from motet.measure.statistics import Difference, interval, paired_difference
from motet.record.wording import count, listed
from motet.study.data import Found
from motet.study.measures import MEASURES

EVERY_ROUND, AS_USUAL = "another modality every round", "as in the other studies"


def answers(studies: Mapping[str, Found]) -> Iterator[str]:
    """Yield a section for each question that the studies at hand speak of."""
    if "modalities" in studies:
        yield "### More than two modalities?\n\n" + "\n".join(_modalities(studies["modalities"]))
    if "regret" in studies:
        yield "### Regret without convexity?\n\n" + "\n".join(_network(studies["regret"]))
    if "dynamics" in studies:
        yield "### An imbalance that changes fast?\n\n" + "\n".join(_fast(studies["dynamics"]))
    yield (
        "### What do prototypes give away?\n\n[What messages give away](audit.md) measures it, with fewer bits and "
        "with noise: which samples a device has learnt from, more surely than chance, but not what they look like."
    )


def _modalities(found: Found) -> Iterator[str]:
    sizes = {point: len(own.get("modalities", [])) for point, own in found.header.points.items()}
    for panel in found.panels:
        for size in sorted({size for size in sizes.values() if size}):
            places = [(panel, point) for point, own in sizes.items() if own == size]
            gains = [f"`{row}` {_gain(found, places, row)}" for row in found.rows if row != "fedavg"]
            yield f"- {panel}, {_subsets(len(places), size)}, beside `fedavg`: {', '.join(gains)}."
        lost = [point for point, own in found.header.points.items() if "missing_modality" in own]
        for row in found.rows:
            costs = {point: _cost(found, panel, point, "all", row) for point in lost}
            worst = min(costs, key=lambda point: costs[point].mean)
            yield f"- {panel}, `{row}`: most is lost with {worst}, {_told(costs[worst])} beside all modalities."


def _subsets(number: int, size: int) -> str:
    return f"{count(number, 'set')} of {count(size, 'modality', 'modalities')}"


def _network(found: Found) -> Iterator[str]:
    for panel in found.panels:
        if found.header.panels[panel].get("objective") == "joint":
            for point in found.points:
                slopes = [f"`{row}` {_slope(found.values(panel, point, row, 'slope'))}" for row in found.rows]
                yield f"- {panel}, missing at {point}: slopes {listed(slopes)}."
    yield (
        "- There the comparator is no optimum but a model trained on everything that arrived, so that a slope below 1 "
        "says that the learner comes nearer to *that*, and no more."
    )


def _fast(found: Found) -> Iterator[str]:
    for panel in found.panels:
        costs = [f"`{row}` {_told(_cost(found, panel, EVERY_ROUND, AS_USUAL, row))}" for row in found.rows]
        yield f"- {panel}, {EVERY_ROUND} beside a modality drawn anew for every client and round: {', '.join(costs)}."
        gains = [f"`{row}` {_gain(found, [(panel, EVERY_ROUND)], row)}" for row in found.rows if row != "fedavg"]
        yield f"- {panel}, {EVERY_ROUND}, beside `fedavg`: {', '.join(gains)}."


def _gain(found: Found, places: list[tuple[str, str]], row: str) -> str:
    return _told(paired_difference(found.by_seed(places, row), found.by_seed(places, "fedavg")))


def _told(difference: Difference) -> str:
    return MEASURES["accuracy"].told(difference)


def _slope(values: list[float]) -> str:
    ends = interval(values)
    return f"{np.mean(values):.3f}" + (f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else "")


def _cost(found: Found, panel: str, point: str, reference: str, row: str) -> Difference:
    """Return what a point does to a row beside another point, paired by seed."""
    return paired_difference(*(found.values(panel, own, row) for own in (point, reference)))
