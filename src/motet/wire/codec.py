"""How a tensor's numbers become bytes and back."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.errors import InputError, MotetError

EXACT = 32
"""Bits at which nothing is lost."""


SHARE = 0.2
"""Of a block's numbers, that ``topk`` sends."""


class Coding(NamedTuple):
    """How a client's update is encoded.

    Attributes
    ----------
    bits : int
        Per number that is sent.
    share : float
        Of each block's numbers that are sent; 1 is all of them.
    memory : bool
        Whether a client keeps what it did not send for the next round.
    """

    bits: int = EXACT
    share: float = 1.0
    memory: bool = False


def parse(upload: str) -> Coding:
    """Read an upload choice: ``dense``, ``q<bits>``, ``topk`` or ``topk+memory``, these with ``:share=S``.

    Raises
    ------
    InputError
        If it is none of them.
    """
    if upload == "dense":
        return Coding()
    match = re.fullmatch(r"q([0-9]{1,2})", upload)
    if match is not None and 1 <= int(match[1]) <= 16:
        return Coding(bits=int(match[1]))
    match = re.fullmatch(r"topk(\+memory)?(?::share=([0-9.]+))?", upload)
    if match is not None:
        share = _share(match[2])
        if share is not None:
            return Coding(share=share, memory=match[1] is not None and share < 1)  # else nothing is left over
    raise InputError(
        f"unknown --upload {upload!r}: use dense, q1 to q16 such as q8, or topk or topk+memory, such as topk:share=0.2 "
        "with a share above 0 and up to 1"
    )


def _share(text: str | None) -> float | None:
    """Read a share; None if it is none."""
    try:
        share = SHARE if text is None else float(text)
    except ValueError:
        return None
    return share if 0 < share <= 1 else None


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
