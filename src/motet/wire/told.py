"""What clients tell of their samples' quality, as the server sees it, with the length of each client's message.

A device makes a message of its summaries (`encode_summaries`) and the server reads it (`of_one`); an engine that
works on many clients at once makes `told` instead: the same content and lengths, without the bytes in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from motet.stream.assessment import Summaries
from motet.stream.message import Summary, read, write
from motet.wire.codec import EXACT
from motet.wire.fault import Fault
from motet.wire.message import HEADER, encode, entry_length
from motet.wire.upload import Message, Upload, among


class Told(NamedTuple):
    """What K clients tell.

    Attributes
    ----------
    summaries : dict of modality to Summary
    lengths : int64 (K,)
        Bytes of each client's message; 0 where there is none.
    unread : Fault or None
        Why the only client's message tells nothing that can be read.
    message : function of a place to bytes, optional
        Makes a client's message; empty where it tells nothing.
    """

    summaries: Summaries
    lengths: NDArray[np.int64]
    unread: Fault | None = None
    message: Message | None = None

    def of(self, places: NDArray[np.int64]) -> Told:
        """Return what some of the clients tell."""
        left = _among(self.summaries, places)
        return Told(left, self.lengths[places], message=among(self.message, places))


NOTHING = Told({}, np.zeros(1, dtype=np.int64))
"""What one client tells that has nothing to tell."""


def encode_summaries(summaries: Summaries) -> bytes:
    """Return one client's message; empty if it has no sample to tell of."""
    arrays = {name: a for m, own in summaries.items() if len(own.label) for name, a in write(m, own).items()}
    return encode({name: torch.from_numpy(array) for name, array in arrays.items()}) if arrays else b""


def of_one(upload: Upload, modalities: Iterable[str]) -> Told:
    """Return what one client's message tells."""
    arrays = {name: value[0].numpy() for name, value in upload.content.items()}
    found = {m: read(m, arrays) for m in modalities}
    return Told({m: own for m, own in found.items() if own is not None}, upload.lengths, message=upload.message)


def unread(message: bytes, fault: Fault) -> Told:
    """Return what is known of a message that cannot be read."""
    return Told({}, np.array([len(message)]), fault)


def told(summaries: Summaries, clients: int) -> Told:
    """Return what `of_one` would make of K clients' messages."""
    lengths = np.zeros(clients, dtype=np.int64)
    for m, summary in summaries.items():
        sets = np.bincount(summary.group, minlength=clients)
        lengths += np.where(sets > 0, _lengths(m, summary, sets.max(initial=0))[sets], 0)
    return Told(
        summaries,
        lengths + np.where(lengths > 0, HEADER, 0),
        message=lambda client: encode_summaries(_among(summaries, np.array([client]))),
    )


def _among(summaries: Summaries, places: NDArray[np.int64]) -> Summaries:
    """Return what some of the clients have told."""
    found = {m: summary.of(places) for m, summary in summaries.items()}
    return {m: own for m, own in found.items() if len(own.label)}


def _lengths(modality: str, summary: Summary, most: int) -> NDArray[np.int64]:
    """Return the bytes that one client's entries take for a modality in which it has 0, 1, ... sets."""
    length = np.zeros(most + 1, dtype=np.int64)
    for name, array in write(modality, summary).items():
        dtype, own = torch.from_numpy(array).dtype, array.shape[1:]
        shapes = [array.shape if name.endswith("/distances") else (sets, *own) for sets in range(most + 1)]
        length += [entry_length(name, shape, dtype, EXACT, rows=1) for shape in shapes]
    return length
