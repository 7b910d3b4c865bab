"""What a failing sensor does to its samples: one small function per degradation, catalogued by kind of modality.

Samples arrive standardised (per channel, training mean 0 and deviation 1), so a strength of 1 is one training standard
deviation and the zero that a dropout leaves is the training mean. Degradations that have a size (noise, spikes, drift,
quantise) grow in proportion to the strength; those that have an extent (flatline, dropout, desync, occlusion, unknown)
cover a share ``1 - 2**-strength`` of what they can cover: half at strength 1, seven eighths at 3. A blur's deviation
is `strength` pixels. No draw depends on the strength, so the same generator at two strengths gives two degrees of the
same accident.

A signal is read out over time and an image over its rows; both are seen as (n, channels, steps, width), a signal with
width 1, and a vector's features as channels with a single step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from motet.data.dataset import KINDS, Modality
from motet.errors import InputError

Array = NDArray[Any]
Generator = np.random.Generator
Degradation = Callable[[Modality, Array, float, Generator], Array]

SPIKE_SHARE = 0.05  # of all values
SPIKE_LIMIT = 50.0  # Student's t with 2 degrees of freedom has no variance; no converter reports more than this
GAIN_PER_OFFSET = 0.25  # a sensor's gain wanders less than its offset
BURSTS = 8  # about how many independent stretches a window has


def degradations(kind: str) -> tuple[str, ...]:
    """Return the names of the degradations that make sense for a kind of modality.

    Parameters
    ----------
    kind : {"signal", "image", "tokens", "vector"}

    Raises
    ------
    InputError
        If there is no such kind.
    """
    if kind not in CATALOGUE:
        raise InputError(f"unknown kind of modality {kind!r}: choose one of: {', '.join(KINDS)}")
    return tuple(CATALOGUE[kind])


def degrade(modality: Modality, name: str, x: Array, strength: float, rng: Generator) -> Array:
    """Degrade every sample of a batch, each on its own draws.

    Parameters
    ----------
    modality : Modality
        What `x` holds; its kind decides what `name` means.
    name : str
        One of ``degradations(modality.kind)``.
    x : array (n, *modality.shape)
        Standardised samples (float32) or token ids (int64); not changed.
    strength : float, not negative
        0 changes nothing; for its unit see the module's description.
    rng : numpy.random.Generator
        Same generator state, same result.

    Returns
    -------
    array, new, of the shape and dtype of `x`

    Raises
    ------
    InputError
        If the degradation makes no sense for this kind of modality, or the strength is negative or not finite.
    """
    known = degradations(modality.kind)
    if name not in known:
        raise InputError(
            f"degradation {name!r} makes no sense for {modality.name!r}, a modality of kind {modality.kind!r}: "
            f"choose one of: {', '.join(known)}"
        )
    if not (math.isfinite(strength) and strength >= 0):
        raise InputError(f"the strength of a degradation must be a finite number of at least 0, not {strength}")
    if strength == 0 or x.size == 0:
        return x.copy()
    return CATALOGUE[modality.kind][name](modality, x, strength, rng).astype(x.dtype, copy=False)


def _extent(strength: float) -> float:
    """Share covered by a degradation that has an extent."""
    return float(1 - 2.0**-strength)


def _noise(x: Array, strength: float, rng: Generator) -> Array:
    """White Gaussian noise."""
    noisy: Array = x + np.float32(strength) * rng.standard_normal(x.shape, dtype=np.float32)
    return noisy


def _spikes(x: Array, strength: float, rng: Generator) -> Array:
    """Heavy-tailed impulses (Student's t, 2 degrees of freedom) on a few values."""
    hit = rng.random(x.shape, dtype=np.float32) < SPIKE_SHARE
    size = np.clip(rng.standard_t(2, int(hit.sum())), -SPIKE_LIMIT, SPIKE_LIMIT)
    out = x.copy()
    out[hit] += (strength * size).astype(np.float32)
    return out


def _drift(x: Array, strength: float, rng: Generator) -> Array:
    """Gain and offset that wander over the steps; each starts off its mark, since drift is older than the window."""
    n, channels, steps, _ = x.shape
    start = rng.standard_normal((2, n, channels, 1, 1), dtype=np.float32)
    walk = rng.standard_normal((2, n, channels, steps, 1), dtype=np.float32).cumsum(axis=3) / np.float32(steps**0.5)
    gain, offset = np.float32(strength / 2**0.5) * (start + walk)
    drifted: Array = x * (1 + np.float32(GAIN_PER_OFFSET) * gain) + offset
    return drifted


def _quantise(x: Array, strength: float, rng: Generator) -> Array:
    """Round to multiples of the strength: about three bits at strength 1, three levels at 3."""
    return np.float32(strength) * np.round(x / np.float32(strength))


def _flatline(x: Array, strength: float, rng: Generator) -> Array:
    """Stuck, all channels at once, at the last value before an onset early in the window, to its end."""
    n, _, steps, _ = x.shape
    early = rng.random(n) * 0.25
    stuck = np.floor(_extent(strength) * (1 - early) * steps).astype(np.int64)
    last = np.maximum(steps - 1 - stuck, 0)
    index = np.minimum(np.arange(steps), last[:, None])
    return np.take_along_axis(x, index[:, None, :, None], axis=2)


def _bursts(n: int, steps: int, extent: float, rng: Generator) -> NDArray[np.bool_]:
    """(n, steps), true in a few stretches that together cover a share `extent`; a larger extent contains a smaller."""
    width = max(1, steps // BURSTS)
    noise = rng.standard_normal((n, steps + width)).cumsum(axis=1)
    smooth = noise[:, width:] - noise[:, :-width]
    rank = smooth.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return np.asarray(rank < round(extent * steps))


def _dropout(x: Array, strength: float, rng: Generator) -> Array:
    """Bursts of zeros, all channels at once, as lost packets leave them."""
    n, _, steps, _ = x.shape
    lost = _bursts(n, steps, _extent(strength), rng)
    return np.where(lost[:, None, :, None], np.float32(0), x)


def _desync(x: Array, strength: float, rng: Generator) -> Array:
    """Shifted in time, the window taken as a ring: by up to half of it, ahead or behind."""
    n, _, steps, _ = x.shape
    lag = np.round(_extent(strength) * steps / 2 * (0.5 + 0.5 * rng.random(n))).astype(np.int64)
    lag = np.where(rng.random(n) < 0.5, -lag, lag)
    index = (np.arange(steps) - lag[:, None]) % steps
    return np.take_along_axis(x, index[:, None, :, None], axis=2)


def _blur(x: Array, strength: float, rng: Generator) -> Array:
    """Gaussian blur, `strength` pixels wide."""
    return np.asarray(gaussian_filter(x, (0, 0, strength, strength), mode="nearest"))


def _occlusion(x: Array, strength: float, rng: Generator) -> Array:
    """A rectangle of zeros with the image's proportions somewhere in the image."""
    covered = np.ones((len(x), 1, 1, 1), dtype=bool)
    for axis in (2, 3):
        size = x.shape[axis]
        length = _extent(strength) ** 0.5 * size
        first = rng.random((len(x), 1, 1, 1)) * (size - length)
        centre = np.moveaxis(np.arange(size).reshape(-1, 1, 1, 1) + 0.5, 0, axis)
        covered = covered & (centre >= first) & (centre <= first + length)
    return np.where(covered, np.float32(0), x)


def _vector_dropout(modality: Modality, x: Array, strength: float, rng: Generator) -> Array:
    """Features set to zero, each on its own draw, for features have no order."""
    return np.where(rng.random(x.shape) < _extent(strength), np.float32(0), x)


def _unknown(modality: Modality, x: Array, strength: float, rng: Generator) -> Array:
    """Words replaced by the unknown word, each on its own draw; padding stays."""
    lost = rng.random(x.shape) < _extent(strength)
    return np.where(lost & (x != modality.pad), modality.unknown, x)


def _token_dropout(modality: Modality, x: Array, strength: float, rng: Generator) -> Array:
    """Stretches of words replaced by the unknown word; padding stays."""
    lost = _bursts(len(x), x.shape[1], _extent(strength), rng)
    return np.where(lost & (x != modality.pad), modality.unknown, x)


def _stepwise(change: Callable[[Array, float, Generator], Array]) -> Degradation:
    """Let a function of (n, channels, steps, width) take signals, images and vectors in their own shapes."""

    def degradation(modality: Modality, x: Array, strength: float, rng: Generator) -> Array:
        channels = x.shape[1]
        steps = x.shape[2] if x.ndim > 2 else 1
        return change(x.reshape(len(x), channels, steps, -1), strength, rng).reshape(x.shape)

    return degradation


_EVERYWHERE: dict[str, Degradation] = {
    "noise": _stepwise(_noise),
    "flatline": _stepwise(_flatline),
    "dropout": _stepwise(_dropout),
    "spikes": _stepwise(_spikes),
    "drift": _stepwise(_drift),
    "quantise": _stepwise(_quantise),
    "desync": _stepwise(_desync),
}

CATALOGUE: dict[str, dict[str, Degradation]] = {
    "signal": _EVERYWHERE,
    "image": {**_EVERYWHERE, "blur": _stepwise(_blur), "occlusion": _stepwise(_occlusion)},
    "tokens": {"unknown": _unknown, "dropout": _token_dropout},
    "vector": {"noise": _EVERYWHERE["noise"], "dropout": _vector_dropout, "drift": _EVERYWHERE["drift"]},
}
