"""A pull to the model received (FedProx, arXiv 1812.06127)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from motet.learn.drift import Drift
from motet.nets.network import State
from motet.values import NotNegative


@dataclass(frozen=True)
class Proximal(Drift):
    """mu / 2 |w - w_G|^2.

    Parameters
    ----------
    mu : float
    """

    mu: NotNegative = 0.1

    def penalty(self, params: State, aux: dict[str, Any]) -> Tensor:
        received = aux["model"]
        squares = [(value - received[name]).square().sum() for name, value in params.items()]
        return self.mu / 2 * torch.stack(squares).sum()
