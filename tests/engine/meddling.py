"""Engines between which and the server somebody meddles with what clients send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from people import federation, people

from motet.data.dataset import ArrayDataset
from motet.engine.outcome import Outcome
from motet.engine.run import Runner
from motet.engine.watch import Watch

Meddle = Callable[[Outcome], Iterable[Outcome]]

EVERYTHING: dict[str, Any] = {
    "recipe": "qqr",
    "objective": "chain:order=weakest",
    "drift": "scaffold",
    "flags": "assessed",
    "buffer": 6,
    "arrivals": 3,
}
"""Clients that send all kinds of messages."""


class Meddler:
    """An engine whose clients' outcomes pass through a function."""

    def __init__(self, trainer: Any, meddle: Meddle) -> None:
        self.trainer, self.meddle = trainer, meddle

    def train(self, *arguments: Any) -> Iterator[Outcome]:
        """Yield outcomes in client order."""
        for outcome in self.trainer.train(*arguments):
            yield from self.meddle(outcome)


def runner(meddle: Meddle | None = None, data: ArrayDataset | None = None, **settings: Any) -> Runner:
    """Make what runs rounds, with somebody who meddles."""
    found = Runner(federation(data or people(), **{**EVERYTHING, **settings}), Watch())
    if meddle is not None:
        found.trainer = Meddler(found.trainer, meddle)
    return found


def without(client: int) -> Meddle:
    """Return a function that loses what a client sends, as if it had taken no part."""

    def lose(outcome: Outcome) -> list[Outcome]:
        rest = np.array([place for place, k in enumerate(outcome.clients) if k != client])
        return [outcome.of(rest)] if len(rest) else []

    return lose


def spoiling(client: int, kind: str, name: str, value: float) -> Meddle:
    """Return a function that writes a number into the first tensor of a client's message whose name begins so."""

    def spoil(outcome: Outcome) -> list[Outcome]:
        if client in outcome.clients:
            place = outcome.clients.index(client)
            if kind == "told":
                _spoil_summary(outcome, place, name, value)
            else:
                upload = getattr(outcome, kind)
                key = next(n for n in upload.content if n.startswith(name) and upload.held[n][place])
                own = upload.content[key]
                own[(place, *[0] * (own.dim() - 1))] = value
        return [outcome]

    return spoil


def _spoil_summary(outcome: Outcome, place: int, name: str, value: float) -> None:
    """Write into the first set of a client's summary of the first modality that it tells of."""
    summary = next(own for own in outcome.told.summaries.values() if place in own.group)
    row = int((summary.group == place).argmax())
    if name == "distances":
        summary.distances[place, 0] = value
    elif name == "label":
        summary.label[row] = value
    else:
        own = getattr(summary.parts, name)
        own[(row, *[0] * (own.ndim - 1))] = value


def same_tensors(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Return whether two states are the same, bit for bit."""
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)
