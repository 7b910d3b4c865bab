"""A dataset: samples of several modalities, each with a class, a split and, where known, a client and a time."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from motet.errors import InputError, unknown

Kind = Literal["signal", "image", "tokens", "vector"]
KINDS: tuple[str, ...] = get_args(Kind)
TRAIN, VALIDATION, TEST = 0, 1, 2

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Samples = NDArray[np.float32] | NDArray[np.int64]
Arrays = dict[str, Samples]


@dataclass(frozen=True)
class Modality:
    """What one modality's samples look like.

    Attributes
    ----------
    name : str
    kind : {"signal", "image", "tokens", "vector"}
    shape : tuple of int
        Shape of one sample as networks see it: signal (channels, time), image (channels, height, width),
        tokens (length,), vector (features,).
    rate_hz : float, optional
        Samples per second of a signal.
    unit : str, optional
    vocabulary, pad, unknown : int
        For tokens: number of ids, and the ids that stand for padding and for a word that is not in the vocabulary.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    rate_hz: float | None = None
    unit: str | None = None
    vocabulary: int = 0
    pad: int = 0
    unknown: int = 1


class Dataset(Protocol):
    """What the rest of Motet asks of data; `ArrayDataset` and the simulator both offer it.

    Attributes
    ----------
    name : str
    modalities : dict of str to Modality
        In a fixed order, which is the order of all per-modality computations.
    classes : tuple of str
    y : int64 (N,)
    client : int64 (N,) or None
        The device or person a sample came from.
    split : uint8 (N,)
        0 train, 1 validation, 2 test.
    time : float64 (N,) or None
        Seconds.
    present : dict of str to bool (N,)
        False where a modality was not recorded.
    source, terms : str
    """

    name: str
    modalities: dict[str, Modality]
    classes: tuple[str, ...]
    y: NDArray[np.int64]
    client: NDArray[np.int64] | None
    split: NDArray[np.uint8]
    time: NDArray[np.float64] | None
    present: dict[str, Flags]
    source: str
    terms: str

    def take(self, indices: Indices) -> Arrays:
        """Return the samples at `indices`: float32 (n, *shape) for each modality, int64 for tokens."""
        ...

    def only(self, names: list[str]) -> Dataset:
        """Return the same samples with the named modalities alone."""
        ...


@dataclass
class ArrayDataset:
    """A dataset whose samples lie in memory (see `Dataset` for the attributes).

    Attributes
    ----------
    x : dict of str to array (N, *shape)
        float32, channels first; int64 for tokens.
    """

    name: str
    modalities: dict[str, Modality]
    classes: tuple[str, ...]
    y: NDArray[np.int64]
    split: NDArray[np.uint8]
    x: Arrays
    client: NDArray[np.int64] | None = None
    time: NDArray[np.float64] | None = None
    present: dict[str, Flags] = field(default_factory=dict)
    source: str = ""
    terms: str = ""

    def __post_init__(self) -> None:
        everywhere = np.ones(len(self.y), dtype=bool)
        self.present = {m: self.present.get(m, everywhere) for m in self.modalities}

    def take(self, indices: Indices) -> Arrays:
        """Return the samples at `indices` (see `Dataset.take`)."""
        return {m: self.x[m][indices] for m in self.modalities}

    def only(self, names: list[str]) -> ArrayDataset:
        """Return the same samples with the named modalities alone (see `select`)."""
        kept = select(self.modalities, names, self.name)
        return replace(
            self,
            modalities=kept,
            x={m: self.x[m] for m in kept},
            present={m: self.present[m] for m in kept},
        )


D = TypeVar("D", bound=Dataset | ArrayDataset)


def but(dataset: D, **changes: Any) -> D:
    """Return a copy of a dataset with some attributes changed."""
    changed = copy(dataset)
    for name, value in changes.items():
        object.__setattr__(changed, name, value)  # a copy of a frozen dataclass is still frozen
    return changed


def select(modalities: dict[str, Modality], names: list[str], dataset: str) -> dict[str, Modality]:
    """Keep the named modalities, in the dataset's own order.

    Raises
    ------
    InputError
        If a name is unknown or none is left.
    """
    for name in names:
        if name not in modalities:
            raise unknown(f"modality of {dataset}", name, modalities)
    if not names:
        raise InputError(f"no modality of {dataset} is chosen: name at least one of {', '.join(modalities)}")
    return {m: spec for m, spec in modalities.items() if m in names}
