"""An absent modality's feature is what a present one's infiltration projector makes of its own (FedCMI, 2401.00894)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import nn

from motet.learn.missing.skip import Skip
from motet.learn.objective import Parts
from motet.learn.sample import Batch, Net, Slots


@dataclass(frozen=True)
class Infiltration(Skip):
    """The mean of the present modalities' infiltration features; for two modalities, that of the other one.

    With objective ``infiltrate`` the projectors are those that it trains; with any other they are trained by that
    objective's loss through the slots they fill.
    """

    looks_across: ClassVar[bool] = True

    def parts(self, modalities: list[str], features: int) -> Parts:
        return {f"infiltration.{m}": partial(nn.Linear, features, features) for m in modalities}

    def fill_projected(self, net: Net, slots: Slots, batch: Batch) -> Slots:
        sent = {m: net(f"infiltration.{m}", z) for m, z in slots.encoded.items()}
        own, value, used = slots.own(batch), {}, {}
        for m, present in batch.present.items():
            others = [other for other in sent if other != m]
            if not others:
                return slots
            weight = torch.stack([own[other] for other in others]).to(sent[m].dtype)
            mean = torch.einsum("ob,obd->bd", weight, torch.stack([sent[other] for other in others]))
            mean = mean / weight.sum(0).clamp(min=1)[:, None]
            value[m] = torch.where(present[:, None], slots.value[m], mean)
            used[m] = torch.where(present, slots.used[m], weight.any(0))
        return slots._replace(value=value, used=used)
