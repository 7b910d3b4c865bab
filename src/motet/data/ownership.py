"""Which modalities a client's device has: all that its samples have, or one alone, for ever.

A device without a sensor records samples that lack it. So who owns what is said by what is present in the dataset, and
what comes after (standardisation, views, quality) has nothing more to know.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import D, but
from motet.data.partition import SMALLEST_SHARE, Partition
from motet.random import permutation


def own(dataset: D, shared_out: Partition, share: float, seed: int) -> tuple[D, Partition]:
    """Leave a share of the clients with one modality each.

    A sample that was recorded without the only modality of its client has nothing to show, and leaves the client's
    share.

    Parameters
    ----------
    dataset : Dataset
        Not changed.
    shared_out : Partition
    share : float
        Of the clients: exactly round(share x K) of them own one modality.
    seed : int

    Returns
    -------
    dataset : Dataset
        The same samples; in those of such a client its modality alone is present.
    shared_out : Partition
        With who owns what, and without the samples that have nothing to show.
    """
    names = list(dataset.modalities)
    held = np.array([[dataset.present[m][samples].sum() for m in names] for samples in shared_out.shares])
    unimodal = {k: names[place] for k, place in deal(held, share, seed).items()}
    present = {m: flags.copy() for m, flags in dataset.present.items()}
    shares = list(shared_out.shares)
    for k, only in unimodal.items():
        for m in names:
            present[m][shares[k]] &= m == only
        shares[k] = shares[k][present[only][shares[k]]]
    dropped = sum(map(len, shared_out.shares)) - sum(map(len, shares))
    return but(dataset, present=present), replace(shared_out, shares=shares, unimodal=unimodal, dropped=dropped)


def deal(held: NDArray[np.int64], share: float, seed: int) -> dict[int, int]:
    """Draw which clients own one modality only, and which.

    Modalities are dealt in turn, in a drawn order; a client is passed over by one that it has not, or in too few
    samples. Those with the least choice are dealt to first, so that owners are spread as evenly as may be.

    Parameters
    ----------
    held : int64 (K, M)
        How many of a client's samples have a modality.
    share : float
    seed : int

    Returns
    -------
    dict of int to int
        The modality of each unimodal client, in client order.
    """
    able = np.flatnonzero(held.any(axis=1))
    drawn = able[permutation(seed, "unimodal", len(able))][: round(share * len(held))]
    turn = permutation(seed, "unimodal/modality", held.shape[1])
    most = held[drawn].max(axis=1, initial=0, keepdims=True)
    enough = held[drawn] >= np.clip(most, 1, SMALLEST_SHARE)
    owners = np.zeros(held.shape[1], dtype=np.int64)
    dealt = {}
    for place in np.argsort(enough.sum(axis=1), kind="stable"):
        choice = turn[enough[place][turn]]
        modality = int(choice[owners[choice].argmin()])
        owners[modality] += 1
        dealt[int(drawn[place])] = modality
    return dict(sorted(dealt.items()))
