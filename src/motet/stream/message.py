"""What a client tells the server about the samples of one modality in one round: moments and a histogram."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.stream.moments import Moments, pack, unpack

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Message = dict[str, NDArray[Any]]


class Summary(NamedTuple):
    """The samples of one modality in one client's round.

    Attributes
    ----------
    label : int64 (R,)
        Class of each set of samples, -1 for those without one.
    good : bool (R,)
        Whether the set lies near the reference the client had; true where it had none.
    parts : Moments of R sets
    distances : int64 (B,)
        Histogram of the samples' distances to that reference; all 0 where there was none.
    """

    label: Integers
    good: Flags
    parts: Moments
    distances: Integers


def write(modality: str, summary: Summary) -> Message:
    """Put a summary into arrays fit for sending: 4 bytes a number, and half of each symmetric matrix."""
    return {
        f"quality/{modality}/label": summary.label.astype(np.int32),
        f"quality/{modality}/good": summary.good,
        f"quality/{modality}/number": summary.parts.number.astype(np.float32),
        f"quality/{modality}/mean": summary.parts.mean.astype(np.float32),
        f"quality/{modality}/scatter": pack(summary.parts.scatter).astype(np.float32),
        f"quality/{modality}/distances": summary.distances.astype(np.int32),
    }


def read(modality: str, message: Message) -> Summary | None:
    """Undo `write`; None if the message says nothing about the modality."""
    if f"quality/{modality}/label" not in message:
        return None
    label, good, number, mean, scatter, distances = (
        message[f"quality/{modality}/{field}"] for field in ("label", "good", "number", "mean", "scatter", "distances")
    )
    parts = Moments(number.astype(np.float64), mean.astype(np.float64), unpack(scatter, mean.shape[1]))
    return Summary(label.astype(np.int64), good.astype(bool), parts, distances.astype(np.int64))
