"""The clients of a run as a server knows them: how much each holds and of which modalities, and nothing of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import Dataset
from motet.data.partition import Partition
from motet.stream.arrivals import Stream

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Population:
    """K clients.

    Attributes
    ----------
    samples, held : int64 (K,)
        Of training in all, and those that lie in the buffer at most.
    owned : bool (K, M)
        Whether any of a client's samples has a modality, in the dataset's order.
    record : dict
        How `result.json` describes them.
    origin : tuple of bytes
        Tells whose samples they are: a checkpoint goes with the same ones alone.
    """

    samples: Integers
    held: Integers
    owned: NDArray[np.bool_]
    record: dict[str, Any]
    origin: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.samples)


def population_of(dataset: Dataset, shared_out: Partition, streams: list[Stream]) -> Population:
    """Return the clients among whom a dataset is shared out."""
    parts = (dataset.y, *shared_out.shares)
    return Population(
        samples=np.array([len(share) for share in shared_out.shares]),
        held=np.array([stream.size for stream in streams]),
        owned=ownership(dataset, streams),
        record=shared_out.report(dataset),
        origin=tuple(np.asarray(part, dtype=np.int64).tobytes() for part in parts),
    )


def ownership(dataset: Dataset, streams: list[Stream]) -> NDArray[np.bool_]:
    """Return whether any sample of a client has a modality, bool (K, M)."""
    return np.array([[there[stream.share].any() for there in dataset.present.values()] for stream in streams])
