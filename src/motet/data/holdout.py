"""Samples held out of training by a seeded draw: a test split where an archive has none, and validation on demand."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import TEST, TRAIN, VALIDATION, ArrayDataset, D, Dataset, but
from motet.errors import InputError
from motet.random import permutation

_SHARE = 5  # one in so many
_FEWEST_CLIENTS = 2


def split_off_test(y: NDArray[np.int64], seed: int, path: Path) -> NDArray[np.uint8]:
    """Hold out a seeded fifth of each class as test.

    Parameters
    ----------
    y : int64 (N,)
    seed : int
    path : Path
        The archive, for the error.

    Returns
    -------
    uint8 (N,)
        0 train, 2 test.

    Raises
    ------
    InputError
        If no class has two samples, so that none can be spared.
    """
    held = _fifth_per_class(y, np.arange(len(y)), seed, "test split")
    if not len(held):
        raise InputError(f"{path}: no class has two samples, so there is nothing to test on: add samples, or a split")
    split = np.full(len(y), TRAIN, dtype=np.uint8)
    split[held] = TEST
    return split


def hold_out_validation(dataset: D, seed: int) -> D:
    """Hold out part of the training split as validation, where the dataset has none.

    Whole clients (a fifth of the training clients, at least 2) where no client is in both the training and the test
    split, since that is what the test asks; else a fifth of each class. A dataset that has validation samples is
    returned as it is.

    Parameters
    ----------
    dataset : Dataset
        Not changed.
    seed : int

    Returns
    -------
    Dataset
        The same samples with another `split`.

    Raises
    ------
    InputError
        If the training split is too small to spare any sample.
    """
    if np.any(dataset.split == VALIDATION):
        return dataset
    train = np.flatnonzero(dataset.split == TRAIN)
    held = _held_clients(dataset, train, seed)
    if held is None:
        held = _fifth_per_class(dataset.y, train, seed, "validation split")
    if not len(held):
        raise InputError(f"{dataset.name}: no class has two training samples, so none can be held out for validation")
    split = dataset.split.copy()
    split[held] = VALIDATION
    return but(dataset, split=split)


def clients_before(left: int) -> int:
    """Return how many training clients there must be, so that as many are left once whole clients are held out."""
    return next(clients for clients in itertools.count(left) if clients - _held_count(clients) >= left)


def _held_count(clients: int) -> int:
    return max(_FEWEST_CLIENTS, round(clients / _SHARE))


def _held_clients(dataset: Dataset | ArrayDataset, train: NDArray[np.int64], seed: int) -> NDArray[np.int64] | None:
    """Training samples of the clients held out, or None where whole clients are not the right unit."""
    if dataset.client is None:
        return None
    clients = np.unique(dataset.client[train])
    count = _held_count(len(clients))
    if count >= len(clients) or np.isin(clients, dataset.client[dataset.split == TEST]).any():
        return None
    held = clients[permutation(seed, "validation clients", len(clients))[:count]]
    return train[np.isin(dataset.client[train], held)]


def _fifth_per_class(y: NDArray[np.int64], candidates: NDArray[np.int64], seed: int, purpose: str) -> NDArray[np.int64]:
    """A seeded fifth of the candidates of each class; at least one, but never a class's only sample."""
    chosen = [np.empty(0, dtype=np.int64)]
    for label in np.unique(y[candidates]).tolist():
        own = candidates[y[candidates] == label]
        if len(own) > 1:
            count = max(1, round(len(own) / _SHARE))
            chosen.append(own[permutation(seed, purpose, len(own), client=label)[:count]])
    return np.sort(np.concatenate(chosen))
