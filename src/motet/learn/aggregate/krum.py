"""The update nearest to its neighbours, or the mean of several (Krum, Blanchard et al. 2017, arXiv 1703.02757)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from scipy.spatial.distance import pdist, squareform
from torch import Tensor

from motet.learn.aggregate.kept import Kept, OfAll
from motet.nets.network import State
from motet.values import Count


@dataclass(frozen=True)
class Krum(OfAll):
    """w + delta_k of the client k with the smallest score, for the keys that it holds; other keys stay.

    The score of a client among n is the sum of its n - f - 2 (at least 1) smallest squared distances to the others; of
    equal scores the first client's wins. Clients count alike, whatever their weight.

    The distance of two clients is over the keys that both hold, divided by the share of all coordinates which these are
    (Motet's reading: so clients that lack a modality compare with those that have it); two that share no key are
    infinitely far apart. Time grows with the square of n: 1,000 clients of 50,000 numbers take some ten seconds.

    Parameters
    ----------
    hostile : int, optional
        f, how many clients are assumed to be bad; by default floor((n - 3) / 2), at least 0: the most that Krum bears.
    best : int
        How many are chosen. 1: Krum. More: multi-Krum, their mean, per key over those of them that hold it.
    """

    hostile: Annotated[int, Field(ge=0)] | None = None
    best: Count = 1

    def steps(self, kept: Kept) -> State:
        clients = kept.holders(kept.names)
        scores = _scores(_distances(kept, clients), self.hostile)
        chosen = clients[scores.argsort(stable=True)[: self.best]]
        held = {name: torch.isin(kept.holders([name]), chosen) for name in kept.names}
        return {
            name: torch.cat([piece[own].mean(0) for piece in kept.pieces([name], kept.holders([name]))])
            for name, own in held.items()
            if bool(own.any())
        }


def _distances(kept: Kept, clients: Tensor) -> Tensor:
    """Squared distances as if all coordinates had been compared, (n, n); infinite to oneself."""
    total = torch.zeros(len(clients), len(clients), dtype=torch.float64)
    compared, size = torch.zeros_like(total), 0
    for name in kept.names:
        holders = kept.holders([name])
        place = torch.searchsorted(clients, holders)
        pair = place[:, None], place
        for piece in kept.pieces([name], holders):
            # by differences: products would lose the digits in which near updates differ
            total[pair] += torch.from_numpy(squareform(pdist(piece.numpy(), "sqeuclidean")))
            compared[pair] += piece.shape[1]
            size += piece.shape[1]
    return torch.where(compared > 0, total * size / compared, torch.inf).fill_diagonal_(torch.inf)


def _scores(distances: Tensor, hostile: int | None) -> Tensor:
    """Return each client's score, (n,)."""
    n = len(distances)
    bad = max((n - 3) // 2, 0) if hostile is None else hostile
    return distances.sort(1).values[:, : max(n - bad - 2, 1)].sum(1)
