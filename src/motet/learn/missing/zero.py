"""Zero imputation: an absent modality is a sample of zeros, and is encoded like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from motet.learn.missing import Missing
from motet.learn.sample import Batch, Net, Slots


@dataclass(frozen=True)
class Zero(Missing):
    """The encoder's answer to zeros, which in standardised data are the channel means."""

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        value = {
            m: torch.where(present[:, None], slots.value[m], slots.encoded[m]) for m, present in batch.present.items()
        }
        return slots._replace(value=value, used={m: slots.used[m] | ~present for m, present in batch.present.items()})
