"""What the server remembers of what it was told: the sum of the declared rounds, or the latest client-rounds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.stream.message import Summary
from motet.stream.moments import Moments, concatenate, join, pack, take, unpack

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Memory = dict[str, NDArray[Any]]

CAPACITY = 120  # client-rounds; more only where one round alone brings more
FADE = 0.5  # per round, of distances measured against a reference that has changed since


class Declared(NamedTuple):
    """All samples of the rounds declared clean.

    Attributes
    ----------
    label : int64 (R,)
        The classes, ascending.
    parts : Moments of R sets
        Views of successive rounds overlap, and a sample counts once for each view that has it.
    distinct : float64 (R,)
        The most samples of a class in any one round, which are sure to be different ones.
    distances : float64 (B,)
        Histogram of distances; earlier rounds, which were measured against an earlier reference, have faded.
    """

    label: Integers
    parts: Moments
    distinct: Floats
    distances: Floats


class Bank(NamedTuple):
    """The latest client-rounds, G of them, with R sets of samples.

    Attributes
    ----------
    label, good, parts
        As in `Summary`, for all client-rounds one after another.
    group : int64 (R,)
        The client-round of each set, 0..G-1, ascending.
    round : int64 (G,)
        When it came.
    distances : int64 (G, B)
    """

    label: Integers
    good: Flags
    parts: Moments
    group: Integers
    round: Integers
    distances: Integers


def deposit(bank: Bank | None, told: Summary, now: int) -> Bank:
    """Add what a round's clients told, in client order; the oldest leave a full bank, but never any of this round's."""
    new = Bank(told.label, told.good, told.parts, told.group, np.full(len(told.distances), now), told.distances)
    if bank is None:
        return new
    gone = min(max(len(bank.round) + len(new.round) - CAPACITY, 0), len(bank.round))
    kept = bank.group >= gone
    return Bank(
        np.concatenate([bank.label[kept], new.label]),
        np.concatenate([bank.good[kept], new.good]),
        concatenate([take(bank.parts, kept), new.parts]),
        np.concatenate([bank.group[kept] - gone, new.group + len(bank.round) - gone]),
        np.concatenate([bank.round[gone:], new.round]),
        np.concatenate([bank.distances[gone:], new.distances]),
    )


def accumulate(declared: Declared | None, told: Summary) -> Declared:
    """Add what the clients of a round told that is declared clean."""
    label, parts, distances = told.label, told.parts, told.distances.sum(axis=0).astype(np.float64)
    labels = np.unique(label)
    now = Declared(labels, *_by_label(labels, label, parts), distances)
    if declared is None:
        return now
    labels = np.union1d(declared.label, labels)
    both, _ = _by_label(labels, np.concatenate([declared.label, label]), concatenate([declared.parts, parts]))
    most = [np.where(labels[:, None] == d.label, d.distinct, 0.0).max(axis=1) for d in (declared, now)]
    return Declared(labels, both, np.maximum(*most), FADE * declared.distances + distances)


def _by_label(labels: Integers, label: Integers, parts: Moments) -> tuple[Moments, Floats]:
    joined = join(parts, (labels[:, None] == label).astype(np.float64))
    return joined, joined.number


def store(kind: str, modality: str, record: Bank | Declared) -> Memory:
    """Lay a record out flat, under names that start with `kind` and the modality.

    A bank's moments are kept as they came, in 4 bytes a number; sums over rounds need 8.
    """
    fields = record._asdict()
    parts: Moments = fields.pop("parts")
    precision = np.float32 if isinstance(record, Bank) else np.float64
    moments = {"number": parts.number, "mean": parts.mean, "scatter": pack(parts.scatter)}
    fields |= {field: value.astype(precision) for field, value in moments.items()}
    return {f"{kind}/{modality}/{field}": value for field, value in fields.items()}


def recall_bank(memory: Memory, modality: str) -> Bank | None:
    """Read back what `store` wrote as a bank; None if there is none."""
    fields = _fields(memory, "bank", modality)
    return None if fields is None else Bank(**fields)


def recall_declared(memory: Memory, modality: str) -> Declared | None:
    """Read back what `store` wrote as declared; None if there is none."""
    fields = _fields(memory, "declared", modality)
    return None if fields is None else Declared(**fields)


def _fields(memory: Memory, kind: str, modality: str) -> dict[str, Any] | None:
    start = f"{kind}/{modality}/"
    fields: dict[str, Any] = {name[len(start) :]: value for name, value in memory.items() if name.startswith(start)}
    if not fields:
        return None
    number, mean, scatter = (fields.pop(field).astype(np.float64) for field in ("number", "mean", "scatter"))
    fields["parts"] = Moments(number, mean, unpack(scatter, mean.shape[1]))
    return fields
