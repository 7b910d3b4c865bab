"""Intermediate fusion: one head on the concatenated features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motet.learn.objective import Objective, Parts, Phase
from motet.learn.sample import Batch, Net, Slots


@dataclass(frozen=True)
class Joint(Objective):
    """Cross-entropy of linear 128, ReLU, linear C on the concatenated features."""

    def parts(self, modalities: list[str], features: int, classes: int) -> Parts:
        width = features * len(modalities)
        return {"head": lambda: nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, classes))}

    def loss(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        assert batch.y is not None
        return F.cross_entropy(self.logits(net, slots), batch.y, reduction="none")

    def logits(self, net: Net, slots: Slots) -> Tensor:
        return net("head", torch.cat(list(slots.value.values()), dim=-1))
