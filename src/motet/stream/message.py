"""What clients tell the server about the samples of one modality in one round: moments and a histogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.stream.moments import Moments, concatenate, pack, take, unpack

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Message = dict[str, NDArray[Any]]


class Summary(NamedTuple):
    """The samples of one modality in the round of K clients, R sets of them: those of a class, near or far.

    Attributes
    ----------
    label : int64 (R,)
        Class of each set of samples, -1 for those without one.
    good : bool (R,)
        Whether the set lies near the reference the client had; true where it had none.
    parts : Moments of R sets
        As they are sent, in 4 bytes a number.
    group : int64 (R,)
        The client of each set, 0..K-1, ascending.
    distances : int64 (K, B)
        Histogram of each client's distances to that reference; all 0 where there was none.
    """

    label: Integers
    good: Flags
    parts: Moments
    group: Integers
    distances: Integers

    def of(self, clients: Integers) -> Summary:
        """Return what some of the clients tell, their places ascending."""
        own = np.isin(self.group, clients)
        group = np.searchsorted(clients, self.group[own])
        return Summary(self.label[own], self.good[own], take(self.parts, own), group, self.distances[clients])


def as_sent(parts: Moments) -> Moments:
    """Return what 4 bytes a number leave of moments."""
    return Moments(*(column.astype(np.float32).astype(np.float64) for column in parts))


def write(modality: str, summary: Summary) -> Message:
    """Put one client's summary into arrays fit for sending: half of each symmetric matrix."""
    return {
        f"quality/{modality}/label": summary.label.astype(np.int32),
        f"quality/{modality}/good": summary.good,
        f"quality/{modality}/number": summary.parts.number.astype(np.float32),
        f"quality/{modality}/mean": summary.parts.mean.astype(np.float32),
        f"quality/{modality}/scatter": pack(summary.parts.scatter).astype(np.float32),
        f"quality/{modality}/distances": summary.distances[0].astype(np.int32),
    }


def read(modality: str, message: Mapping[str, NDArray[Any]]) -> Summary | None:
    """Undo `write`; None if the message says nothing about the modality."""
    if f"quality/{modality}/label" not in message:
        return None
    label, good, number, mean, scatter, distances = (
        message[f"quality/{modality}/{field}"] for field in ("label", "good", "number", "mean", "scatter", "distances")
    )
    parts = Moments(number.astype(np.float64), mean.astype(np.float64), unpack(scatter, mean.shape[1]))
    group = np.zeros(len(label), dtype=np.int64)
    return Summary(label.astype(np.int64), good.astype(bool), parts, group, distances.astype(np.int64)[None])


def of_those_who_have_it(summaries: Sequence[Summary]) -> Summary:
    """Put summaries one after another; a client without a sample of the modality does not count among the K."""
    ends = np.cumsum([len(s.distances) for s in summaries])
    clients = np.concatenate([s.group + end - len(s.distances) for s, end in zip(summaries, ends, strict=True)])
    having, group = np.unique(clients, return_inverse=True)
    return Summary(
        np.concatenate([s.label for s in summaries]),
        np.concatenate([s.good for s in summaries]),
        concatenate([s.parts for s in summaries]),
        group,
        np.concatenate([s.distances for s in summaries])[having],
    )
