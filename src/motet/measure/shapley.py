"""What each of a few players is worth to what they reach together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST = 8
"""Every subset is asked for, and there are 2^M of them."""


def every_subset(names: Sequence[str]) -> Iterator[frozenset[str]]:
    """Yield all subsets, the empty one first."""
    for size in range(len(names) + 1):
        yield from map(frozenset, combinations(names, size))


def shapley(names: Sequence[str], value: Mapping[frozenset[str], ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Return each player's exact Shapley value (Shapley 1953, doi 10.1515/9781400881970-018).

    phi_i = sum over S not holding i of (v(S + i) - v(S)) / (M binom(M - 1, |S|)): what i adds to those who came before,
    averaged over all orders of coming. The values of all players add up to v(all) - v(none).

    Parameters
    ----------
    names : sequence of str
        The M players.
    value : mapping of subsets of the names to numbers
        What each subset reaches, (); or one number for each of n games, (n,), all played at once.

    Returns
    -------
    dict of name to float64 () or (n,)

    Raises
    ------
    ValueError
        If there are more than 8 players, or a subset has no value.
    """
    if len(names) > MOST:
        raise ValueError(f"exact Shapley values are for {MOST} players at most, not {len(names)}")
    worth = {kept: np.asarray(reached, dtype=np.float64) for kept, reached in value.items()}
    absent = [kept for kept in every_subset(names) if kept not in worth]
    if absent:
        raise ValueError(f"no value for {sorted(absent[0])}")
    return {name: _added(name, names, worth) for name in names}


def _added(name: str, names: Sequence[str], worth: Mapping[frozenset[str], NDArray[np.float64]]) -> NDArray[np.float64]:
    others = [other for other in names if other != name]
    added = [
        (worth[before | {name}] - worth[before]) / (len(names) * comb(len(others), len(before)))
        for before in every_subset(others)
    ]
    return np.asarray(np.sum(added, axis=0))
