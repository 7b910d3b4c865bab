"""The arrays of an archive that hold one number per sample: class, client, split, time, presence."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from motet.data.archive.npz import Npz
from motet.data.archive.samples import counted
from motet.data.dataset import TEST, TRAIN, Flags
from motet.errors import InputError


def integers(file: Npz, key: str) -> NDArray[np.int64]:
    """Read integers (N,).

    Raises
    ------
    InputError
        If they are of another type, or too large.
    """
    header = file.headers[key]
    if header.dtype.kind not in "iu":
        _fail(file, key, f"must hold integers, not {header.dtype}: convert it with .astype(int)")
    values = file.read(key)
    if values.dtype.kind == "u" and values.max() > np.iinfo(np.int64).max:
        _fail(file, key, f"must hold integers below 2**63, not {values.max()}")
    return values.astype(np.int64)


def labels(file: Npz, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Read `y` (N,), 0 to C-1.

    Raises
    ------
    InputError
        If a label belongs to no class.
    """
    y = integers(file, "y")
    wrong = np.flatnonzero((y < 0) | (y >= len(classes)))
    if len(wrong):
        _fail(
            file,
            "y",
            f"must be 0 to {len(classes) - 1}, as meta names {len(classes)} classes, "
            f"but it has {counted(len(wrong), 'other label')}, the first at sample {wrong[0]} ({y[wrong[0]]})",
        )
    return y


def split(file: Npz) -> NDArray[np.uint8] | None:
    """Read `split` (N,), or None where there is none.

    Raises
    ------
    InputError
        If it holds another number than 0, 1 and 2, or no training or no test sample.
    """
    if "split" not in file.headers:
        return None
    parts = integers(file, "split")
    wrong = np.flatnonzero((parts < 0) | (parts > TEST))
    if len(wrong):
        wanted = "must be 0 (train), 1 (validation) or 2 (test)"
        _fail(file, "split", f"{wanted}, but sample {wrong[0]} has {parts[wrong[0]]}")
    for part, name in ((TRAIN, "train"), (TEST, "test")):
        if not np.any(parts == part):
            mend = "mark some, or leave split out to have a fifth of each class as test"
            _fail(file, "split", f"has no {name} sample ({part}): {mend}")
    return parts.astype(np.uint8)


def seconds(file: Npz) -> NDArray[np.float64]:
    """Read `time` (N,).

    Raises
    ------
    InputError
        If a time is no number.
    """
    header = file.headers["time"]
    if header.dtype.kind not in "fiu":
        _fail(file, "time", f"must hold seconds, not {header.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at below
        time = file.read("time").astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(time))
    if len(wrong):
        _fail(file, "time", f"has {counted(len(wrong), 'NaN or infinite value')}, the first at sample {wrong[0]}")
    return time


def presence(file: Npz, modalities: list[str]) -> dict[str, Flags]:
    """Read `present.<modality>` (N,) of each modality; all true where there is none.

    Raises
    ------
    InputError
        If one is not of truth values, or a sample has no modality at all.
    """
    present = {m: _flags(file, f"present.{m}") for m in modalities}
    empty = np.flatnonzero(~np.any(list(present.values()), axis=0))
    if len(empty):
        keys = ", ".join(f"present.{m}" for m in modalities)
        _fail(file, keys, f"leave {counted(len(empty), 'sample')} without any modality, the first is {empty[0]}")
    return present


def _flags(file: Npz, key: str) -> Flags:
    header = file.headers.get(key)
    if header is None:
        return np.ones(file.headers["y"].shape, dtype=bool)
    if header.dtype.kind != "b":
        _fail(file, key, f"must hold true or false, not {header.dtype}: convert it with .astype(bool)")
    return file.read(key)


def _fail(file: Npz, key: str, text: str) -> NoReturn:
    raise InputError(f"{file.path}: {key} {text}")
