"""The median of updates, coordinate by coordinate (Yin et al. 2018, arXiv 1803.01498)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motet.learn.aggregate.kept import Kept, OfAll
from motet.nets.network import State


@dataclass(frozen=True)
class Median(OfAll):
    """w_j + median_k delta_kj, over the clients that hold the key, whatever their weight.

    Of an even number it is the mean of the middle two. Fewer than half of the holders, whatever they send, cannot move
    a coordinate out of the range of the others.
    """

    def steps(self, kept: Kept) -> State:
        return kept.each_coordinate(_median)


def _median(values: Tensor) -> Tensor:
    return torch.from_numpy(np.median(values.numpy(), axis=0))
