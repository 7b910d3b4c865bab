"""A dataset of a device that lacks some of the sensors that others have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from motet.data.dataset import Arrays, Dataset, Indices, Modality
from motet.errors import InputError


class WithAbsent:
    """A dataset with modalities added that none of its samples has (see `Dataset`).

    Parameters
    ----------
    dataset : Dataset
    modalities : mapping of str to Modality
        In the order of all; those that the dataset lacks are absent everywhere.
    """

    def __init__(self, dataset: Dataset, modalities: Mapping[str, Modality]) -> None:
        self.name, self.source, self.terms, self.classes = dataset.name, dataset.source, dataset.terms, dataset.classes
        self.y, self.client, self.split, self.time = dataset.y, dataset.client, dataset.split, dataset.time
        self.modalities = dict(modalities)
        nowhere = np.zeros(len(self.y), dtype=bool)
        self.present = {m: dataset.present.get(m, nowhere) for m in modalities}
        self._dataset = dataset

    def take(self, indices: Indices) -> Arrays:
        """Return the samples at `indices`; padding, or zeros, for what is absent."""
        found = self._dataset.take(indices)
        return {m: found[m] if m in found else _nothing(spec, len(indices)) for m, spec in self.modalities.items()}

    def only(self, names: list[str]) -> Dataset:
        """Return the same samples with the named modalities alone."""
        kept = {m: spec for m, spec in self.modalities.items() if m in names}
        return WithAbsent(self._dataset.only([m for m in names if m in self._dataset.modalities]), kept)


def _nothing(spec: Modality, samples: int) -> np.ndarray:
    if spec.kind == "tokens":
        return np.full((samples, *spec.shape), spec.pad, dtype=np.int64)
    return np.zeros((samples, *spec.shape), dtype=np.float32)


def like(dataset: Dataset, modalities: Mapping[str, Modality], classes: Sequence[str]) -> Dataset:
    """Return a device's dataset with just the modalities that all share, in their order.

    Raises
    ------
    InputError
        If it has other classes, none of the modalities, or one of another shape.
    """
    if tuple(dataset.classes) != tuple(classes):
        raise InputError(
            f"{dataset.name} has the classes {', '.join(dataset.classes)}, and the server's data {', '.join(classes)}: "
            "make an archive with the same ones in the same order"
        )
    common = [m for m in modalities if m in dataset.modalities]
    if not common:
        raise InputError(
            f"{dataset.name} has {', '.join(dataset.modalities)}, and none of the modalities that the server asks for "
            f"({', '.join(modalities)})"
        )
    for m in common:
        own, asked = dataset.modalities[m], modalities[m]
        if (own.kind, own.shape, own.vocabulary) != (asked.kind, asked.shape, asked.vocabulary):
            raise InputError(
                f"{m} of {dataset.name} is {own.kind} of shape {own.shape}, and the server's {asked.kind} of shape "
                f"{asked.shape}: make an archive of the same shape"
            )
        for what in ("pad", "unknown", "rate_hz"):
            if getattr(own, what) != getattr(asked, what):
                raise InputError(
                    f"{m} of {dataset.name} has {what} {getattr(own, what)}, and the server's {getattr(asked, what)}: "
                    "make an archive with the same"
                )
    kept = dataset.only(common)
    return kept if list(kept.modalities) == list(modalities) else WithAbsent(kept, modalities)
