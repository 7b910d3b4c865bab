"""SSCA, the aggregation of FedMChain (arXiv 2606.01856): clients that agree in signs are joined first, then the groups.

The formulas are Motet's reading of a paper that gives the idea, after its ancestor TIES-Merging (arXiv 2306.01708).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from motet.learn.aggregate.kept import Kept, OfAll
from motet.nets.network import State

LEAST_OVERLAP = 32
"""Coordinates that two updates must share, or their agreement is taken to be 0."""


@dataclass(frozen=True)
class SSCA(OfAll):
    """Block by block (a modality's encoder and head are one), over the clients k that hold any key of the block.

    T_k is a client's update of the block, zero where it sent nothing, and n_k its weight. Of two clients, the agreement
    is the mean of s_kj s_lj, s = sign T, over the coordinates j where neither is 0; it is 0 where these are fewer than
    32. Clusters: average linkage while the mean agreement is at least tau_a. Inside each cluster updates are merged
    with the weights n_k, then the clusters with the sums of theirs. A merge of V_i with weights w_i elects, for each
    coordinate, the sign of sum_i w_i V_ij, and is the weighted sum of the V_ij of that sign over a denominator; where
    the sum is exactly 0, it is 0. The server steps by the result, with rate 1.

    An election is not continuous: sums are in float64 and in client order, and so are clusters, by their first client.
    Besides the updates, n clients take some matrices of n x n: 8 MB each at 1,000, 800 MB at 10,000.

    Parameters
    ----------
    agreement : float
        tau_a.
    denominator : {"mass", "agree"}
        ``mass``: the weight of all clients that hold the block, so whoever sent nothing of a coordinate counts there.
        ``agree``: the weight of those of the elected sign.
    cap : bool
        Whether a block's step is shortened to the n_k-weighted mean of the lengths |T_k| where it is longer
        (Euclidean: Motet's reading). With ``mass`` it never is.
    """

    agreement: Annotated[float, Field(ge=-1, le=1)] = 0.1
    denominator: Literal["mass", "agree"] = "mass"
    cap: bool = True

    weighs: ClassVar[bool] = True

    def steps(self, kept: Kept) -> State:
        found: State = {}
        for names in kept.blocks.values():
            found |= kept.by_key(names, self._block(kept, names))
        return found

    def _block(self, kept: Kept, names: list[str]) -> Tensor:
        """Return a block's step, its keys one after another."""
        clients = kept.holders(names)
        weights = kept.weights[clients]
        cluster = _clusters(_agreement(kept, names, clients), self.agreement)
        step = torch.cat([self._joined(piece, weights, cluster) for piece in kept.pieces(names, clients)])
        if not self.cap or self.denominator == "mass":
            return step
        longest = weights @ kept.lengths(names, clients) / weights.sum()
        length = step.norm()
        return step * (longest / length) if bool(length > longest) else step

    def _joined(self, values: Tensor, weights: Tensor, cluster: Tensor) -> Tensor:
        """Merge clients to clusters and these to one, (n, c) to (c,)."""
        masses = _sums(weights, cluster)
        return self._merge(self._merge(values, weights, cluster), masses, torch.zeros_like(masses).long())[0]

    def _merge(self, values: Tensor, weights: Tensor, group: Tensor) -> Tensor:
        """Merge the rows of each group by the elected signs, (n, c) to (groups, c)."""
        weighted = weights[:, None] * values
        elected = _sums(weighted, group).sign()
        agreeing = (values.sign() == elected[group]) & (values != 0)
        total = _sums(torch.where(agreeing, weighted, 0), group)
        if self.denominator == "mass":
            return total / _sums(weights, group)[:, None]
        return total / torch.where(elected != 0, _sums(weights[:, None] * agreeing, group), 1)


def _sums(rows: Tensor, group: Tensor) -> Tensor:
    """Sum the rows of each group, row after row."""
    return rows.new_zeros(int(group.max()) + 1, *rows.shape[1:]).index_add_(0, group, rows)


def _agreement(kept: Kept, names: list[str], clients: Tensor) -> Tensor:
    """Return how far each two clients' signs agree, (n, n), from -1 to 1."""
    agreed = torch.zeros(len(clients), len(clients), dtype=torch.float64)
    overlap = torch.zeros_like(agreed)
    for piece in kept.pieces(names, clients):
        sign = piece.sign().float()  # float32 counts exactly, for a piece has fewer than 2^24 numbers
        there = sign.abs()
        agreed += sign @ sign.T
        overlap += there @ there.T
    return torch.where(overlap >= LEAST_OVERLAP, agreed / overlap.clamp(min=1), 0)


def _clusters(agreement: Tensor, least: float) -> Tensor:
    """Return the cluster of each client, int64 (n,), numbered in the order of their first clients."""
    if len(agreement) == 1:
        return torch.zeros(1, dtype=torch.int64)
    tree = linkage(squareform(1 - agreement.numpy(), checks=False), "average")
    labels = fcluster(tree, 1 - least, "distance").tolist()
    order = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    return torch.tensor([order[label] for label in labels])
