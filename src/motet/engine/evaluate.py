"""The test split, and validation where there is one, predicted by the global model (or by each client's own)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import torch

from motet.engine.client import Client
from motet.engine.encoded import Encoded
from motet.engine.federation import Federation
from motet.engine.state import ServerState
from motet.learn.fusion import SMALLEST, fit_weights
from motet.measure.accuracy import accuracy, by_client, mean, scores
from motet.measure.complementarity import complementarity, double_fault
from motet.measure.dominance import dominance
from motet.measure.gap import strong_weak_gap
from motet.nets.encoder import blank
from motet.nets.network import State
from motet.stream.view import View


class Evaluator:
    """Evaluates states on the test split or another, unimpaired unless a ``--test-`` option says otherwise.

    Parameters
    ----------
    federation : Federation
    client : Client
        Makes batches and scores quality as devices do.
    view : View, optional
        Another split than test.
    """

    def __init__(self, federation: Federation, client: Client, view: View | None = None) -> None:
        self.federation, self.client = federation, client
        self.method, self.view = federation.method, federation.test if view is None else view
        self.names = self.method.modalities

    def plain(self, state: ServerState) -> dict[str, Any]:
        """Return the scores with everything that the test split has, and with each modality alone."""
        found: dict[str, Any] = mean([self._plain(encoded) for encoded in self.encoded(state)])
        return found

    def full(self, state: ServerState) -> dict[str, Any]:
        """Return `plain` with accuracy by client and by the modalities present, and how modalities help each other."""
        found: dict[str, Any] = mean([self._full(encoded) for encoded in self.encoded(state)])
        return found

    def accuracy(self, state: ServerState) -> float:
        """Return the accuracy with everything that the split has."""
        logits = [encoded.logits(self.names) for encoded in self.encoded(state)]
        return float(np.mean([(own.argmax(axis=1) == self.view.y).mean() for own in logits]))

    def fusion(self, state: ServerState) -> State:
        """Return the weights of the modalities' own scores that fit the split best (see `motet.learn.fusion`)."""
        own = [encoded.own_logits() for encoded in self.encoded(state)]
        weights = fit_weights(np.concatenate(own), np.tile(self.view.y, len(own))).clip(min=SMALLEST)
        return {m: torch.tensor(weight, dtype=self.client.dtype) for m, weight in zip(self.names, weights, strict=True)}

    def encoded(self, state: ServerState) -> Iterator[Encoded]:
        """Yield the split as the global model encodes it; where there is none, as each client's own does."""
        shared = self.client.receive(state.shared)
        quality = self.client.assessor.score(self.view, state.shared["quality"])
        batch = self.client.batch(self.view, quality)
        nothing = self.client.samples(blank(self.federation.dataset.modalities))
        for model in self.client.models(shared["model"], state.private, self.federation.clients):
            yield Encoded(self.method, model, self.method.aux(shared), batch, nothing)

    def _plain(self, encoded: Encoded) -> dict[str, Any]:
        return self._scores(self._predicted(encoded, [tuple(self.names), *self._singles()]), encoded)

    def _full(self, encoded: Encoded) -> dict[str, Any]:
        logits = self._predicted(encoded, subsets(self.names))
        found, y = self._scores(logits, encoded), self.view.y
        there = {m: encoded.there((m,)) for m in self.names}
        present = {kept: accuracy(own, y, encoded.there(kept)) for kept, own in logits.items()}
        known = [m for m in self.names if there[m].any()]
        common = np.logical_and.reduce([there[m] for m in known])  # so that like is held against like
        together = accuracy(logits[tuple(self.names)], y, common)
        alone = {m: accuracy(logits[m,], y, common) if m in known else None for m in self.names}
        return {
            **found,
            "accuracy_by_client": by_client(logits[tuple(self.names)], y, self.federation.test_client),
            "accuracy_by_present": {"+".join(kept): value for kept, value in present.items() if value is not None},
            "complementarity": complementarity(together, alone),
            "strong_weak_gap": strong_weak_gap(alone),
            "double_fault": double_fault({m: logits[m,].argmax(axis=1) != y for m in self.names}, there),
        }

    def _scores(self, logits: dict[tuple[str, ...], np.ndarray], encoded: Encoded) -> dict[str, Any]:
        y, there = self.view.y, {m: encoded.there((m,)) for m in self.names}
        return {
            **scores(logits[tuple(self.names)], y),
            "accuracy_alone": {m: accuracy(logits[m,], y, there[m]) for m in self.names},
            "dominance": dominance({m: logits[m,] for m in self.names}, y, there),
        }

    def _predicted(self, encoded: Encoded, wanted: list[tuple[str, ...]]) -> dict[tuple[str, ...], np.ndarray]:
        """Predict with each of the subsets, each once."""
        return {kept: encoded.logits(kept) for kept in dict.fromkeys(wanted)}

    def _singles(self) -> list[tuple[str, ...]]:
        return [(m,) for m in self.names]


def subsets(names: list[str]) -> list[tuple[str, ...]]:
    """Return all subsets for up to 4 modalities; else all, each left out and each alone. The largest first."""
    if len(names) <= 4:
        return [kept for size in range(len(names), 0, -1) for kept in combinations(names, size)]
    left_out = [tuple(m for m in names if m != out) for out in names]
    return [tuple(names), *left_out, *((m,) for m in names)]
