"""The cells of a column as one array: lists, arrays, pictures and sounds as tables hold them, or None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import Flags
from motet.errors import InputError

_AXES = {"signal": 2, "image": 3, "tokens": 1, "vector": 1}


def stacked(cells: list[Any], about: Mapping[str, Any], where: str) -> tuple[NDArray[Any], Flags]:
    """Join the samples of a modality.

    Parameters
    ----------
    cells : list
        One sample each; None, or a lone NaN, where there is none.
    about : mapping
        What an archive says of the modality: its kind, and the id that tokens are padded with.
    where : str
        Name of the column, for the errors.

    Returns
    -------
    array (N, ...)
        With the axes of the archive format; what is not present is padding, or zeros.
    bool (N,)
        Where a sample is present.

    Raises
    ------
    InputError
        If a cell holds no numbers, none is present, or they are not of one shape.
    """
    kind = str(about.get("kind"))
    present = np.array([not _absent(cell) for cell in cells], dtype=bool)
    samples = [_sample(cell, kind, where) for cell in cells if not _absent(cell)]
    if not samples:
        raise InputError(f"{where} has no value in any sample: leave it out of the modalities")
    pad = about.get("pad", 0) if kind == "tokens" else 0
    if kind == "tokens":
        longest = max(map(len, samples))
        samples = [np.pad(own, (0, longest - len(own)), constant_values=pad) for own in samples]
    shapes = sorted({own.shape for own in samples})
    if len(shapes) > 1:
        raise InputError(
            f"{where} has samples of several shapes, such as {shapes[0]} and {shapes[-1]}: cut or fill them first"
        )
    whole = np.full((len(cells), *shapes[0]), pad, dtype=np.result_type(*{own.dtype for own in samples}))
    whole[present] = samples
    return whole, present


def _absent(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and np.isnan(cell))


def _sample(cell: Any, kind: str, where: str) -> NDArray[Any]:
    """Return a sample with all its axes: an axis of length one may be missing."""
    values = cell["array"] if isinstance(cell, Mapping) and "array" in cell else cell  # a sound, as datasets has it
    try:
        found = np.asarray(values)
    except ValueError:  # rows of unequal lengths
        raise InputError(f"{where} has a sample with rows of unequal lengths: cut or fill them first") from None
    if found.dtype.kind not in "fiu":
        what = "text" if isinstance(cell, str) else str(found.dtype)
        raise InputError(
            f"{where} must hold numbers, not {what}: turn it into numbers first (text: into ids of tokens)"
        )
    if found.ndim == _AXES.get(kind, found.ndim) - 1:
        found = found[..., None] if kind == "image" else found[None]
    return found
