"""The mean of updates without the largest and the smallest, coordinate by coordinate (Yin et al. 2018, 1803.01498)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from scipy import stats
from torch import Tensor

from motet.learn.aggregate.kept import Kept, OfAll
from motet.nets.network import State


@dataclass(frozen=True)
class TrimmedMean(OfAll):
    """w_j + the mean of what is left of delta_kj, over the n clients that hold the key, whatever their weight.

    Parameters
    ----------
    trim : float
        Share that is dropped at each end, floor(trim * n) values; under one half, so that at least one is left.
    """

    trim: Annotated[float, Field(ge=0, lt=0.5)] = 0.2

    def steps(self, kept: Kept) -> State:
        return kept.each_coordinate(self._mean)

    def _mean(self, values: Tensor) -> Tensor:
        return torch.from_numpy(stats.trim_mean(values.numpy(), self.trim))
