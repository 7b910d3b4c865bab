"""Round 0: every client sends sums over its samples, and the server answers with the means and deviations of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from motet.data.dataset import Dataset, Indices, Modality
from motet.data.standardise import Floats, Scale, scale, sums
from motet.errors import MotetError
from motet.wire.message import decode, encode

MEAN = "mean/"


def write_sums(dataset: Dataset, share: Indices) -> bytes:
    """Return what a client sends, whose samples these are."""
    present = {m: flags[share] for m, flags in dataset.present.items()}
    return _encode(sums(dataset.modalities, dataset.take(share), present))


def read_sums(message: bytes, modalities: Mapping[str, Modality]) -> dict[str, Floats]:
    """Read what a client sends.

    Raises
    ------
    MotetError
        If it cannot be read, or no samples have such sums.
    """
    found = {m: value.numpy() for m, value in decode(message).items()}
    for m, value in found.items():
        spec = modalities.get(m)
        if spec is None or spec.kind == "tokens" or value.shape != (3, spec.shape[0]) or value.dtype != np.float64:
            raise MotetError(f"its sums of {m!r} do not fit the data")
        if not np.isfinite(value).all() or (value[[0, 2]] < 0).any():
            raise MotetError(f"its sums of {m!r} are none that samples have")
    return found


def scale_of(every: Iterable[Mapping[str, Floats]]) -> Scale:
    """Return the means and deviations of all clients' samples, from their sums in client order."""
    total: dict[str, Floats] = {}
    for own in every:
        total |= {m: total.get(m, 0) + value for m, value in own.items()}
    return scale(total)


def write_scale(found: Scale) -> bytes:
    """Return what the server answers."""
    return _encode({f"{MEAN}{m}": value for m, value in found.mean.items()} | found.deviation)


def read_scale(message: bytes) -> Scale:
    """Undo `write_scale`."""
    found = {name: value.numpy() for name, value in decode(message).items()}
    mean = {name.removeprefix(MEAN): value for name, value in found.items() if name.startswith(MEAN)}
    return Scale(mean, {m: found[m] for m in mean})


def _encode(arrays: Mapping[str, Floats]) -> bytes:
    return encode({name: torch.from_numpy(value) for name, value in arrays.items()})
