"""Federated standardisation: clients send sums, the server answers with means and deviations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import Arrays, Dataset, Flags, Indices, Modality
from motet.random import generator

Floats = NDArray[np.float64]
SMALLEST_SHARE = 1e-13
"""Variance over mean square below which a channel is constant but for rounding."""


def sums(modalities: Mapping[str, Modality], x: Arrays, present: Mapping[str, Flags]) -> dict[str, Floats]:
    """Return one client's per-channel count, sum and sum of squares, where a modality is present.

    Returns
    -------
    dict of modality to float64 (3, channels)
        Tokens have none, nor has a modality without a sample.
    """
    message = {}
    for m, spec in modalities.items():
        if spec.kind == "tokens" or not present[m].any():
            continue
        values = np.moveaxis(x[m][present[m]].astype(np.float64), 1, 0).reshape(spec.shape[0], -1)
        count = np.full(spec.shape[0], values.shape[1], dtype=np.float64)
        message[m] = np.stack([count, values.sum(1), np.square(values).sum(1)])
    return message


@dataclass(frozen=True)
class Scale:
    """Per-channel mean and deviation of each modality, float64 (channels,)."""

    mean: dict[str, Floats]
    deviation: dict[str, Floats]

    def __call__(self, x: Arrays) -> Arrays:
        """Standardise samples, float32; tokens pass, and so does a modality that nobody has."""
        return {m: self._one(m, values) if m in self.mean else values for m, values in x.items()}

    def _one(self, m: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
        shape = (1, -1) + (1,) * (values.ndim - 2)
        mean = self.mean[m].astype(np.float32).reshape(shape)
        deviation = self.deviation[m].astype(np.float32).reshape(shape)
        return np.asarray((values.astype(np.float32) - mean) / deviation)


def scale(total: Mapping[str, Floats]) -> Scale:
    """Return mean and deviation from the clients' summed `sums`; a constant channel keeps its size."""
    mean, deviation = {}, {}
    for m, (count, first, second) in total.items():
        count = np.maximum(count, 1)
        mean[m] = first / count
        square = second / count
        variance = square - mean[m] ** 2
        deviation[m] = np.sqrt(np.where(variance > SMALLEST_SHARE * square, variance, 1.0))
    return Scale(mean, deviation)


class Mapped:
    """A dataset whose samples pass through a function on their way (see `Dataset`)."""

    def __init__(self, dataset: Dataset, function: Callable[[Arrays, Indices], Arrays]) -> None:
        self.name, self.source, self.terms = dataset.name, dataset.source, dataset.terms
        self.modalities, self.classes, self.present = dataset.modalities, dataset.classes, dataset.present
        self.y, self.client, self.split, self.time = dataset.y, dataset.client, dataset.split, dataset.time
        self._dataset, self._function = dataset, function

    def take(self, indices: Indices) -> Arrays:
        """Return the samples at `indices`."""
        return self._function(self._dataset.take(indices), indices)

    def only(self, names: list[str]) -> Dataset:
        """Return the same samples with the named modalities alone."""
        return Mapped(self._dataset.only(names), self._function)


def with_noise(dataset: Dataset, levels: Mapping[str, float], seed: int) -> Dataset:
    """Return a standardised dataset with Gaussian noise as part of it: a sample's noise is always the same.

    Parameters
    ----------
    levels : mapping of modality to float
        Deviations of the noise, in deviations of the channel.
    """
    if not levels:
        return dataset

    def noisy(x: Arrays, indices: Indices) -> Arrays:
        changed = dict(x)
        for m, level in levels.items():
            if m not in x:
                continue
            shape = dataset.modalities[m].shape
            draws = [
                generator(seed, f"noise/{m}", item=int(i)).standard_normal(shape, dtype=np.float32) for i in indices
            ]
            if draws:
                changed[m] = np.asarray(x[m] + np.float32(level) * np.stack(draws), dtype=np.float32)
        return changed

    return Mapped(dataset, noisy)
