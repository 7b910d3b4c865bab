"""Late fusion: the sum of the modalities' own logits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motet.learn.objective import Objective, Parts, Phase
from motet.learn.sample import Batch, Net, PerModality, Slots


@dataclass(frozen=True)
class Late(Objective):
    """Cross-entropy of the summed logits of one linear head per modality; a slot not used adds nothing."""

    sums = True

    def parts(self, modalities: list[str], features: int, classes: int) -> Parts:
        return {f"head.{m}": partial(nn.Linear, features, classes) for m in modalities}

    def loss(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        assert batch.y is not None
        return F.cross_entropy(self.logits(net, slots), batch.y, reduction="none")

    def logits(self, net: Net, slots: Slots) -> Tensor:
        return torch.stack(list(self.own_logits(net, slots).values())).sum(0)

    def own_logits(self, net: Net, slots: Slots) -> PerModality:
        return modality_logits(net, slots)


def modality_logits(net: Net, slots: Slots, modalities: Iterable[str] | None = None) -> PerModality:
    """Return the own logits (B, C) of some modalities, or of all: zero where a slot is not used."""
    wanted = slots.value if modalities is None else modalities
    return {m: torch.where(slots.used[m][:, None], net(f"head.{m}", slots.value[m]), 0) for m in wanted}
