"""Prototypes that lie apart from those of all other clients are left out: a defence of the server, off by default."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.config import RecipeSettings
from motet.learn.prototypes import Joiner
from motet.nets.network import State


def outlying(means: NDArray[np.float64], times: float) -> NDArray[np.bool_]:
    """Say which of the clients' prototypes of one class and modality lie apart.

    Farther from the coordinate-wise median of all than `times` the median of these distances (Motet's reading of a
    robust estimate: it holds while fewer than half are poisoned).

    Parameters
    ----------
    means : float64 (n, d)
    times : float
        At least 1, so that half of them stay.

    Returns
    -------
    bool (n,)
    """
    distances = np.linalg.norm(means - np.median(means, axis=0), axis=1)
    return np.asarray(distances > times * np.median(distances))


class Rejecting(Joiner):
    """The server's fold where outlying prototypes are left out; it keeps what all clients contribute until the end."""

    def __init__(self, state: Mapping[str, Tensor], settings: RecipeSettings, times: float) -> None:
        super().__init__(state, settings)
        self.times = times
        self._waiting: list[Mapping[str, Tensor]] = []

    def add(self, content: Mapping[str, Tensor]) -> None:
        self._waiting.append(content)

    def finish(self) -> State:
        for name in self.state:
            held = [own for own in self._waiting if name in own]
            if name.startswith("mean/") and held:
                m = name.removeprefix("mean/")
                names = [f"{what}/{m}" for what in ("mean", "count", "variance")]
                mean, count, variance = (torch.cat([own[n] for own in held]) for n in names)
                super().add(dict(zip(names, (mean, self._without_outliers(mean, count), variance), strict=True)))
        return super().finish()

    def _without_outliers(self, mean: Tensor, count: Tensor) -> Tensor:
        """Return how many samples each prototype stands for, (K, C): none, where it is left out."""
        found = count.clone()
        for c in range(count.shape[1]):
            known = (count[:, c] > 0).nonzero()[:, 0]
            if len(known):
                apart = outlying(mean[known, c].double().numpy(), self.times)
                found[known[torch.from_numpy(apart)], c] = 0
        return found


def joiner(state: Mapping[str, Tensor], settings: RecipeSettings) -> Joiner:
    """Return the server's fold over prototypes that the settings ask for."""
    if settings.prototype_reject is None:
        return Joiner(state, settings)
    return Rejecting(state, settings, settings.prototype_reject)
