"""Prototypes in which no client shows: sums of clients' vectors, and noised counts to divide them by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from motet.config import RecipeSettings
from motet.learn.privacy import clipped
from motet.learn.prototypes import Joiner
from motet.learn.sample import PerModality
from motet.nets.network import State

SURE = 4.0
"""Deviations of its noise that a count must be above to be divided by: noise alone is above them once in 30,000."""


def vectors(summary: Mapping[str, PerModality]) -> State:
    """Return what clients contribute as vectors whose sum is all that the server needs.

    Parameters
    ----------
    summary : mapping
        Per modality, ``mean`` (K, C, d), ``count`` (K, C) and ``variance`` (K,); see `prototypes.summarise`.

    Returns
    -------
    dict with, per modality m
        ``mean/m`` (K, C, d), zero where a client has no sample of a class; ``seen/m`` (K, C), 1 where it has one;
        ``variance/m`` (K,), zero where it has none at all; ``some/m`` (K,), 1 where it has any.
    """
    found: State = {}
    for m, mean in summary["mean"].items():
        seen = summary["count"][m] > 0
        some = seen.any(1)
        found[f"mean/{m}"] = mean * seen[..., None]
        found[f"seen/{m}"] = seen.to(mean.dtype)
        found[f"variance/{m}"] = summary["variance"][m] * some
        found[f"some/{m}"] = some.to(mean.dtype)
    return found


def vector_shapes(modalities: Sequence[str], classes: int, features: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of one client's `vectors`."""
    own = {"mean": (classes, features), "seen": (classes,), "variance": (), "some": ()}
    return {f"{what}/{m}": shape for m in modalities for what, shape in own.items()}


class PrivateJoiner(Joiner):
    """The server's fold over clients' `vectors`; a class counts as known once its noised count is surely not nothing.

    Parameters
    ----------
    state, settings
        See `Joiner`.
    deviation : float
        Of the noise in each sum; where there is no bound, in each vector.
    bound : float, optional
        Of the norm of a client's vector; without one, vectors were clipped and given their noise where they were made.
    noise : dict of name to Tensor
        Of the sums; empty where it is in the vectors.
    """

    def __init__(
        self, state: Mapping[str, Tensor], settings: RecipeSettings, deviation: float, bound: float | None, noise: State
    ) -> None:
        super().__init__(state, settings)
        self.deviation, self.bound, self.totals, self.senders = deviation, bound, dict(noise), 0

    def add(self, content: Mapping[str, Tensor]) -> None:
        if not content:  # a message may say nothing
            return
        rows = dict(content) if self.bound is None else clipped(dict(content), self.bound)
        self.senders += len(next(iter(rows.values())))
        for name, value in rows.items():
            self.totals[name] = self.totals.get(name, 0) + value.double().sum(0)

    def finish(self) -> State:
        """Return the server's prototypes after this round."""
        least = SURE * self.deviation * (math.sqrt(self.senders) if self.bound is None else 1)
        for name, count in self.totals.items():
            what, _, m = name.partition("/")
            if what == "seen":
                self.sums[m], self.weights[m] = self.totals[f"mean/{m}"], torch.where(count > least, count, 0)
            if what == "some" and float(count) > least:
                self.variances[m] = [(self.totals[f"variance/{m}"] / count).clamp(min=0)[None]]
        return super().finish()

    def _variance(self, m: str) -> State:
        return super()._variance(m) if m in self.variances else {}
