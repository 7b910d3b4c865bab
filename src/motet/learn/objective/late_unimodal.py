"""Late fusion in which every modality also answers for itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from motet.learn.objective import Phase
from motet.learn.objective.late import Late, modality_logits
from motet.learn.sample import Batch, Net, Slots


@dataclass(frozen=True)
class LateUnimodal(Late):
    """Cross-entropy of the summed logits, plus that of each used modality's own logits."""

    def loss(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        assert batch.y is not None
        logits = modality_logits(net, slots)
        loss = F.cross_entropy(torch.stack(list(logits.values())).sum(0), batch.y, reduction="none")
        for m, own in logits.items():
            loss = loss + slots.used[m] * F.cross_entropy(own, batch.y, reduction="none")
        return loss
