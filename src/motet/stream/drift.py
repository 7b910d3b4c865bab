"""What changes about a stream at given rounds, for whatever arrives from then on: its classes, or a sensor's gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.config import StreamSettings
from motet.data.dataset import Arrays, Dataset
from motet.random import permutation, uniform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

WIDEST = 2.0
"""A change multiplies a gain by up to this, or divides it."""


def changes(settings: StreamSettings, kind: str) -> list[int]:
    """Return the rounds in which a kind of drift happens, ascending."""
    return sorted(set(settings.drift_at)) if settings.drift_kind == kind else []


def favoured(settings: StreamSettings, y: Integers, classes: int, seed: int) -> dict[int, Flags]:
    """Return, for each round in which classes change, which of a client's samples then come before the others.

    They are those of a random half of the classes, rounded up, which is the same for all clients: what people do
    changes everywhere.

    Parameters
    ----------
    y : int64 (n,)
        The classes of the client's samples.
    classes : int
    """
    return {
        at: np.isin(y, permutation(seed, "drift/classes", classes, round=at)[: (classes + 1) // 2])
        for at in changes(settings, "classes")
    }


def measured(dataset: Dataset) -> Flags:
    """Return which modalities have a gain, bool (M,): those whose samples are numbers."""
    return np.array([spec.kind != "tokens" for spec in dataset.modalities.values()])


def scaled(x: Arrays, gain: Floats) -> Arrays:
    """Return samples times the gains of their modalities, (n, M)."""
    pairs = zip(x.items(), gain.T, strict=True)
    return {m: own if (factor == 1).all() else _times(own, factor) for (m, own), factor in pairs}


def _times(x: NDArray[Any], factor: Floats) -> NDArray[Any]:
    return np.asarray(x * factor.astype(x.dtype).reshape((-1,) + (1,) * (x.ndim - 1)))


class Gains:
    """What sensors' gains are: in each change one modality of every client, of those it owns, has another one.

    The factor is drawn log-uniformly from 1 / `WIDEST` to `WIDEST`, and factors of successive changes multiply. It is a
    factor on standardised numbers; a sample keeps the gain with which it was recorded, as it arrived.

    Parameters
    ----------
    at : sequence of int
        Rounds, ascending.
    owned : bool (K, M)
        Which modalities a client has, of those whose samples are numbers.
    seed : int
    """

    def __init__(self, at: Sequence[int], owned: Flags, seed: int) -> None:
        self.at, self.owned, self.seed = list(at), owned, seed

    def of(self, client: int, arrived: Integers) -> Floats:
        """Return the gain of each sample and modality, float64 (n, M), by the rounds in which samples arrived."""
        found = np.ones((len(arrived), self.owned.shape[1]))
        owned = np.flatnonzero(self.owned[client])
        for at in self.at if len(owned) else []:
            which, size = (uniform(self.seed, f"drift/{what}", round=at, client=client) for what in ("which", "gain"))
            m = owned[int(which * len(owned))]
            found[:, m] *= np.where(arrived >= at, WIDEST ** (2 * size - 1), 1)
        return found
