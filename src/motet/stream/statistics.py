"""A handful of numbers per sample that a broken sensor changes and a healthy one does not (by kind of modality).

Source: Motet's specification of quality assessment. All take standardised samples (per channel, training mean 0 and
deviation 1). Energies enter as logarithms and everything else as a share or a length near 1, so that one floor on the
deviation serves all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import Modality

Array = NDArray[Any]
Floats = NDArray[np.float64]

CHUNK = 2**16  # values at a time: intermediate results stay in cache, ten times as fast for large samples
SILENCE = 1e-4  # variance of a channel that is as good as constant
STILL = 0.05  # a step this small, in units of the window's typical step, is flat

NAMES: dict[str, tuple[str, ...]] = {
    "signal": (
        "log variance",
        "high-frequency share",
        "roughness",
        "flat",
        "repeated",
        "peak",
        "offset",
        "largest offset",
    ),
    "image": ("log variance", "Laplacian energy", "repeated", "saturated", "peak", "offset"),
    "tokens": ("unknown", "length"),
    "vector": ("log median", "log upper decile", "log maximum", "zero", "repeated", "offset"),
}


def statistics(modality: Modality, x: Array) -> Floats:
    """Describe each sample by the statistics of its kind.

    Parameters
    ----------
    modality : Modality
    x : array (n, *modality.shape)
        Standardised samples, or token ids.

    Returns
    -------
    float64 (n, S)
        One column per name in ``NAMES[modality.kind]``: for a signal 8 (means over its channels), an image 6, tokens 2,
        a vector 6.
    """
    if len(x) == 0:
        return np.zeros((0, len(NAMES[modality.kind])))
    describe = _STATISTICS[modality.kind]
    rows = max(1, CHUNK // math.prod(modality.shape))
    parts = [np.stack(describe(modality, x[i : i + rows]), axis=1) for i in range(0, len(x), rows)]
    return np.concatenate(parts).astype(np.float64)


def _signal(modality: Modality, x: Array) -> list[Array]:
    mean = x.mean(axis=2)
    step = np.diff(x, axis=2)
    turn = np.diff(step, axis=2)
    variance = x.var(axis=2)
    step_energy = _energy(step)
    still = STILL * np.sqrt(step_energy)[..., None]
    peak = np.abs(x - mean[..., None]).max(axis=2)
    return [
        np.log(variance + SILENCE).mean(axis=1),
        np.log((step_energy + SILENCE / 10) / (2 * variance + SILENCE)).mean(axis=1),
        np.log((_energy(turn) + SILENCE / 10) / (step_energy + SILENCE / 10)).mean(axis=1),
        _share(np.abs(step) < still),
        _share(step == 0),
        np.log((peak + 0.01) / (np.sqrt(variance) + 0.01)).mean(axis=1),
        np.abs(mean).mean(axis=1),
        np.abs(mean).max(axis=1),
    ]


def _image(modality: Modality, x: Array) -> list[Array]:
    flat = x.reshape(*x.shape[:2], -1)
    mean, variance = flat.mean(axis=2), flat.var(axis=2)
    lowest, highest = flat.min(axis=2), flat.max(axis=2)
    saturated = _share(flat == lowest[..., None]) + _share(flat == highest[..., None])
    return [
        np.log(variance + SILENCE).mean(axis=1),
        np.log((_energy(_laplacian(x)) + SILENCE) / (20 * variance + SILENCE)).mean(axis=1),  # 20 for white noise
        _share(x[:, :, 1:] == x[:, :, :-1]),
        np.minimum(saturated, 1),
        np.log((np.maximum(highest - mean, mean - lowest) + 0.01) / (np.sqrt(variance) + 0.01)).mean(axis=1),
        np.abs(mean).mean(axis=1),
    ]


def _laplacian(x: Array) -> Array:
    """Four times each inner pixel less its neighbours above, below, left and right: (n, channels, pixels)."""
    inner = 4 * x[:, :, 1:-1, 1:-1]
    inner -= x[:, :, :-2, 1:-1]
    inner -= x[:, :, 2:, 1:-1]
    inner -= x[:, :, 1:-1, :-2]
    inner -= x[:, :, 1:-1, 2:]
    return np.asarray(inner.reshape(*x.shape[:2], inner.shape[2] * inner.shape[3]))


def _tokens(modality: Modality, x: Array) -> list[Array]:
    words = x != modality.pad
    length = words.sum(axis=1)
    lost = ((x == modality.unknown) & words).sum(axis=1)
    return [lost / np.maximum(length, 1), length / x.shape[1]]


def _vector(modality: Modality, x: Array) -> list[Array]:
    size = np.abs(x)
    middle, upper, top = np.quantile(size, (0.5, 0.9, 1.0), axis=1)
    return [
        np.log(middle + 0.01),
        np.log(upper + 0.01),
        np.log(top + 0.01),
        _share(x == 0),
        _share(x[:, 1:] == x[:, :-1]),
        x.mean(axis=1),
    ]


def _share(flags: Array) -> Array:
    """Share of each sample's flags that are set; 0 where there is none."""
    return np.asarray(flags.sum(axis=tuple(range(1, flags.ndim))) / max(1, math.prod(flags.shape[1:])))


def _energy(step: Array) -> Array:
    """Mean square of each channel; 0 where there is nothing to take it of."""
    return np.asarray(np.square(step).sum(axis=2) / max(1, step.shape[2]))


_STATISTICS: dict[str, Callable[[Modality, Array], list[Array]]] = {
    "signal": _signal,
    "image": _image,
    "tokens": _tokens,
    "vector": _vector,
}
