"""The samples of one modality, between their form on disk and their form in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import Flags, Modality
from motet.errors import InputError

Real = NDArray[np.float32]
Ids = NDArray[np.int64]


def to_memory(path: Path, modality: Modality, values: NDArray[Any], present: Flags) -> Real | Ids:
    """Turn an array as it is stored into what networks see.

    Parameters
    ----------
    path : Path
        The archive, for the errors.
    modality : Modality
    values : array (N, ...)
        With the axes of the archive format: images have their channels last.
    present : bool (N,)
        Where false, the values mean nothing: they are not checked, and become zero (tokens: padding).

    Returns
    -------
    float32 (N, *modality.shape), or int64 for tokens
        Integer images are scaled from 0..255 to 0..1.

    Raises
    ------
    InputError
        If a value is not finite, a token is not in the vocabulary, or an integer image leaves 0..255.
    """
    key = f"{path}: x.{modality.name}"
    if modality.kind == "tokens":
        return _ids(key, modality, values, present)
    real = (
        _pixels(key, values, present)
        if modality.kind == "image" and values.dtype.kind != "f"
        else _real(key, values, present)
    )
    if modality.kind == "image":
        real = np.ascontiguousarray(np.moveaxis(real, -1, 1))
    return real


def to_disk(modality: Modality, values: Real | Ids) -> NDArray[Any]:
    """Turn samples in memory into the smallest array that `to_memory` turns back into equal ones."""
    stored: NDArray[Any] = np.moveaxis(values, 1, -1) if modality.kind == "image" else values
    for smaller in (_as_ids, _as_pixels, _as_half):
        packed = smaller(modality, stored)
        if packed is not None:
            return packed
    return stored


def _as_ids(modality: Modality, values: NDArray[Any]) -> NDArray[Any] | None:
    small = np.min_scalar_type(modality.vocabulary)
    fits = modality.kind == "tokens" and values.size and values.min() >= 0 and values.max() < modality.vocabulary
    return values.astype(small) if fits else None


def _as_pixels(modality: Modality, values: NDArray[Any]) -> NDArray[Any] | None:
    if modality.kind != "image":
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        pixels = np.rint(values * 255).astype(np.uint8)
    return pixels if np.array_equal(_scaled(pixels), values) else None


def _as_half(modality: Modality, values: NDArray[Any]) -> NDArray[Any] | None:
    if modality.kind == "tokens":
        return None
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half if np.array_equal(half, values) else None


def counted(n: int, noun: str) -> str:
    """Write how many there are."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _real(key: str, values: NDArray[Any], present: Flags) -> Real:
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at below
        real = values.astype(np.float32)
    real[~present] = 0
    wrong = np.flatnonzero(~np.isfinite(real))
    if len(wrong):
        first = tuple(int(i) for i in np.unravel_index(wrong[0], real.shape))
        value = values[first]
        what = "too large (for float32)" if np.isfinite(value) else "NaN or infinite"
        raise InputError(
            f"{key} has {counted(len(wrong), f'{what} value')}, the first at index {first} ({value}): "
            "repair them, or mark the samples as not present"
        )
    return real


def _pixels(key: str, values: NDArray[Any], present: Flags) -> Real:
    if values.dtype != np.uint8:
        _check_range(key, values, present, 256, "images of integers must be 0 to 255 (uint8)")
        values = values.astype(np.uint8)
    real = _scaled(values)
    real[~present] = 0
    return real


def _scaled(pixels: NDArray[np.uint8]) -> Real:
    return pixels.astype(np.float32) / np.float32(255)


def _ids(key: str, modality: Modality, values: NDArray[Any], present: Flags) -> Ids:
    _check_range(
        key, values, present, modality.vocabulary, f"ids must be 0 to {modality.vocabulary - 1} (vocabulary in meta)"
    )
    ids = values.astype(np.int64)
    ids[~present] = modality.pad
    return ids


def _check_range(key: str, values: NDArray[Any], present: Flags, end: int, rule: str) -> None:
    outside = (values < 0) | (values >= end)
    outside[~present] = False
    wrong = np.flatnonzero(outside)
    if len(wrong):
        first = tuple(int(i) for i in np.unravel_index(wrong[0], values.shape))
        many = counted(len(wrong), "value")
        raise InputError(f"{key} has {many} out of range, the first at index {first} ({values[first]}): {rule}")
