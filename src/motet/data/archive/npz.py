"""A file of arrays (.npz), read without trusting it: nothing is unpickled, and sizes are checked before any is read."""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from motet.errors import InputError, nearest

LIMIT = 8 * 2**30
"""Bytes that the arrays of one file may take; less where the machine has less memory."""

_METHODS = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1032}  # and the most that each can shrink data


@dataclass(frozen=True)
class Header:
    """What a member says that it holds.

    Attributes
    ----------
    key : str
        Name of the array, without ``.npy``.
    shape : tuple of int
    dtype : numpy.dtype
        Never one that holds Python objects.
    """

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def values(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


class Npz:
    """An open file of arrays, whose headers have been checked against the zip directory.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    headers : dict of str to Header

    Raises
    ------
    InputError
        If the file is missing, no zip, damaged, holds anything but plain arrays, or claims an impossible size.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip = _open(path)
        try:
            self._members = self._named(self._zip.infolist())
            self.headers = {key: self._header(key, info) for key, info in self._members.items()}
            check_size(path, sum(h.values * h.dtype.itemsize for h in self.headers.values()))
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Npz:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def read(self, key: str) -> NDArray[Any]:
        """Read one array.

        Raises
        ------
        InputError
            If the member is cut short, does not match its checksum or does not fit in memory.
        """
        try:
            with self._zip.open(self._members[key]) as file:
                return npy.read_array(file, allow_pickle=False)  # and the checksum is compared at the member's end
        except MemoryError:
            raise InputError(
                f"{self.path}: {key} does not fit in this machine's memory: make a smaller archive"
            ) from None
        except Exception as error:  # what zlib, zipfile and numpy raise on damage is not a closed list
            raise self._damaged(key, error) from None

    def _named(self, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            key = info.filename.removesuffix(".npy")
            if key == info.filename or not key.isprintable():
                raise InputError(
                    f"{self.path}: holds {info.filename!r}, which is no array of an archive: write it with numpy.savez"
                )
            if key in members:
                raise InputError(f"{self.path}: holds {key!r} twice: keep one of them")
            if info.flag_bits & 1:
                raise InputError(f"{self.path}: {key} is encrypted: write the archive without a password")
            if info.compress_type not in _METHODS:
                raise InputError(
                    f"{self.path}: {key} is compressed in a way that numpy does not write: use numpy.savez_compressed"
                )
            members[key] = info
        return members

    def _header(self, key: str, info: zipfile.ZipInfo) -> Header:
        """Read a member's header and compare the size that it implies with the size in the zip directory."""
        try:
            with self._zip.open(info) as file:
                shape, dtype = _read_header(file)
                start = file.tell()
        except Exception as error:  # as in `read`
            raise self._damaged(key, error) from None
        if dtype.hasobject:
            raise InputError(
                f"{self.path}: {key} holds Python objects, which are never unpickled: "
                "save it as a plain array of numbers (not dtype=object)"
            )
        if any(n < 0 for n in shape) or dtype.names is not None or dtype.itemsize == 0:
            raise InputError(
                f"{self.path}: {key} is of type {dtype} and shape {shape}: it must be a plain array of numbers"
            )
        expected = start + math.prod(shape) * dtype.itemsize
        if info.file_size != expected:
            raise InputError(
                f"{self.path}: {key} should take {expected:,} bytes by its header, {dtype} {shape}, but the zip "
                f"directory says {info.file_size:,}: the file is damaged or made to mislead"
            )
        if info.file_size > (info.compress_size + 64) * _METHODS[info.compress_type]:
            raise InputError(
                f"{self.path}: {key} claims {info.file_size:,} bytes from {info.compress_size:,} compressed, which "
                "is impossible: the file is damaged or made to mislead"
            )
        return Header(key, shape, dtype)

    def _damaged(self, key: str, error: Exception) -> InputError:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        return InputError(f"{self.path}: {key} cannot be read ({why}): the file is damaged, copy or write it again")


class Held(Npz):
    """Arrays in memory, to be read as if they lay in a file.

    Parameters
    ----------
    name : str
        For the errors, where others have the file's.
    arrays : mapping of str to array
        Of numbers.
    """

    def __init__(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.path, self._arrays = Path(name), arrays
        self.headers = {key: Header(key, array.shape, array.dtype) for key, array in arrays.items()}

    def read(self, key: str) -> NDArray[Any]:
        """Return one array."""
        return self._arrays[key]


def check_size(path: Path, size: int) -> None:
    """Refuse arrays of more than `LIMIT` bytes, or more than the machine's memory.

    Raises
    ------
    InputError
    """
    limit = min(LIMIT, _memory())
    if size > limit:
        raise InputError(
            f"{path}: its arrays would take {size / 2**30:,.1f} GiB of memory, more than the {limit / 2**30:,.1f} GiB "
            "that Motet reads from one file: use fewer or shorter samples"
        )


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return LIMIT


def _open(path: Path) -> zipfile.ZipFile:
    if path.is_dir():
        raise InputError(f"{path}: is a folder: name an archive (.npz), or convert the folder with `motet data make`")
    if not path.is_file():
        near = nearest(path.name, (other.name for other in path.parent.glob("*.npz")))
        hint = f"did you mean {str(path.with_name(near[0]))!r}?" if near else "name an archive (.npz)"
        raise InputError(f"{path}: there is no such file: {hint}")
    try:
        with open(path, "rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): check its permissions") from None
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # a damaged directory can raise anything
        if start.startswith(b"PK"):
            raise InputError(
                f"{path}: is cut short or damaged ({' '.join(str(error).split())[:120]}): copy or write it again"
            ) from None
        raise InputError(f"{path}: is not a zip file, so no archive: write one with numpy.savez_compressed") from None


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"npy version {version}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a damaged header is parsed as Python, and Python has an opinion on it
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    return shape, dtype


def write(path: Path, arrays: Mapping[str, NDArray[Any]], check: Callable[[Path], object]) -> None:
    """Write arrays so that a reader sees the old file or the new, never a part; the bytes are on disk on return.

    Equal arrays give equal bytes.

    Parameters
    ----------
    path : Path
        Final name; missing folders are made.
    arrays : mapping of str to array
    check : function of a path
        Called with the file under a temporary name; what it raises keeps the old file in place.

    Raises
    ------
    InputError
        If the file cannot be written, or `check` refuses it.
    """
    for key, array in arrays.items():
        if array.dtype.hasobject:
            raise InputError(
                f"{path}: {key} holds Python objects, which an archive cannot: make it an array of numbers"
            )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        check(temporary)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}): name a file in a folder that you may write to"
        ) from None
    except InputError as error:
        raise InputError(str(error).replace(str(temporary), str(path))) from None
    finally:
        with suppress(OSError):  # it is gone where all went well
            temporary.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
