"""A bad modality is treated as if it were missing, with a zero slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from motet.learn.degraded import Degraded, flagged
from motet.learn.sample import Batch, Net, Slots


@dataclass(frozen=True)
class Drop(Degraded):
    """A zero slot that the fusion does not use, wherever quality is below 1."""

    def adjust(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        bad = {m: flagged(batch, m) for m in slots.value}
        return slots._replace(
            value={m: torch.where(bad[m][:, None], 0, z) for m, z in slots.value.items()},
            used={m: used & ~bad[m] for m, used in slots.used.items()},
        )
