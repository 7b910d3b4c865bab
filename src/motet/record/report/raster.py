"""What the history says of which client lacked, or had degraded, which modality in which round."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motet.record.result import Result, Round

Kind = Literal["missing", "degraded"]
MOST_CLIENTS = 40
MOST_COLUMNS = 400


@dataclass(frozen=True)
class Raster:
    """Shares of a client's samples by modality, client and round.

    Attributes
    ----------
    shares : float64 (modalities, clients, columns)
    modalities, clients : list of str
    rounds : tuple of int
        The first and the last.
    per_column : int
        Rounds that one column is the mean of.
    clients_in_all : int
        How many clients there are; `clients` holds the first few.
    """

    shares: NDArray[np.float64]
    modalities: list[str]
    clients: list[str]
    rounds: tuple[int, int]
    per_column: int
    clients_in_all: int


def shares(results: Sequence[Result]) -> tuple[float, float]:
    """Give the share of client-rounds in which a modality was missing from some sample, and degraded in some."""
    hit, rounds = np.zeros(2), 0
    for result in results:
        for line, clients in zip(result.history, _clients_per_round(result), strict=True):
            hit += len(_hit(line, "missing")), len(_hit(line, "degraded"))
            rounds += clients
    missing, degraded = hit / rounds if rounds else hit
    return float(missing), float(degraded)


def raster(result: Result, kind: Kind, modalities: Sequence[str]) -> Raster | None:
    """Lay one run's history out for a figure; None where nothing happened.

    Parameters
    ----------
    result : Result
    kind : {"missing", "degraded"}
    modalities : sequence of str
        The order of the modalities; those of the history that it lacks come after.
    """
    events = {name for line in result.history for name, hit in getattr(line, kind).items() if hit}
    if not events:
        return None
    names = [*modalities, *sorted(events - set(modalities))]
    clients = client_names(result)
    row = {client: place for place, client in enumerate(clients[:MOST_CLIENTS])}
    values = np.zeros((len(names), len(row), len(result.history)))
    for column, line in enumerate(result.history):
        for modality, hit in getattr(line, kind).items():
            for client, share in hit.items():
                if client in row:
                    values[names.index(modality), row[client], column] = share
    per_column = -(-values.shape[2] // MOST_COLUMNS)
    ends = (result.history[0].round, result.history[-1].round)
    return Raster(_averaged(values, per_column), names, list(row), ends, per_column, len(clients))


def client_names(result: Result) -> list[str]:
    """Name the clients of a run in their natural order, with those that the history never names where it can.

    The clients of the test split are no help: they may be others than those that train.
    """
    seen = {client for line in result.history for client in _hit(line, "missing") | _hit(line, "degraded")}
    count = _client_count(result)
    if all(name.isdecimal() and int(name) < count for name in seen):
        return [str(client) for client in range(count)]
    return sorted(seen, key=_natural)


def _natural(name: str) -> list[tuple[bool, int, str]]:
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"([0-9]+)", name)]


def _hit(line: Round, kind: Kind) -> set[str]:
    return {client for hit in getattr(line, kind).values() for client in hit}


def _client_count(result: Result) -> int:
    trained = max((line.clients for line in result.history), default=0)
    for known in (result.data.get("clients"), result.config.get("clients")):
        if isinstance(known, int):
            return max(known, trained)
    return trained


def _clients_per_round(result: Result) -> list[int]:
    """Count the clients that the history speaks of: those that trained, or all if it also names others."""
    named = [len(_hit(line, "missing") | _hit(line, "degraded")) for line in result.history]
    if all(hit <= line.clients for hit, line in zip(named, result.history, strict=True)):
        return [line.clients for line in result.history]
    return [max(_client_count(result), *named)] * len(named)


def _averaged(values: NDArray[np.float64], per_column: int) -> NDArray[np.float64]:
    if per_column == 1:
        return values
    starts = np.arange(0, values.shape[2], per_column)
    widths = np.diff(np.append(starts, values.shape[2]))
    averaged: NDArray[np.float64] = np.add.reduceat(values, starts, axis=2) / widths
    return averaged
