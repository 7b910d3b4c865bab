"""Counter-based random numbers: a draw is a pure function of (seed, purpose, round, client, item).

Nothing here keeps state, so any draw can be made again, for all clients at once or for one alone, in any order and on
any machine. The generator is Philox-4x64-10 (Salmon et al., SC 2011), the one that numpy ships.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MULTIPLIER_0 = np.uint64(0xD2E7470EE14C6C93)
_MULTIPLIER_1 = np.uint64(0xCA5A826395121157)
_WEYL_0 = np.uint64(0x9E3779B97F4A7C15)
_WEYL_1 = np.uint64(0xBB67AE8584CAA73B)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def _multiply(a: np.uint64, b: Words) -> tuple[Words, Words]:
    """Return the high and the low 64 bits of the 128-bit product, by halves."""
    a_low, a_high = a & _LOW, a >> _HALF
    b_low, b_high = b & _LOW, b >> _HALF
    low = a_low * b_low
    middle = a_high * b_low + (low >> _HALF)
    cross = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _HALF) + (cross >> _HALF), a * b


def philox(key: tuple[int, int], counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]) -> tuple[Words, ...]:
    """Philox-4x64-10: four random 64-bit words for each counter.

    Parameters
    ----------
    key : (int, int)
        Two 64-bit words.
    counter : four array_like of uint64
        The words of the counter, broadcast against each other.

    Returns
    -------
    tuple of four uint64 arrays, each of the broadcast shape
    """
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.asarray(c).astype(np.uint64) for c in counter))
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is the algorithm
        for _ in range(10):
            high_0, low_0 = _multiply(_MULTIPLIER_0, c0)
            high_1, low_1 = _multiply(_MULTIPLIER_1, c2)
            c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
            k0, k1 = k0 + _WEYL_0, k1 + _WEYL_1
    return c0, c1, c2, c3


def _key(seed: int, purpose: str) -> tuple[int, int]:
    digest = hashlib.blake2b(purpose.encode(), digest_size=8).digest()
    return seed % 2**64, int.from_bytes(digest, "little")


def uniform(seed: int, purpose: str, *, round: ArrayLike = 0, client: ArrayLike = 0, item: ArrayLike = 0) -> Floats:  # noqa: A002
    """One number in [0, 1) for each (round, client, item), broadcast against each other.

    Parameters
    ----------
    seed : int
        The seed of the run.
    purpose : str
        What the draw is for; different purposes are independent.
    round, client, item : array_like of non-negative int
        Where the draw belongs.

    Returns
    -------
    float64 array of the broadcast shape
    """
    words = philox(_key(seed, purpose), (0, round, client, item))[0]
    return np.asarray((words >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def permutation(seed: int, purpose: str, n: int, *, round: int = 0, client: int = 0) -> Integers:  # noqa: A002
    """A random order of ``0..n-1``."""
    return np.argsort(uniform(seed, purpose, round=round, client=client, item=np.arange(n)), kind="stable")


def permutations(
    seed: int,
    purpose: str,
    sizes: Sequence[int],
    clients: Sequence[int],
    *,
    round: int = 0,  # noqa: A002
) -> list[Integers]:
    """The `permutation` of each client, ``0..size-1``, drawn for all of them at once."""
    places = np.asarray(clients, dtype=np.uint64)[:, None]
    draws = uniform(seed, purpose, round=round, client=places, item=np.arange(max(sizes, default=0)))
    return [np.argsort(row[:n], kind="stable") for row, n in zip(draws, sizes, strict=True)]


def generator(seed: int, purpose: str, *, round: int = 0, client: int = 0, item: int = 0) -> np.random.Generator:  # noqa: A002
    """A numpy generator that starts at (round, client, item), for draws in bulk.

    Its first block is the one after `uniform`'s, so the two never give the same words.
    """
    counter = np.array([0, round, client, item], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=np.array(_key(seed, purpose), dtype=np.uint64), counter=counter))
