"""Contrast of a client's features with those of the models before (MOON, Li et al. 2021, arXiv 2103.16257)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from motet.learn.drift import Drift
from motet.learn.sample import Batch, Slots
from motet.nets.network import State
from motet.values import NotNegative, Positive


@dataclass(frozen=True)
class Moon(Drift):
    """-mu log(e^(s_G / tau) / (e^(s_G / tau) + e^(s_P / tau))), s the cosine similarity to an earlier model's features.

    s_G is to the model just received, s_P to the one that the client ended its last round with; in a client's first
    round both are the same, and nothing pulls. The features are those of all encoders side by side, zero where a
    modality is absent or left out; that is our reading for several modalities.

    Parameters
    ----------
    mu : float
    tau : float
    """

    mu: NotNegative = 1.0
    tau: Positive = 0.5

    uses_received: ClassVar[bool] = True
    uses_previous: ClassVar[bool] = True
    keeps: ClassVar[bool] = True

    def begin(self, model: State) -> State:
        return model

    def feature_penalty(self, slots: Slots, aux: dict[str, Any], batch: Batch) -> Tensor:
        own = slots.own(batch)
        z, received, previous = (
            torch.cat([torch.where(own[m][:, None], features[m], 0) for m in own], dim=-1)
            for features in (slots.encoded, batch.received, batch.previous)
        )
        towards, away = (F.cosine_similarity(z, other, dim=-1) / self.tau for other in (received, previous))
        return self.mu * F.softplus(away - towards)

    def keep(
        self, own: State, common: State, params: State, moved: State, steps: Mapping[str, Tensor], rate: float
    ) -> State:
        return params
