"""A bad modality's feature is moved towards its prototype, as far as its quality is low (QQR, arXiv 2508.11159)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from motet.learn.degraded import Degraded, flagged
from motet.learn.sample import Batch, Net, Slots


@dataclass(frozen=True)
class Blend(Degraded):
    """z + (1 - q) (P - z); as it is while the modality has no prototype."""

    uses_prototypes = True

    def adjust(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        value = {}
        for m, z in slots.value.items():
            prototype, known = aux["expected"][m]
            corrected = self.correct(z, prototype, batch.quality[m][:, None])
            value[m] = torch.where((flagged(batch, m) & known)[:, None], corrected, z)
        return slots._replace(value=value)

    def correct(self, z: Tensor, prototype: Tensor, quality: Tensor) -> Tensor:
        """Return the corrected feature, (B, d); quality is (B, 1)."""
        return z + (1 - quality) * (prototype - z)
