"""A pull of features to the global class prototypes (after FedProto, Tan et al. 2022, arXiv 2105.00243)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from motet.learn import prototypes as proto
from motet.learn.drift import Drift
from motet.learn.sample import Batch, Slots
from motet.values import NotNegative


@dataclass(frozen=True)
class PrototypePull(Drift):
    """weight * sum_m |z^m - P^{m,y}|^2 / d over the good modalities whose prototype of the class is known.

    The published method exchanges prototypes alone, and its clients keep models of their own; here it is a pull beside
    whatever is aggregated.

    Parameters
    ----------
    weight : float
    """

    weight: NotNegative = 1.0

    uses_prototypes: ClassVar[bool] = True

    def feature_penalty(self, slots: Slots, aux: dict[str, Any], batch: Batch) -> Tensor:
        total = torch.zeros_like(batch.quality[next(iter(slots.encoded))])
        for m, good in batch.good().items():
            prototype, _ = proto.by_label(aux["prototypes"], m, batch)
            pulled = good & proto.class_known(aux["prototypes"], m, batch)
            total = total + pulled * (slots.encoded[m] - prototype).square().mean(-1)
        return self.weight * total
