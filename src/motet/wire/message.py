"""A flat mapping of names to tensors as bytes, and back; versioned, without pickle.

Layout, little-endian: ``MOTT``, version (1 byte), 1 if what follows the header is deflated (1), number of entries (2);
then for each entry the length of its name (2), the name in UTF-8, the number type (1), bits per number (1; 32 is
exact), which numbers are there (1; 0 all, else those that are not zero, by a bit for each number, 1, or by the gaps
between them, 2: their count (4), then seven bits a byte), number of dimensions (1), each dimension (4), and the
numbers. Quantised numbers stand as the number of rows (4), (lowest, step) in float32 for each row, then the codes.
What is deflated has its length (4) before it.

Version 1 had neither the flag nor the way in which zeros are left out: 0 bits per number meant a bit for each.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.errors import MotetError
from motet.wire import positions
from motet.wire.codec import EXACT, check_ranges, dequantise, pack, quantise, unpack
from motet.wire.matrices import BITS, fitting, length, split

MAGIC = b"MOTT"
VERSION = 2
HEADER = 8
"""Bytes before the first entry."""
MOST_DIMENSIONS = 8
MOST_NUMBERS = 2**48
MOST_BYTES = 2**30
"""Of a message, inflated, where whoever reads it sets no other bound."""
_ALL = 0
_REAL = (0, 1)
_TYPES = {torch.float32: 0, torch.float64: 1, torch.int32: 2, torch.int64: 3, torch.uint8: 4, torch.bool: 5}
_BY_CODE = {code: dtype for dtype, code in _TYPES.items()}
_NUMPY = {0: np.float32, 1: np.float64, 2: np.int32, 3: np.int64, 4: np.uint8, 5: np.bool_}


def encode(
    tensors: Mapping[str, Tensor],
    bits: int = EXACT,
    by_row: bool = False,
    sparse: bool = False,
    deflate: bool = False,
    ternary: bool = False,
) -> bytes:
    """Encode a mapping.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    bits : int
        Bits per floating-point number; 32 keeps every bit. Integers are always exact.
    by_row : bool
        Quantise each vector along the last dimension by itself, else each tensor as a whole.
    sparse : bool
        Leave out zeros, where that is shorter; quantised numbers have one range then.
    deflate : bool
        Write frequent bytes with fewer bits, by Huffman's code, where that is shorter.
    ternary : bool
        Write matrices of -s, 0 and s alone with two bits a number, without loss, where that is shorter.

    Returns
    -------
    bytes
    """
    entries = b"".join(_write(name, tensor, bits, by_row, sparse, ternary) for name, tensor in tensors.items())
    short = _deflated(entries) if deflate else entries
    body, deflated = (short, True) if len(short) < len(entries) else (entries, False)
    return MAGIC + struct.pack("<BBH", VERSION, deflated, len(tensors)) + body


def _write(name: str, tensor: Tensor, bits: int, by_row: bool, sparse: bool, ternary: bool) -> bytes:
    tensor = tensor.detach().cpu().contiguous()
    if ternary and bool(fitting(tensor[None])):
        return _start(name, tensor, BITS, _ALL) + _coded(*split(tensor.flatten()), BITS)
    lossy = is_quantised(tensor.shape, tensor.dtype, bits)
    flat = tensor.flatten()
    layout, where = _ALL, b""
    if sparse:
        there = flat != 0
        layout, where = positions.write(there.numpy())
        short = len(where) + _numbers_length(int(there.sum()), flat.dtype, bits if lossy else EXACT)
        if short < _numbers_length(len(flat), flat.dtype, bits if lossy else EXACT):
            flat = flat[there]
        else:
            layout, where = _ALL, b""
    if lossy and len(flat):
        rows = flat.reshape(-1, tensor.shape[-1]) if by_row and layout == _ALL else flat[None]
        numbers = _coded(*quantise(rows, bits), bits)
    elif lossy:
        numbers = struct.pack("<I", 0)
    else:
        numbers = flat.numpy().tobytes()
    return _start(name, tensor, bits if lossy else EXACT, layout) + where + numbers


def _start(name: str, tensor: Tensor, bits: int, layout: int) -> bytes:
    """Write what stands before the numbers of an entry, and before which of them are there."""
    label, dimensions = name.encode(), tensor.dim()
    kind = struct.pack(f"<BBBB{dimensions}I", _TYPES[tensor.dtype], bits, layout, dimensions, *tensor.shape)
    return struct.pack("<H", len(label)) + label + kind


def _coded(ranges: Tensor, codes: Tensor, bits: int) -> bytes:
    return struct.pack("<I", len(ranges)) + ranges.numpy().tobytes() + pack(codes, bits)


def is_quantised(shape: tuple[int, ...], dtype: torch.dtype, bits: int) -> bool:
    """Return whether a tensor's numbers are quantised: not if they are whole, or there is but one without a row."""
    return bits < EXACT and dtype.is_floating_point and len(shape) > 0 and math.prod(shape) > 0


