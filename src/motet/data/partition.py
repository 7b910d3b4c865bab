"""How the training samples are shared out to clients."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from motet.config import ClientSettings
from motet.data.dataset import TRAIN, Dataset, Indices
from motet.errors import InputError
from motet.random import generator, permutation

SMALLEST_SHARE = 8


@dataclass(frozen=True)
class Partition:
    """The clients' shares.

    Attributes
    ----------
    kind : str
        ``natural``, ``dirichlet`` or ``iid``.
    shares : list of int64 arrays
        Indices into the dataset; they are disjoint.
    merged : int
        Shares under 8 samples that were merged into another.
    unimodal : dict of int to str
        The clients that own one modality only, and which (see `motet.data.ownership`).
    dropped : int
        Samples left out because they lack the only modality of their client.
    """

    kind: str
    shares: list[Indices]
    merged: int
    unimodal: dict[int, str] = field(default_factory=dict)
    dropped: int = 0

    def label_skew(self, dataset: Dataset) -> float:
        """Return the mean distance, 0 to 1, between a client's class mix and that of all (total variation)."""
        classes = len(dataset.classes)
        counts = np.stack([np.bincount(dataset.y[share], minlength=classes) for share in self.shares]).astype(float)
        mix = counts.sum(0) / counts.sum()
        return float(np.abs(counts / counts.sum(1, keepdims=True) - mix).sum(1).mean() / 2)

    def report(self, dataset: Dataset) -> dict[str, object]:
        """Return sizes, label skew and who owns what, as `result.json` records them."""
        sizes = [len(share) for share in self.shares]
        return {
            "partition": self.kind,
            "clients": len(sizes),
            "samples_min": min(sizes),
            "samples_median": float(np.median(sizes)),
            "samples_max": max(sizes),
            "label_skew": round(self.label_skew(dataset), 4),
            "merged": self.merged,
            "owners": self.owners(dataset),
            "unimodal": {str(k): m for k, m in self.unimodal.items()},
            "dropped": self.dropped,
        }

    def owners(self, dataset: Dataset) -> dict[str, int]:
        """Return how many clients have a sample with each modality."""
        return {m: sum(bool(there[k].any()) for k in self.shares) for m, there in dataset.present.items()}


def partition(dataset: Dataset, settings: ClientSettings, seed: int) -> Partition:
    """Share out the training split.

    Parameters
    ----------
    dataset : Dataset
    settings : ClientSettings
        `partition` None: natural where the dataset knows its clients, else dirichlet. `clients` None: all of a natural
        partition, else 10.
    seed : int

    Raises
    ------
    InputError
        If there are more clients than samples or known clients, or data without clients is to be shared out by them.
    """
    train = np.flatnonzero(dataset.split == TRAIN)
    kind = settings.partition or ("natural" if dataset.client is not None else "dirichlet")
    if kind == "natural":
        shares = _natural(dataset, train, settings.clients)
    else:
        clients = settings.clients or 10
        if clients > len(train):
            raise InputError(
                f"--clients {clients} is more than the {len(train)} training samples of {dataset.name}: "
                f"ask for at most {max(1, len(train) // SMALLEST_SHARE)}, so that each has {SMALLEST_SHARE}"
            )
        split = (
            _iid(train, clients, seed) if kind == "iid" else _dirichlet(dataset, train, clients, settings.alpha, seed)
        )
        shares = split
    merged_shares = merge_small(shares)
    return Partition(kind, merged_shares, len(shares) - len(merged_shares))


def _natural(dataset: Dataset, train: Indices, clients: int | None) -> list[Indices]:
    if dataset.client is None:
        raise InputError(
            f"{dataset.name} does not say which client a sample came from: use --partition dirichlet or iid"
        )
    owners = dataset.client[train]
    ids, sizes = np.unique(owners, return_counts=True)
    if clients is not None and clients > len(ids):
        raise InputError(
            f"--clients {clients} is more than the {len(ids)} clients in the training split of {dataset.name}: "
            f"ask for at most {len(ids)}, or use --partition dirichlet or iid"
        )
    by_owner = train[np.argsort(owners, kind="stable")]
    return np.split(by_owner, np.cumsum(sizes)[:-1])[:clients]


def _iid(train: Indices, clients: int, seed: int) -> list[Indices]:
    order = train[permutation(seed, "partition", len(train))]
    return [np.sort(share) for share in np.array_split(order, clients)]


def _dirichlet(dataset: Dataset, train: Indices, clients: int, alpha: float, seed: int) -> list[Indices]:
    """Split each class by proportions drawn from Dirichlet(alpha) (Yurochkin et al. 2019, arXiv 1905.12022)."""
    rng = generator(seed, "partition")
    owner = np.empty(len(train), dtype=np.int64)
    for label in range(len(dataset.classes)):
        members = rng.permutation(np.flatnonzero(dataset.y[train] == label))
        cuts = np.cumsum(rng.dirichlet(np.full(clients, alpha)))[:-1] * len(members)
        owner[members] = np.searchsorted(np.round(cuts), np.arange(len(members)), side="right")
    order = np.argsort(owner, kind="stable")
    return np.split(train[order], np.searchsorted(owner[order], np.arange(1, clients)))


def merge_small(shares: list[Indices]) -> list[Indices]:
    """Merge each share under 8 samples into the smallest other one, the smallest first."""
    shares = list(shares)
    while len(shares) > 1 and min(map(len, shares)) < SMALLEST_SHARE:
        sizes = [len(share) for share in shares]
        small = shares.pop(int(np.argmin(sizes)))
        target = int(np.argmin([len(share) for share in shares]))
        shares[target] = np.sort(np.concatenate([shares[target], small]))
    return shares
