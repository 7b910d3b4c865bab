"""An absent modality's feature slot is zero; its encoder has no part in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from motet.learn.missing import Missing
from motet.learn.sample import Batch, Net, Slots


@dataclass(frozen=True)
class Skip(Missing):
    """A zero slot that the fusion does not use."""

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        return slots._replace(
            value={m: torch.where(present[:, None], slots.value[m], 0) for m, present in batch.present.items()}
        )
