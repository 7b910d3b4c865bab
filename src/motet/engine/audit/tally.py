"""From single figures to means over clients, with their spread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import fmean
from typing import Literal, NamedTuple

from motet.engine.audit.protection import PROTECTIONS, Protection
from motet.measure.recovery import recovery
from motet.measure.statistics import standard_deviation
from motet.record.audit import Attempt, Leak


class Cell(NamedTuple):
    """What one attack finds in one client's message about one class or sample in one modality.

    Attributes
    ----------
    client : int
    modality : str
    protection : Protection
    value : float
        AUROC, or how near a reconstruction comes.
    held : float
        How near held data come.
    """

    client: int
    modality: str
    protection: Protection
    value: float
    held: float = 0.0


def attempt(cells: Iterable[Cell], scale: Literal["auroc", "recovery"], samples: int | None = None) -> Attempt | None:
    """Sum an attack up; None if it found nothing to attack.

    Nearness is averaged before it becomes recovery, so that what held data tell nearly all of weighs little.
    """
    found = list(cells)
    if not found:
        return None
    figure = _recovered if scale == "recovery" else _mean
    of = {protection: [cell for cell in found if cell.protection == protection] for protection in PROTECTIONS}
    leaks = [_leak(protection, cells, figure) for protection, cells in of.items()]
    if scale == "auroc":
        return Attempt(scale=scale, samples=samples, held=None, leaks=leaks)
    leaks = [leak.model_copy(update={"near": _mean(cells)}) for leak, cells in zip(leaks, of.values(), strict=True)]
    return Attempt(scale=scale, samples=samples, held=fmean(cell.held for cell in found), leaks=leaks)


def _leak(protection: Protection, cells: list[Cell], figure: Callable[[list[Cell]], float]) -> Leak:
    clients = sorted({cell.client for cell in cells})
    by_client = {str(k): figure([cell for cell in cells if cell.client == k]) for k in clients}
    names = dict.fromkeys(cell.modality for cell in cells)
    return Leak(
        bits=protection.bits,
        noise=protection.noise,
        mean=fmean(by_client.values()),
        sd=standard_deviation(list(by_client.values())),
        near=None,
        by_client=by_client,
        by_modality={m: figure([cell for cell in cells if cell.modality == m]) for m in names},
    )


def _mean(cells: list[Cell]) -> float:
    return fmean(cell.value for cell in cells)


def _recovered(cells: list[Cell]) -> float:
    return recovery(_mean(cells), fmean(cell.held for cell in cells))
