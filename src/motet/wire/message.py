"""A flat mapping of names to tensors as bytes, and back; versioned, without pickle.

Layout, little-endian: ``MOTT``, version (1 byte), number of entries (2); then for each entry the length of its name
(2), the name in UTF-8, the number type (1), bits per number (1; 32 is exact), number of dimensions (1), each dimension
(4), and the numbers. Quantised numbers stand as (lowest, step) in float32 for each row, then the packed codes. Where
there are many zeros (0 bits per number), a bit for each number says whether it is another, and only those stand.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.errors import MotetError
from motet.wire.codec import EXACT, check_ranges, dequantise, quantise

MAGIC = b"MOTT"
VERSION = 1
HEADER = 7
"""Bytes before the first entry."""
SPARSE = 0
"""In place of the bits per number: zeros are left out."""
MOST_DIMENSIONS = 8
MOST_NUMBERS = 2**48
_REAL = (0, 1)
_TYPES = {torch.float32: 0, torch.float64: 1, torch.int32: 2, torch.int64: 3, torch.uint8: 4, torch.bool: 5}
_BY_CODE = {code: dtype for dtype, code in _TYPES.items()}
_NUMPY = {0: np.float32, 1: np.float64, 2: np.int32, 3: np.int64, 4: np.uint8, 5: np.bool_}


def encode(tensors: Mapping[str, Tensor], bits: int = EXACT, by_row: bool = False, sparse: bool = False) -> bytes:
    """Encode a mapping.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    bits : int
        Bits per floating-point number; 32 keeps every bit. Integers are always exact.
    by_row : bool
        Quantise each vector along the last dimension by itself, else each tensor as a whole.
    sparse : bool
        Leave out zeros of exact numbers, where that is shorter.

    Returns
    -------
    bytes
    """
    parts = [MAGIC, struct.pack("<BH", VERSION, len(tensors))]
    for name, tensor in tensors.items():
        array = tensor.detach().cpu().contiguous().numpy()
        lossy = bits < EXACT and array.dtype.kind == "f" and array.size > 0 and array.ndim > 0
        some = np.flatnonzero(array) if sparse and not lossy else np.zeros(0)
        short = sparse and not lossy and _without_zeros(array.size, len(some), array.itemsize) < array.nbytes
        label = name.encode()
        parts.append(struct.pack("<H", len(label)) + label)
        parts.append(
            struct.pack("<BBB", _TYPES[tensor.dtype], bits if lossy else SPARSE if short else EXACT, array.ndim)
        )
        parts.append(struct.pack(f"<{array.ndim}I", *array.shape))
        if lossy:
            ranges, packed = quantise(array.reshape(-1, array.shape[-1]) if by_row else array.reshape(1, -1), bits)
            parts += [struct.pack("<I", len(ranges)), ranges.tobytes(), packed.tobytes()]
        elif short:
            parts += [np.packbits(array.ravel() != 0).tobytes(), array.ravel()[some].tobytes()]
        else:
            parts.append(array.tobytes())
    return b"".join(parts)


def _without_zeros(size: int, nonzero: Any, itemsize: int) -> Any:
    """Return the bytes of numbers whose zeros are left out."""
    return -(-size // 8) + nonzero * itemsize


def sparse_lengths(name: str, values: Tensor) -> NDArray[np.int64]:
    """Return the bytes that `encode` needs for each client's tensor, (K, ...), where it may leave out zeros."""
    shape, itemsize = tuple(values.shape[1:]), values.dtype.itemsize
    size, nonzero = math.prod(shape), np.asarray(values.reshape(len(values), -1).count_nonzero(1).cpu())
    whole = entry_length(name, shape, values.dtype, EXACT, rows=1)
    return np.asarray(np.minimum(whole, whole - size * itemsize + _without_zeros(size, nonzero, itemsize)))


def entry_length(name: str, shape: tuple[int, ...], dtype: torch.dtype, bits: int, rows: int) -> int:
    """Return the bytes that `encode` needs for a tensor; `rows` have a range each where its numbers are quantised."""
    size = math.prod(shape)
    around = 2 + len(name.encode()) + 3 + 4 * len(shape)
    if bits < EXACT and dtype.is_floating_point and size > 0 and shape:
        return around + 4 + 8 * rows + -(-size * bits // 8)
    return around + size * dtype.itemsize


def decode(message: bytes) -> dict[str, Tensor]:
    """Decode what `encode` made.

    Raises
    ------
    MotetError
        If the bytes are not such a message, or are cut short.
    """
    reader = _Reader(message)
    if reader.take(4) != MAGIC:
        raise MotetError("not a Motet message")
    version, count = reader.unpack("<BH")
    if version != VERSION:
        raise MotetError(f"message version {version} is not known here (this is version {VERSION})")
    tensors: dict[str, Tensor] = {}
    for _ in range(count):
        name, tensor = _entry(reader)
        if name in tensors:
            raise MotetError(f"{name!r} stands twice in a message")
        tensors[name] = tensor
    if reader.place != len(message):
        raise MotetError(f"{len(message) - reader.place} bytes too many at the end of a message")
    return tensors


def _entry(reader: _Reader) -> tuple[str, Tensor]:
    (length,) = reader.unpack("<H")
    name = _text(reader.take(length))
    code, bits, dimensions = reader.unpack("<BBB")
    if code not in _BY_CODE:
        raise MotetError(f"unknown number type {code} in a message")
    if dimensions > MOST_DIMENSIONS:
        raise MotetError(f"{dimensions} dimensions in a message: at most {MOST_DIMENSIONS} make sense")
    shape = reader.unpack(f"<{dimensions}I")
    size = math.prod(shape)
    if math.prod(max(width, 1) for width in shape) > MOST_NUMBERS:
        raise MotetError("a shape in a message is larger than any tensor")
    if bits == EXACT:
        array: NDArray[Any] = np.frombuffer(reader.take(size * np.dtype(_NUMPY[code]).itemsize), dtype=_NUMPY[code])
    elif bits == SPARSE:
        there = np.unpackbits(np.frombuffer(reader.take(-(-size // 8)), dtype=np.uint8), count=size).astype(np.bool_)
        array = np.zeros(size, dtype=_NUMPY[code])
        array[there] = np.frombuffer(reader.take(int(there.sum()) * array.itemsize), dtype=_NUMPY[code])
    else:
        if not 1 <= bits < EXACT or code not in _REAL:
            raise MotetError(f"{bits} bits for numbers of type {code} in a message")
        (rows,) = reader.unpack("<I")
        if rows == 0 or size % rows or size < rows:
            raise MotetError(f"{rows} rows for {size} numbers in a message")
        ranges = np.frombuffer(reader.take(rows * 8), dtype=np.float32).reshape(rows, 2)
        check_ranges(ranges, bits, np.dtype(_NUMPY[code]))
        packed = np.frombuffer(reader.take(-(-size * bits // 8)), dtype=np.uint8)
        array = dequantise(ranges, packed, size // rows, bits)
    return name, torch.from_numpy(array.reshape(shape).astype(_NUMPY[code]))


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise MotetError("a name in a message is no text") from None


class _Reader:
    """Walks through bytes and refuses to walk past the end."""

    def __init__(self, message: bytes) -> None:
        self.message, self.place = message, 0

    def take(self, length: int) -> bytes:
        if self.place + length > len(self.message):
            raise MotetError(f"a message is cut short at byte {len(self.message)}")
        self.place += length
        return self.message[self.place - length : self.place]

    def unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))
