"""The test split, predicted by the global model (or by each client's own)."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motet.engine.client import Client
from motet.engine.federation import Federation
from motet.engine.rows import take_rows
from motet.engine.state import ServerState
from motet.errors import MotetError
from motet.learn.sample import Batch, PerModality
from motet.measure.accuracy import by_client, mean, scores
from motet.nets.network import State

ROWS = 1000
"""Samples encoded at once."""


class Evaluator:
    """Evaluates states on the test split, unimpaired unless a ``--test-`` option says otherwise.

    Parameters
    ----------
    federation : Federation
    client : Client
        Makes batches and scores quality as devices do.
    """

    def __init__(self, federation: Federation, client: Client) -> None:
        self.federation, self.client = federation, client
        self.method, self.view = federation.method, federation.test
        self.names = self.method.modalities

    def plain(self, state: ServerState) -> dict[str, Any]:
        """Return the scores with everything that the test split has."""
        return self._over_models(state, full=False)

    def full(self, state: ServerState) -> dict[str, Any]:
        """Return `plain` with accuracy by client and by the modalities present."""
        return self._over_models(state, full=True)

    @torch.inference_mode()
    def _over_models(self, state: ServerState, full: bool) -> dict[str, Any]:
        shared = self.client.receive(state.shared)
        quality = self.client.assessor.score(self.view, state.shared["quality"])
        batch = self.client.batch(self.view, quality)
        aux = self.method.aux(shared)
        models = self.client.models(shared["model"], state.private, self.federation.clients)
        found: dict[str, Any] = mean([self._one_model(model, aux, batch, full) for model in models])
        return found

    def _one_model(self, model: State, aux: dict[str, Any], batch: Batch, full: bool) -> dict[str, Any]:
        encoded = self._encode(model, batch)
        y = self.view.y
        logits = self._logits(model, aux, encoded, batch)
        if not np.isfinite(logits).all():
            raise MotetError("evaluation: the model gives no finite numbers any more: lower --lr, or look at the data")
        found = scores(logits, y)
        if full:
            found["accuracy_by_client"] = by_client(logits, y, self.federation.test_client)
            found["accuracy_by_present"] = self._by_present(model, aux, encoded, batch)
        return found

    def _encode(self, model: State, batch: Batch) -> PerModality:
        pieces = [
            self.method.encode(model, take_rows(batch, slice(low, low + ROWS)).x)
            for low in range(0, len(batch.mask), ROWS)
        ]
        return {m: torch.cat([piece[m] for piece in pieces]) for m in self.names}

    def _logits(self, model: State, aux: dict[str, Any], encoded: PerModality, batch: Batch) -> np.ndarray:
        pieces = []
        for low in range(0, len(batch.mask), ROWS):
            rows = slice(low, low + ROWS)
            part = {m: z[rows] for m, z in encoded.items()}
            pieces.append(self.method.logits(model, aux, part, take_rows(batch, rows)))
        return torch.cat(pieces).double().cpu().numpy()

    def _by_present(self, model: State, aux: dict[str, Any], encoded: PerModality, batch: Batch) -> dict[str, float]:
        """Return the accuracy with subsets of the modalities, on the samples that have any of them."""
        nothing = self._encode_nothing(model, batch)
        found = {}
        for kept in subsets(self.names):
            present = {m: batch.present[m] & (m in kept) for m in self.names}
            some = torch.stack(list(present.values())).any(0).cpu().numpy()
            if not some.any():
                continue
            blanked = {m: torch.where(present[m][:, None], encoded[m], nothing[m]) for m in self.names}
            logits = self._logits(model, aux, blanked, batch._replace(present=present))
            found["+".join(kept)] = float((logits.argmax(axis=1) == self.view.y)[some].mean())
        return found

    def _encode_nothing(self, model: State, batch: Batch) -> dict[str, Tensor]:
        """Encode one absent sample of each modality, (1, d): what an encoder makes of a sensor that is not there."""
        pads = {m: spec.pad for m, spec in self.federation.dataset.modalities.items()}
        return self.method.encode(model, {m: torch.full_like(x[:1], pads[m]) for m, x in batch.x.items()})


def subsets(names: list[str]) -> list[tuple[str, ...]]:
    """Return all subsets for up to 4 modalities; else all, each left out and each alone. The largest first."""
    if len(names) <= 4:
        return [kept for size in range(len(names), 0, -1) for kept in combinations(names, size)]
    left_out = [tuple(m for m in names if m != out) for out in names]
    return [tuple(names), *left_out, *((m,) for m in names)]
