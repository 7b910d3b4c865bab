"""A bad modality's feature is replaced by its prototype."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from motet.learn.degraded.blend import Blend


@dataclass(frozen=True)
class Replace(Blend):
    """P wherever quality is below 1; as it is while the modality has no prototype."""

    def correct(self, z: Tensor, prototype: Tensor, quality: Tensor) -> Tensor:
        return prototype
