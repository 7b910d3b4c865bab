"""The encoder of plain vectors, and of anything flattened into one."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from motet.data.dataset import Modality
from motet.nets.layers import LayerNorm, Linear


class Perceptron(nn.Module):
    """Two linear layers with LayerNorm over the flattened sample."""

    def __init__(self, modality: Modality, features: int) -> None:
        super().__init__()
        self.hidden = Linear(math.prod(modality.shape), 64)
        self.norm = LayerNorm(64)
        self.out = Linear(64, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.norm(self.hidden(x.flatten(1)))))  # type: ignore[no-any-return]
