"""Which of a tensor's numbers are not zero, as bytes: a bit for each number, or the gaps between those that are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.errors import MotetError

BITMAP, GAPS = 1, 2
_SEVEN = 7
_MOST_BYTES = 7
"""Of a gap; 49 bits are more than any tensor has numbers."""


def write(there: NDArray[np.bool_]) -> tuple[int, bytes]:
    """Write flags (n,) in the shorter of the two ways; return which, and the bytes."""
    places = np.flatnonzero(there)
    gaps = np.diff(places, prepend=-1) - 1
    if _gaps_length(gaps) < bitmap_length(len(there)):
        return GAPS, np.uint32(len(gaps)).tobytes() + _write_gaps(gaps)
    return BITMAP, np.packbits(there).tobytes()


def bitmap_length(size: int) -> int:
    """Return the bytes of a bit for each number."""
    return -(-size // 8)


def lengths(there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many bytes `write` makes of each row of flags (K, n)."""
    found = np.full(len(there), bitmap_length(there.shape[1]), dtype=np.int64)
    counts = there.sum(axis=1)
    for row in np.flatnonzero(4 + counts < found):  # a gap takes a byte at least
        found[row] = min(found[row], _gaps_length(np.diff(np.flatnonzero(there[row]), prepend=-1) - 1))
    return found


def _gaps_length(gaps: NDArray[np.int64]) -> int:
    return 4 + int(_bytes_of(gaps).sum())


def _bytes_of(gaps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many bytes each gap takes: seven bits go into one."""
    found = np.ones(len(gaps), dtype=np.int64)
    for more in range(1, _MOST_BYTES):
        if not (larger := gaps >= 1 << (_SEVEN * more)).any():
            break
        found += larger
    return found


def _write_gaps(gaps: NDArray[np.int64]) -> bytes:
    """Write seven bits a byte, the lowest first; the highest bit says that more follow."""
    sizes = _bytes_of(gaps)
    starts = np.cumsum(sizes) - sizes
    out = np.empty(int(sizes.sum()), dtype=np.uint8)
    for place in range(int(sizes.max(initial=0))):
        some = sizes > place
        follows = np.where(sizes[some] > place + 1, 128, 0)
        out[starts[some] + place] = (gaps[some] >> (_SEVEN * place) & 127) | follows
    return out.tobytes()


def read_bitmap(data: bytes, size: int) -> NDArray[np.int64]:
    """Return the places whose bit is set."""
    return np.flatnonzero(np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=size))


def read_gaps(message: bytes, start: int, count: int, size: int) -> tuple[NDArray[np.int64], int]:
    """Read gaps from a place of a message.

    Returns
    -------
    places : int64 (count,)
    end : int
        Where the gaps end.

    Raises
    ------
    MotetError
        If they are cut short, or leave the tensor.
    """
    if count == 0:
        return np.empty(0, dtype=np.int64), start
    window = np.frombuffer(message[start : start + count * _MOST_BYTES], dtype=np.uint8)
    last = np.flatnonzero(window < 128)[:count]
    if len(last) < count:
        raise MotetError("gaps in a message are cut short")
    window = window[: last[-1] + 1]
    owner = np.searchsorted(last, np.arange(len(window)))
    begins = np.concatenate([[0], last[:-1] + 1])
    place = np.arange(len(window)) - begins[owner]
    if place.max() >= _MOST_BYTES:
        raise MotetError("a gap in a message is larger than any tensor")
    values = np.zeros(count, dtype=np.int64)
    np.add.at(values, owner, (window.astype(np.int64) & 127) << (_SEVEN * place))
    if float(values.sum(dtype=np.float64)) + count > size:
        raise MotetError("gaps in a message lead out of its tensor")
    return np.cumsum(values + 1) - 1, start + len(window)
