"""How a tensor's numbers become bytes and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.errors import InputError, MotetError, nearest
from motet.values import UPLOADS

EXACT = 32
"""Bits at which nothing is lost."""
SHARE = 0.2
"""Of a block's numbers, that ``topk`` sends."""
_MOST_BITS = 16
"""Of an update's numbers; float32 counts so far with room to spare."""
_SPELLING = re.compile(
    r"(?:dense|(?P<ternary>ternary)|q(?P<all>[0-9]{1,2})|topk(?P<memory>\+memory)?(?:\+q(?P<kept>[0-9]{1,2}))?)"
    r"(?P<deflate>\+deflate)?(?::share=(?P<share>[0-9.]+)|(?(ternary):gradient=(?P<gradient>positive|exact)))?",
    re.ASCII,
)

Formula = Callable[[Tensor, Tensor], Tensor]


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
    deflate : bool
        Whether what is common takes fewer bits than what is rare (Huffman's code).
    gradient : {"positive", "exact"}, optional
        Of the scales of ternary weights (`motet.learn.ternary`); None where weights are not ternary.
    """

    bits: int = EXACT
    share: float = 1.0
    memory: bool = False
    deflate: bool = False
    gradient: str | None = None

    @property
    def ternary(self) -> bool:
        """Whether weights are ternary, and sent as they are."""
        return self.gradient is not None

    @property
    def sparse(self) -> bool:
        """Whether zeros are left out."""
        return self.share < 1


def parse(upload: str) -> Coding:
    """Read an upload choice: ``dense``, ``q<bits>``, ``topk``, ``ternary``, or steps in a chain.

    Such as ``topk+memory+q8+deflate:share=0.1`` and ``ternary+deflate:gradient=exact``.

    Raises
    ------
    InputError
        If it is none of them.
    """
    match = _SPELLING.fullmatch(upload)
    if match is not None:
        share = _share(match["share"], SHARE if upload.startswith("topk") else 1.0)
        text = match["all"] or match["kept"]
        bits = EXACT if text is None else int(text)
        if share is not None and (text is None or 1 <= bits <= _MOST_BITS):
            memory = match["memory"] is not None and share < 1  # else nothing is left over
            gradient = match["gradient"] or "positive" if match["ternary"] else None
            return Coding(bits, share, memory, match["deflate"] is not None, gradient)
    near = nearest(upload, UPLOADS)
    raise InputError(
        f"unknown --upload {upload!r}: {f'did you mean {near[0]!r}? ' if near else ''}use dense, q1 to q16 such as q8, "
        "topk or topk+memory, or a chain such as topk+memory+q8+deflate:share=0.1 with a share above 0 and up to 1, "
        "or ternary or ternary+deflate:gradient=exact"
    )


def _share(text: str | None, default: float) -> float | None:
    """Read a share; None if it is none, or if there is nothing to share out."""
    if text is None:
        return default
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 < share <= 1 and default < 1 else None


def quantise(rows: Tensor, bits: int, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Quantise each row uniformly between its minimum and its maximum.

    Numbers of float32 at up to 16 bits are worked on as such, for speed; a row whose range is wider than float32, and
    all others, in float64.

    Parameters
    ----------
    rows : float (R, n)
    bits : int
        1 to 31.
    kept : bool (R, n), optional
        Which numbers count; the others are zeros, and their codes mean nothing.

    Returns
    -------
    ranges : float32 (R, 2)
        Lowest value and step of each row.
    codes : float (R, n)
        Whole numbers from 0 to 2**bits - 1.
    """
    low, high = _ends(rows, kept)
    low, high = low.float(), high.double()
    step = ((high - low.double()) / (2**bits - 1)).float()
    ranges = torch.stack([low, step], dim=1)

    def codes(rows: Tensor, ranges: Tensor) -> Tensor:
        low, step = ranges.to(rows.dtype)[:, :, None].unbind(1)
        return rows.sub(low).div_(torch.where(step > 0, step, 1)).round_().clamp_(0, 2**bits - 1)

    return ranges, _carefully(codes, rows, ranges, bits, rows.dtype)


def _ends(rows: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the lowest and the highest number of each row that counts; zeros where none does."""
    low, high = rows.amin(1), rows.amax(1)
    if kept is None:
        return low, high
    doubtful = torch.nonzero((low >= 0) | (high <= 0))[:, 0]  # an end may be a zero that does not count
    if len(doubtful):
        some, there = rows[doubtful], kept[doubtful]
        low[doubtful] = torch.where(there, some, torch.inf).amin(1)
        high[doubtful] = torch.where(there, some, -torch.inf).amax(1)
        nothing = ~kept.any(1)
        low[nothing], high[nothing] = 0, 0
    return low, high


def dequantise(ranges: Tensor, codes: Tensor, bits: int, dtype: torch.dtype) -> Tensor:
    """Undo `quantise`, to within half a step and float32's rounding; (R, n)."""

    def values(codes: Tensor, ranges: Tensor) -> Tensor:
        low, step = ranges.to(codes.dtype)[:, :, None].unbind(1)
        return codes.mul(step).add_(low)

    return _carefully(values, codes, ranges, bits, dtype).to(dtype)


def _carefully(formula: Formula, rows: Tensor, ranges: Tensor, bits: int, dtype: torch.dtype) -> Tensor:
    """Apply a formula to rows of float32 where that does, else of float64."""
    if dtype == torch.float64 or bits > _MOST_BITS:
        return formula(rows.double(), ranges)
    found = formula(rows.float(), ranges)
    wide = torch.isinf(ranges[:, 1] * (2**bits - 1))
    if bool(wide.any()):
        found = found.double()
        found[wide] = formula(rows[wide].double(), ranges[wide])
    return found


def check_ranges(ranges: Tensor, bits: int, dtype: torch.dtype) -> None:
    """Refuse ranges (R, 2) that no finite numbers of a type have.

    Raises
    ------
    MotetError
    """
    if bool(ranges.isfinite().all()):
        ends = (ranges[:, 0] + ranges[:, 1].double() * (2**bits - 1)).abs()
        if bool((ends <= torch.finfo(dtype).max).all()):
            return
    raise MotetError("a range without end in a message")


def pack(codes: Tensor, bits: int) -> bytes:
    """Write whole numbers with so many bits each, without gaps, the lowest bit first."""
    flat = codes.flatten().numpy()
    if bits in _WHOLE:
        return bytes(flat.astype(_WHOLE[bits]).tobytes())
    flags = (flat.astype(np.uint32)[:, None] >> np.arange(bits, dtype=np.uint32)) & 1
    return bytes(np.packbits(flags.astype(np.uint8), bitorder="little").tobytes())


def unpack(packed: bytes, count: int, bits: int, highest_first: bool = False) -> Tensor:
    """Read what `pack` wrote, float64 (count,); or what was written into bytes from their highest bit on."""
    if bits in _WHOLE and not highest_first:
        codes: NDArray[np.unsignedinteger[Any]] = np.frombuffer(packed, dtype=_WHOLE[bits])
    else:
        order: Literal["big", "little"] = "big" if highest_first else "little"
        flags = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count * bits, bitorder=order)
        codes = (flags.reshape(count, bits).astype(np.uint32) << np.arange(bits, dtype=np.uint32)).sum(axis=1)
    return torch.from_numpy(codes.astype(np.float64))


_WHOLE: dict[int, np.dtype[np.unsignedinteger[Any]]] = {8: np.dtype("<u1"), 16: np.dtype("<u2")}
