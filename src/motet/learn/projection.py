"""A linear map that modalities share, so that their prototypes can be compared with each other.

Motet's reading of QQR's "prototype space shared by the modalities": the map is trained by supervised contrast of every
good feature to the class prototypes of the other modalities; that loss trains nothing but the map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motet.learn.prototypes import Prototypes
from motet.learn.sample import Batch, Net, PerModality

PART = "projection"
TEMPERATURE = 0.1


def build(features: int) -> nn.Module:
    """Return the map, d to d."""
    return nn.Linear(features, features, bias=False)


def contrast(z: Tensor, prototypes: Tensor, known: Tensor, y: Tensor) -> Tensor:
    """Supervised contrast of features to class prototypes, by cosine at temperature .1.

    Parameters
    ----------
    z : Tensor (B, d)
    prototypes : Tensor (C, d)
    known : bool (C,)
        Classes without a prototype are masked out; a sample whose own class has none costs nothing.
    y : int64 (B,)

    Returns
    -------
    Tensor (B,)
    """
    cosine = F.normalize(z, dim=-1) @ F.normalize(prototypes, dim=-1).T
    logits = torch.where(known, cosine / TEMPERATURE, -1e9)
    own = (y[:, None] == torch.arange(len(prototypes), device=y.device)) & known
    loss = -(torch.log_softmax(logits, dim=-1) * own.to(z.dtype)).sum(-1)
    return loss


def across(net: Net, prototypes: Prototypes, m: str, z: Tensor, others: PerModality, batch: Batch) -> Tensor:
    """Contrast one modality's features to the other modalities' prototypes, both projected.

    Parameters
    ----------
    others : dict of modality to bool (B,)
        Where another modality counts; the mean is taken over those.

    Returns
    -------
    Tensor (B,)
    """
    assert batch.y is not None
    projected = net(PART, z)
    total = torch.zeros_like(z[:, 0])
    count = torch.zeros_like(z[:, 0])
    for other, counts in others.items():
        if other == m:
            continue
        there = net(PART, prototypes.mean[other])
        total = total + counts * contrast(projected, there, prototypes.known[other], batch.y)
        count = count + counts.to(z.dtype)
    return total / count.clamp(min=1)


def training_loss(net: Net, prototypes: Prototypes, encoded: PerModality, batch: Batch) -> Tensor:
    """The loss that trains the shared map alone: each good feature against the other modalities' prototypes, (B,)."""
    good = batch.good()
    everywhere = {m: torch.ones_like(batch.mask) for m in encoded}
    losses = [good[m] * across(net, prototypes, m, z.detach(), everywhere, batch) for m, z in encoded.items()]
    return torch.stack(losses).sum(0)
