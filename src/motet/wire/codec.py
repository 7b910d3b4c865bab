"""How a tensor's numbers become bytes and back."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from motet.errors import InputError, MotetError

EXACT = 32
"""Bits at which nothing is lost."""


def parse(upload: str) -> int:
    """Return the bits per number of an upload choice: ``dense`` or ``q<bits>``.

    Raises
    ------
    InputError
        If it is neither.
    """
    if upload == "dense":
        return EXACT
    match = re.fullmatch(r"q([0-9]{1,2})", upload)
    if match is None or not 1 <= int(match[1]) <= 16:
        raise InputError(f"unknown --upload {upload!r}: use dense, or q1 to q16 such as q8")
    return int(match[1])


def quantise(rows: NDArray[np.floating], bits: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Quantise each row uniformly between its minimum and its maximum.

    Parameters
    ----------
    rows : float (n, width)
    bits : int
        1 to 31.

    Returns
    -------
    ranges : float32 (n, 2)
        Lowest value and step of each row.
    packed : uint8
        The codes, `bits` bits each, without gaps.
    """
    exact = rows.astype(np.float64)
    low = exact.min(axis=1).astype(np.float32)
    step = ((exact.max(axis=1) - low) / (2**bits - 1)).astype(np.float32)
    safe = np.where(step > 0, step, 1)[:, None].astype(np.float64)
    codes = np.clip(np.rint((exact - low[:, None]) / safe), 0, 2**bits - 1).astype(np.uint32)
    shifts = np.arange(bits, dtype=np.uint32)
    return np.stack([low, step], axis=1), np.packbits((codes.reshape(-1, 1) >> shifts) & 1)


def check_ranges(ranges: NDArray[np.float32], bits: int, dtype: np.dtype[np.floating]) -> None:
    """Refuse ranges (n, 2) that no finite numbers of a type have.

    Raises
    ------
    MotetError
    """
    if np.isfinite(ranges).all():
        ends = np.abs(ranges[:, 0] + ranges[:, 1].astype(np.float64) * (2**bits - 1))
        if (ends <= np.finfo(dtype).max).all():
            return
    raise MotetError("a range without end in a message")


def dequantise(ranges: NDArray[np.float32], packed: NDArray[np.uint8], width: int, bits: int) -> NDArray[np.float64]:
    """Undo `quantise`, to within half a step; float64 (n, width)."""
    count = len(ranges) * width
    flags = np.unpackbits(packed, count=count * bits).reshape(count, bits).astype(np.uint32)
    codes = (flags << np.arange(bits, dtype=np.uint32)).sum(axis=1).reshape(len(ranges), width)
    low, step = ranges[:, :1].astype(np.float64), ranges[:, 1:].astype(np.float64)
    return np.asarray(low + step * codes)
