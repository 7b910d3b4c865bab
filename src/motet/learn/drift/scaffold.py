"""Control variates (SCAFFOLD, Karimireddy et al. 2020, arXiv 1910.06378, option II)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from motet.learn.drift import Drift
from motet.nets.network import State


@dataclass(frozen=True)
class Scaffold(Drift):
    """Steps follow g - c_k + c; after a round c_k <- c_k - c - (w_k - w) / (steps * rate).

    The server's c gains the mean change of the c_k over all clients, those that did not take part included. A part that
    no sample of a minibatch reached is not corrected, and its variate stays where none did all round, so that a device
    moves no bit of an encoder whose sensor it lacks. For plain SGD: only there is the change of the weights the mean
    gradient.
    """

    corrects: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    shares: ClassVar[bool] = True

    def begin(self, model: State) -> State:
        return {name: torch.zeros_like(value) for name, value in model.items()}

    def correct(self, gradients: State, own: State, common: State, reached: Mapping[str, Tensor]) -> State:
        return {name: g + reached[name] * (common[name] - own[name]) for name, g in gradients.items()}

    def keep(
        self, own: State, common: State, params: State, moved: State, steps: Mapping[str, Tensor], rate: float
    ) -> State:
        kept = dict(own)
        for name, distance in moved.items():
            mean = -distance / (steps[name].clamp(min=1) * rate)
            kept[name] = torch.where(steps[name] > 0, own[name] - common[name] + mean, own[name])
        return kept
