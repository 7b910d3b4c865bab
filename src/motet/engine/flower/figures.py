"""An account as JSON values, and back; what comes over a network is looked at before it is believed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.engine.account import Account
from motet.errors import MotetError
from motet.measure.flags import BINS

REAL = ("loss", "hits", "online_loss")
COUNTS = ("samples", "labelled", "arrivals", "trained", "buffer_bytes", "private_bytes")
BY_MODALITY = {"present": np.int64, "flagged": np.int64, "missing": np.float64, "degraded": np.float64}
MOST = 2**53
"""Counts beyond which no device comes."""


def write(account: Account) -> dict[str, Any]:
    """Return an account as JSON values."""
    found = {field.name: getattr(account, field.name) for field in fields(account)}
    return {
        name: {m: own.tolist() for m, own in value.items()} if isinstance(value, dict) else value.tolist()
        for name, value in found.items()
    }


def read(found: Any, clients: int, modalities: Sequence[str]) -> Account:
    """Undo `write`.

    Parameters
    ----------
    found
        Whatever came.
    clients : int
        K, whose account it should be.
    modalities : sequence of str

    Raises
    ------
    MotetError
        If it is none of so many clients.
    """
    try:
        by_name: dict[str, Any] = {name: _numbers(found[name], np.float64, clients) for name in REAL}
        by_name |= {name: _counts(found[name], clients) for name in COUNTS}
        for name, dtype in BY_MODALITY.items():
            by_name[name] = {m: _numbers(own, dtype, clients) for m, own in _known(found[name], modalities)}
        by_name["scores"] = {m: _scores(own, clients) for m, own in _known(found["scores"], modalities)}
    except (KeyError, TypeError, ValueError, OverflowError):
        raise MotetError("what it tells for the record makes no sense") from None
    return Account(**by_name)


def joined(every: Sequence[Account], modalities: Sequence[str]) -> Account:
    """Put accounts one after another."""
    sizes = [len(own.samples) for own in every]

    def over(name: str, m: str) -> NDArray[Any]:
        return np.concatenate(
            [getattr(own, name).get(m, np.zeros(size)) for own, size in zip(every, sizes, strict=True)]
        )

    by_name: dict[str, Any] = {name: np.concatenate([getattr(own, name) for own in every]) for name in REAL + COUNTS}
    for name, dtype in BY_MODALITY.items():
        there = [m for m in modalities if any(m in getattr(own, name) for own in every)]
        by_name[name] = {m: over(name, m).astype(dtype) for m in there}
    by_name["scores"] = {
        m: np.concatenate(
            [own.scores[m] + [low, 0, 0, 0] for own, low in zip(every, np.cumsum(sizes) - sizes, strict=True)]
        )
        for m in modalities
    }
    return Account(**by_name)


def _known(found: Mapping[str, Any], modalities: Sequence[str]) -> Iterable[tuple[str, Any]]:
    if not set(found) <= set(modalities):
        raise ValueError
    return [(m, found[m]) for m in modalities if m in found]


def _numbers(found: Any, dtype: Any, clients: int) -> NDArray[Any]:
    array = np.asarray(found, dtype=dtype)
    if array.shape != (clients,) or not np.isfinite(array).all() or (array < 0).any() or (array > MOST).any():
        raise ValueError
    return array


def _counts(found: Any, clients: int) -> NDArray[Any]:
    if not all(isinstance(value, int) for value in found):
        raise ValueError
    return _numbers(found, np.int64, clients)


def _scores(found: Any, clients: int) -> NDArray[np.int64]:
    array = np.asarray(found, dtype=np.int64).reshape(-1, 4)
    if (array < 0).any() or (array >= [clients, 2, BINS + 1, MOST]).any():
        raise ValueError
    return array
