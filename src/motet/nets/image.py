"""The encoder of images: (batch, channels, height, width) to (batch, d)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motet.data.dataset import Modality
from motet.nets.layers import Conv2d, GroupNorm, Linear


class ImageConvolution(nn.Module):
    """Two 2-D convolutions with GroupNorm and pooling; mean and maximum over the picture; linear."""

    def __init__(self, modality: Modality, features: int) -> None:
        super().__init__()
        channels, height, width = modality.shape
        self.first = Conv2d(channels, 16, 3, padding=1)
        self.first_norm = GroupNorm(4, 16)
        self.pool = nn.MaxPool2d(2) if min(height, width) >= 2 else nn.Identity()
        self.second = Conv2d(16, 32, 3, padding=1)
        self.second_norm = GroupNorm(8, 32)
        self.grid = nn.AdaptiveAvgPool2d((min(4, height), min(4, width)))
        self.out = Linear(32 * min(4, height) * min(4, width) + 32, features)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.pool(self.first_norm(self.first(x))))  # the maximum first: the same bits, fewer to rectify
        x = F.relu(self.second_norm(self.second(x)))
        return self.out(torch.cat([self.grid(x).flatten(1), x.amax((-2, -1))], dim=-1))  # type: ignore[no-any-return]
