"""What may be wrong with what a client sends."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Fault(StrEnum):
    """Why a client is refused, in a sentence about it; of several faults the first of these counts.

    The sentences hold nothing of what was sent, so that there are only so many of them, whatever is sent.
    """

    UNASKED = "It was not asked to take part in the round."
    TWICE = "It had sent already in the round."
    TOO_LARGE = "Its message has more bytes than any of its kind can have."
    UNREADABLE = "Its message cannot be read."
    NAMES = "Its message holds other names than one of its kind does."
    SHAPES = "Its message holds other shapes or number types than one of its kind does."
    NOT_FINITE = "Its message holds numbers that are not finite."
    COUNTS = "It counts samples as no device can."
    TOO_FAR = "Its message holds numbers beyond the bound on norms."
    MOMENTS = "It tells of moments that no samples have."


FAULTS = list(Fault)
FINE = len(FAULTS)
"""Stands in for the place of a fault where there is none."""

Faults = NDArray[np.int64]
"""The place of each client's fault in `FAULTS`, (K,)."""


def fine(clients: int) -> Faults:
    """Return that nothing is wrong."""
    return np.full(clients, FINE)


def where(flags: NDArray[np.bool_] | Tensor, fault: Fault) -> Faults:
    """Return a fault of those clients that are flagged, (K,)."""
    return np.where(np.asarray(flags), FAULTS.index(fault), FINE)


def first(*faults: Faults) -> Faults:
    """Return the first of each client's faults."""
    return np.asarray(np.minimum.reduce(faults))
