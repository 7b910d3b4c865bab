"""A bad modality's feature is pulled towards its good counterpart by a further loss (the other reading of QQR)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from motet.learn import projection
from motet.learn import prototypes as proto
from motet.learn.degraded import Degraded, flagged
from motet.learn.objective import Parts
from motet.learn.sample import Batch, Net, Slots
from motet.values import NotNegative


@dataclass(frozen=True)
class Align(Degraded):
    """CE + mu * alignment; the alignment's gradient reaches the bad modality's encoder alone.

    Parameters
    ----------
    by : {"mse", "contrast", "cross"}
        ``mse``: |z - P^{m,y}|^2 / d. ``contrast``: supervised contrast of normalised z to the modality's class
        prototypes at temperature .1. ``cross``: the same towards the prototypes of the sample's good modalities,
        through the shared projection (a reading of a digest of the paper). A sample whose class has no prototype costs
        nothing.
    mu : float
        Weight of the alignment.
    """

    by: Literal["mse", "contrast", "cross"] = "mse"
    mu: NotNegative = 1.0
    uses_prototypes = True

    def parts(self, features: int) -> Parts:
        return {projection.PART: lambda: projection.build(features)} if self.by == "cross" else {}

    def penalty(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Tensor:
        if batch.y is None:
            return super().penalty(net, aux, slots, batch)
        losses = [flagged(batch, m) * self._distance(net, aux["prototypes"], m, slots, batch) for m in slots.encoded]
        return self.mu * torch.stack(losses).sum(0)

    def _distance(self, net: Net, prototypes: proto.Prototypes, m: str, slots: Slots, batch: Batch) -> Tensor:
        assert batch.y is not None
        z = slots.encoded[m]
        if self.by == "mse":
            own, _ = proto.by_label(prototypes, m, batch)
            return proto.class_known(prototypes, m, batch) * (z - own).square().mean(-1)
        if self.by == "contrast":
            return projection.contrast(z, prototypes.mean[m], prototypes.known[m], batch.y)
        return projection.across(net.frozen(), prototypes, m, z, batch.good(), batch)
