"""Samples that a model has encoded once, to predict them with any of their modalities."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.engine.rows import take_rows
from motet.errors import MotetError
from motet.learn.method import Method
from motet.learn.sample import Batch, PerModality
from motet.nets.network import State

ROWS = 1000
"""Samples encoded at once."""

Floats = NDArray[np.float64]
Predict = Callable[[State, dict[str, Any], PerModality, Batch], Tensor]
Flags = NDArray[np.bool_]


class Encoded:
    """The features of a batch.

    Parameters
    ----------
    method : Method
    model : State
    aux : dict
        What prediction needs besides, from `Method.aux`.
    batch : Batch
    nothing : dict of modality to Tensor (1, ...)
        What stands in the place of a sample that is not there, prepared.
    """

    @torch.inference_mode()
    def __init__(self, method: Method, model: State, aux: dict[str, Any], batch: Batch, nothing: PerModality) -> None:
        self._method, self._model, self._aux, self._batch = method, model, aux, batch
        pieces = [method.encode(model, take_rows(batch, rows).x) for rows in self._pieces()]
        self._features = {m: torch.cat([piece[m] for piece in pieces]) for m in method.modalities}
        self._nothing = method.encode(model, nothing)

    @torch.inference_mode()
    def logits(self, kept: Collection[str]) -> Floats:
        """Predict class scores, float64 (n, C), with the named modalities alone; the others are as if not there."""
        features: PerModality = {
            m: z if m in kept else self._nothing[m].expand_as(z) for m, z in self._features.items()
        }
        batch = self._batch._replace(present=self._present(kept))
        return self._predicted(self._method.logits, features, batch)

    @torch.inference_mode()
    def own_logits(self) -> Floats:
        """Predict class scores by each modality, float64 (n, M, C), whose sum the prediction is."""
        return self._predicted(self._method.own_logits, self._features, self._batch)

    def _predicted(self, predict: Predict, features: PerModality, batch: Batch) -> Floats:
        pieces = [
            predict(self._model, self._aux, {m: z[rows] for m, z in features.items()}, take_rows(batch, rows))
            for rows in self._pieces()
        ]
        found = np.asarray(torch.cat(pieces).double().cpu().numpy())
        if not np.isfinite(found).all():
            raise MotetError("evaluation: the model gives no finite numbers any more: lower --lr, or look at the data")
        return found

    def there(self, kept: Collection[str]) -> Flags:
        """Return which samples have any of the named modalities, bool (n,)."""
        return np.asarray(torch.stack(list(self._present(kept).values())).any(0).cpu().numpy())

    def _present(self, kept: Collection[str]) -> dict[str, Tensor]:
        return {m: present & (m in kept) for m, present in self._batch.present.items()}

    def _pieces(self) -> list[slice]:
        return [slice(low, low + ROWS) for low in range(0, len(self._batch.mask), ROWS)]