def _deflated(entries: bytes) -> bytes:
    """Deflate by Huffman's code alone: what repeats in updates is bytes, not words, and it is three times as fast."""
    packer = zlib.compressobj(level=6, wbits=-zlib.MAX_WBITS, memLevel=9, strategy=zlib.Z_HUFFMAN_ONLY)
    return struct.pack("<I", len(entries)) + packer.compress(entries) + packer.flush()


def _numbers_length(count: Any, dtype: torch.dtype, bits: int, rows: Any = 1) -> Any:
    """Return the bytes of some numbers, or of several times some."""
    if bits == EXACT:
        return count * dtype.itemsize
    return 4 + 8 * rows * np.minimum(count, 1) - (-count * bits // 8)


def _before(name: str, shape: tuple[int, ...]) -> int:
    """Return the bytes of an entry before its numbers."""
    return 2 + len(name.encode()) + 4 + 4 * len(shape)


def entry_length(name: str, shape: tuple[int, ...], dtype: torch.dtype, bits: int, rows: int) -> int:
    """Return the bytes that `encode` needs for a tensor; `rows` have a range each where its numbers are quantised."""
    lossy = is_quantised(shape, dtype, bits)
    return _before(name, shape) + int(_numbers_length(math.prod(shape), dtype, bits if lossy else EXACT, rows))


def ternary_lengths(name: str, values: Tensor) -> NDArray[np.int64]:
    """Return the bytes that `encode` needs for each client's tensor, (K, ...), where it may be ternary."""
    shape = tuple(values.shape[1:])
    short, whole = length(math.prod(shape)), entry_length(name, shape, values.dtype, EXACT, rows=1)
    return np.where(fitting(values).numpy(), _before(name, shape) + short, whole)


def sparse_lengths(name: str, values: Tensor, bits: int = EXACT) -> tuple[NDArray[np.int64], Tensor]:
    """Return the bytes that `encode` needs for each client's tensor, (K, ...), and which numbers it writes, (K, n)."""
    shape = tuple(values.shape[1:])
    bits = bits if is_quantised(shape, values.dtype, bits) else EXACT
    kept = (values.reshape(len(values), -1) != 0).cpu()
    there = kept.numpy()
    short = positions.lengths(there) + _numbers_length(there.sum(axis=1), values.dtype, bits)
    whole = _numbers_length(there.shape[1], values.dtype, bits)
    kept[torch.from_numpy(np.asarray(short >= whole))] = True
    return np.asarray(_before(name, shape) + np.minimum(short, whole)), kept


def decode(message: bytes, most: int = MOST_BYTES) -> dict[str, Tensor]:
    """Decode what `encode` made.

    Parameters
    ----------
    message : bytes
    most : int
        Bytes that it may inflate to, and that all tensors which are written in fewer may take.

    Raises
    ------
    MotetError
        If the bytes are not such a message, are cut short, or hold more.
    """
    reader = _Reader(message, most)
    if reader.take(4) != MAGIC:
        raise MotetError("not a Motet message")
    (version,) = reader.unpack("<B")
    if version not in (1, VERSION):
        raise MotetError(f"message version {version} is not known here (this is version {VERSION})")
    (deflated,) = reader.unpack("<B") if version > 1 else (0,)
    (count,) = reader.unpack("<H")
    if deflated:
        reader = _Reader(_inflated(reader, most), most)
    tensors: dict[str, Tensor] = {}
    for _ in range(count):
        name, tensor = _read(reader, version)
        if name in tensors:
            raise MotetError(f"{name!r} stands twice in a message")
        tensors[name] = tensor
    if reader.place != len(reader.message):
        raise MotetError(f"{len(reader.message) - reader.place} bytes too many at the end of a message")
    return tensors


def _inflated(reader: _Reader, most: int) -> bytes:
    (length,) = reader.unpack("<I")
    if length > most:
        raise MotetError(f"a message of {length:,} bytes: at most {most:,} make sense here")
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        found = unpacker.decompress(reader.message[reader.place :], length + 1)
    except zlib.error:
        raise MotetError("what is deflated in a message is damaged") from None
    if len(found) != length or not unpacker.eof or unpacker.unused_data:
        raise MotetError("what is deflated in a message does not have the length that it says")
    return found


def _read(reader: _Reader, version: int) -> tuple[str, Tensor]:
    (length,) = reader.unpack("<H")
    name = _text(reader.take(length))
    if version == 1:
        code, bits, dimensions = reader.unpack("<BBB")
        bits, layout = (EXACT, positions.BITMAP) if bits == 0 else (bits, _ALL)
    else:
        code, bits, layout, dimensions = reader.unpack("<BBBB")
    if code not in _BY_CODE:
        raise MotetError(f"unknown number type {code} in a message")
    if dimensions > MOST_DIMENSIONS:
        raise MotetError(f"{dimensions} dimensions in a message: at most {MOST_DIMENSIONS} make sense")
    shape = reader.unpack(f"<{dimensions}I")
    if math.prod(max(width, 1) for width in shape) > MOST_NUMBERS:
        raise MotetError("a shape in a message is larger than any tensor")
    size = math.prod(shape)
    if layout != _ALL or bits != EXACT:
        reader.grow(size, np.dtype(_NUMPY[code]).itemsize)
    there = _places(reader, layout, size)
    numbers = _numbers(reader, code, bits, size if there is None else len(there), version)
    if there is not None:
        every: NDArray[Any] = np.zeros(size, dtype=_NUMPY[code])
        every[there] = numbers
        numbers = every
    return name, torch.from_numpy(numbers.reshape(shape))


def _places(reader: _Reader, layout: int, size: int) -> NDArray[np.int64] | None:
    """Return where the numbers stand that are not zero; None where all are there."""
    if layout == _ALL:
        return None
    if layout == positions.BITMAP:
        return positions.read_bitmap(reader.take(positions.bitmap_length(size)), size)
    if layout != positions.GAPS:
        raise MotetError(f"unknown way {layout} to leave out zeros in a message")
    (count,) = reader.unpack("<I")
    found, reader.place = positions.read_gaps(reader.message, reader.place, count, size)
    return found


def _numbers(reader: _Reader, code: int, bits: int, count: int, version: int) -> NDArray[Any]:
    """Return numbers of a type, (count,), which may be written to."""
    if bits == EXACT and _BY_CODE[code] == torch.bool:
        return np.asarray(
            np.frombuffer(reader.take(count), dtype=np.uint8) != 0
        )  # a byte that is neither would be no flag
    if bits == EXACT:
        return np.frombuffer(reader.take(count * np.dtype(_NUMPY[code]).itemsize), dtype=_NUMPY[code]).copy()
    if not 1 <= bits < EXACT or code not in _REAL:
        raise MotetError(f"{bits} bits for numbers of type {code} in a message")
    (rows,) = reader.unpack("<I")
    if rows == count == 0 and version > 1:
        return np.empty(0, dtype=_NUMPY[code])
    if rows == 0 or count % rows or count < rows:
        raise MotetError(f"{rows} rows for {count} numbers in a message")
    ranges = torch.from_numpy(np.frombuffer(reader.take(rows * 8), dtype=np.float32).reshape(rows, 2).copy())
    check_ranges(ranges, bits, _BY_CODE[code])
    codes = unpack(reader.take(-(-count * bits // 8)), count, bits, highest_first=version == 1)
    return np.asarray(dequantise(ranges, codes.reshape(rows, -1), bits, _BY_CODE[code]).flatten().numpy())


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise MotetError("a name in a message is no text") from None


class _Reader:
    """Walks through bytes and refuses to walk past the end, or to make more of few bytes than it may."""

    def __init__(self, message: bytes, most: int) -> None:
        self.message, self.place, self.most, self.grown = message, 0, most, 0

    def grow(self, numbers: int, width: int) -> None:
        self.grown += numbers * width
        if self.grown > self.most:
            raise MotetError(f"{numbers:,} numbers in a message: more than {self.most:,} bytes make no sense here")

    def take(self, length: int) -> bytes:
        if self.place + length > len(self.message):
            raise MotetError(f"a message is cut short at byte {len(self.message)}")
        self.place += length
        return self.message[self.place - length : self.place]

    def unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))
