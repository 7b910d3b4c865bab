"""What the simulated people do when: bouts of one activity after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.data.wearables.activities import ACTIVITIES
from motet.random import uniform

WINDOWS = 40  # of one session, the piece of a recording that is simulated at once
BOUT = 5.0  # windows that an activity lasts on average

Integers = NDArray[np.int64]


def mixes(seed: int, numbers: Integers) -> NDArray[np.float64]:
    """How much of the time each person spends in each activity.

    Parameters
    ----------
    seed : int
    numbers : int64 (P,)
        Numbers of the people.

    Returns
    -------
    float64 (P, activities)
        Dirichlet(2, ..., 2) shares, which sum to one in each row.
    """
    items = np.arange(2 * len(ACTIVITIES))
    u = uniform(seed, "wearables mix", client=numbers[:, None], item=items[None, :])
    weights = -np.log1p(-u).reshape(len(numbers), 2, -1).sum(axis=1)  # two exponentials make a gamma(2)
    shares: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return shares


def schedule(seed: int, numbers: Integers, sessions: int, first: int = 0) -> tuple[Integers, Integers]:
    """What people do in each window of their sessions; a new bout begins with each session.

    Parameters
    ----------
    seed : int
    numbers : int64 (P,)
        Numbers of the people.
    sessions, first : int
        How many sessions, and the first of them.

    Returns
    -------
    activity : int64 (P, sessions, WINDOWS)
    start : int64 (P, sessions, WINDOWS)
        Window of the session in which the current bout began.
    """
    window = np.arange(WINDOWS)
    session = first + np.arange(sessions)
    u = uniform(
        seed,
        "wearables schedule",
        round=session[None, :, None],
        client=numbers[:, None, None],
        item=window[None, None, :],
    )
    begins = (u < 1.0 / BOUT) | (window == 0)
    # Where a bout begins, u is uniform below 1/BOUT (in a first window below 1); rescaled, it chooses the activity.
    choice = np.where(window == 0, u, u * BOUT)
    activity = np.zeros(u.shape, dtype=np.int64)
    for limit in np.cumsum(mixes(seed, numbers), axis=1).T[:-1]:
        activity += choice >= limit[:, None, None]
    start = np.maximum.accumulate(np.where(begins, window, 0), axis=2)
    return np.take_along_axis(activity, start, axis=2), start
