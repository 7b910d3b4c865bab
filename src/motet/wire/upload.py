"""What clients send of one kind as the server sees it: decoded, one row a client, with the length of each message.

A device makes a message, and `received` reads it; which messages make sense, `motet.wire.expected` knows. An engine
that works on many clients at once makes `uploads` instead: the same numbers and lengths, without the bytes in between,
which are made when somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.learn import prototypes as proto
from motet.nets.network import State
from motet.wire.codec import Coding, check_ranges, dequantise, quantise
from motet.wire.fault import Fault
from motet.wire.message import (
    HEADER,
    MOST_BYTES,
    decode,
    encode,
    entry_length,
    is_quantised,
    sparse_lengths,
    ternary_lengths,
)

DENSE = Coding()
Message = Callable[[int], bytes]


class Upload(NamedTuple):
    """One kind of content of K clients.

    Attributes
    ----------
    content : dict of name to Tensor (K, ...)
    held : dict of name to bool (K,)
        Whose message has the name; the content of the others is zero.
    lengths : int64 (K,)
        Bytes of each client's message; 0 where there is none.
    unread : Fault or None
        Why the only client's message holds nothing that can be read.
    message : function of a place to bytes, optional
        Makes a client's message; empty where there is none.
    """

    content: State
    held: dict[str, Tensor]
    lengths: NDArray[np.int64]
    unread: Fault | None = None
    message: Message | None = None

    def of(self, places: NDArray[np.int64]) -> Upload | None:
        """Return what some of the clients send; None where they send nothing."""
        rows = torch.from_numpy(places)
        held = {name: flags[rows] for name, flags in self.held.items()}
        there = [name for name, flags in held.items() if bool(flags.any())]
        content = {name: self.content[name][rows] for name in there}
        lengths, message = self.lengths[places], among(self.message, places)
        return Upload(content, {n: held[n] for n in there}, lengths, message=message) if lengths.any() else None


def among(message: Message | None, places: NDArray[np.int64]) -> Message | None:
    """Return what makes the messages of some of the clients."""
    return None if message is None else lambda place: message(int(places[place]))


def encoded(content: State, coding: Coding) -> bytes:
    """Make one client's message, or the server's."""
    return encode(content, coding.bits, sparse=coding.sparse, deflate=coding.deflate, ternary=coding.ternary)


def received(message: bytes, most: int = MOST_BYTES) -> Upload:
    """Read one client's message, which may inflate to so many bytes."""
    content = decode(message, most)
    held = {name: torch.ones(1, dtype=torch.bool) for name in content}
    rows = {name: value[None] for name, value in content.items()}
    return Upload(rows, held, np.array([len(message)]), message=lambda _: message)


def unread(message: bytes, fault: Fault) -> Upload:
    """Return what is known of a message that cannot be read."""
    return Upload({}, {}, np.array([len(message)]), fault)


def with_all_classes(upload: Upload, classes: int) -> Upload:
    """Return one client's prototypes with a row for every class."""
    sent = {name: value[0] for name, value in upload.content.items()}
    return upload._replace(content={name: value[None] for name, value in proto.unpack(sent, classes).items()})


def uploads(content: State, held: Mapping[str, Tensor], coding: Coding = DENSE) -> Upload:
    """Return what `received` would make of K clients' messages, each tensor quantised as a whole.

    Parameters
    ----------
    content : dict of name to Tensor (K, ...)
    held : mapping of name to bool (K,)
    coding : Coding
    """
    content = {name: value.cpu() for name, value in content.items()}
    flags = {name: own.cpu() for name, own in held.items()}
    clients = len(next(iter(flags.values()), ()))
    lengths, decoded = np.zeros(clients, dtype=np.int64), dict[str, Tensor]()
    for name, value in content.items():
        if coding.ternary:
            entry, decoded[name] = ternary_lengths(name, value), value
        elif coding.sparse:
            entry, kept = sparse_lengths(name, value, coding.bits)
            decoded[name] = through(value, coding.bits, kept)
        else:
            entry = np.asarray(entry_length(name, tuple(value.shape[1:]), value.dtype, coding.bits, rows=1))
            decoded[name] = through(value, coding.bits)
        lengths += np.where(flags[name].numpy(), entry, 0)
    lengths += np.where(lengths > 0, HEADER, 0)

    def message(client: int) -> bytes:
        own = {name: value[client] for name, value in content.items() if flags[name][client]}
        return encoded(own, coding) if own else b""

    if coding.deflate:  # only making a message tells its length
        lengths = np.array([len(message(client)) for client in range(clients)], dtype=np.int64)
    return Upload(decoded, flags, lengths, message=message)


def contributions(summary: Mapping[str, Mapping[str, Tensor]], bits: int) -> Upload:
    """Return what `Expected.received_prototypes` would make of K clients' messages.

    Parameters
    ----------
    summary : mapping
        Per modality, ``mean`` (K, C, d), ``count`` (K, C) and ``variance`` (K,).
    bits : int
        Bits per number; each class is quantised by itself.
    """
    content: State = {}
    held: dict[str, Tensor] = {}
    lengths = np.zeros(len(next(iter(summary["count"].values()))), dtype=np.int64)
    for m, count in summary["count"].items():
        mean, variance = summary["mean"][m], summary["variance"][m]
        seen = count > 0
        values = {f"mean/{m}": mean * seen[..., None], f"count/{m}": count.to(torch.int32), f"variance/{m}": variance}
        flat = values[f"mean/{m}"].flatten(0, 1)
        values[f"mean/{m}"] = through(flat, bits).reshape(mean.shape) * seen[..., None]
        content |= {name: value.cpu() for name, value in values.items()}
        held |= dict.fromkeys(values, seen.any(1).cpu())
        own = [
            entry_length(f"mean/{m}", (classes, mean.shape[2]), mean.dtype, bits, rows=classes)
            for classes in range(seen.shape[1] + 1)
        ]
        fixed = entry_length(f"count/{m}", (seen.shape[1],), torch.int32, bits, rows=1)
        fixed += entry_length(f"variance/{m}", (), variance.dtype, bits, rows=1)
        classes_seen = seen.sum(1).cpu().numpy()
        lengths += np.where(classes_seen > 0, np.array(own)[classes_seen] + fixed, 0)
    lengths += np.where(lengths > 0, HEADER, 0)
    told = {what: {m: value.cpu() for m, value in own.items()} for what, own in summary.items()}

    def message(client: int) -> bytes:
        packed = proto.pack({what: {m: value[client] for m, value in own.items()} for what, own in told.items()})
        return encode(packed, bits, by_row=True) if packed else b""

    return Upload(content, held, lengths, message=message)


def through(values: Tensor, bits: int, kept: Tensor | None = None) -> Tensor:
    """Return what arrives of numbers that are quantised row by row, (R, ...) to the same.

    Parameters
    ----------
    values : Tensor (R, ...)
    bits : int
    kept : bool (R, n), optional
        Which numbers are sent; the others are zeros.
    """
    if not is_quantised(tuple(values.shape[1:]), values.dtype, bits) or len(values) == 0:
        return values
    rows = values.reshape(len(values), -1)
    ranges, codes = quantise(rows, bits, kept)
    check_ranges(ranges, bits, rows.dtype)
    found = dequantise(ranges, codes, bits, rows.dtype)
    return (found if kept is None else found.mul_(kept).add_(0)).reshape(values.shape)  # no negative zero
