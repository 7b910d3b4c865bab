"""Which samples a device holds in which round: a first fill, arrivals from a pool, a buffer that forgets the oldest.

A device's samples form one endless sequence: its share in order, then the share reshuffled, again and again. A sample's
place in the sequence is its serial number. What lies in the buffer in a round follows from the round alone, so a
stream has no state to save.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from motet.config import StreamSettings
from motet.data.dataset import Dataset, Indices
from motet.random import permutation

Serials = NDArray[np.int64]


class Stream:
    """One client's samples over the rounds.

    Parameters
    ----------
    share : int64 (n,)
        The client's samples, in order of arrival.
    settings : StreamSettings
    seed, client : int
        Key of the reshuffles.
    favoured : mapping of round to bool (n,), optional
        Which of the share come first, of all that has not arrived by a round, from then on.
    """

    def __init__(
        self,
        share: Indices,
        settings: StreamSettings,
        seed: int,
        client: int,
        favoured: Mapping[int, NDArray[np.bool_]] | None = None,
    ) -> None:
        self.share, self.seed, self.client, self.favoured = share, seed, client, dict(favoured or {})
        self.size = len(share) if settings.buffer == "all" else settings.buffer
        self.online = settings.buffer != "all"
        self.per_round = settings.arrivals if self.online else 0
        self._pools: dict[int, Indices] = {}  # the last two, which successive rounds ask for again
        self.first_fill = min(self.size, len(share) // 2) if self.online else len(share)

    def entered(self, round: int) -> int:  # noqa: A002
        """Return how many samples have entered by the end of a round's arrivals; round 0 is the first fill."""
        if not self.online or round == 0:
            return self.first_fill
        n = len(self.share)
        first_rounds = -(-(n - self.first_fill) // self.per_round)
        if round <= first_rounds:
            return self.first_fill + min(round * self.per_round, n - self.first_fill)
        rounds_per_pool = -(-n // self.per_round)
        pools, within = divmod(round - first_rounds - 1, rounds_per_pool)
        return n + pools * n + min((within + 1) * self.per_round, n)

    def arrived(self, round: int) -> int:  # noqa: A002
        """Return how many samples arrive in a round (1, 2, ...)."""
        return self.entered(round) - self.entered(round - 1)

    def held(self, round: int) -> int:  # noqa: A002
        """Return how many samples lie in the buffer after a round's arrivals."""
        return min(self.entered(round), self.size)

    def buffer(self, round: int) -> Serials:  # noqa: A002
        """Return the serial numbers in the buffer after a round's arrivals, the oldest first."""
        end = self.entered(round)
        return np.arange(max(0, end - self.size), end)

    def round_of(self, serials: Serials, round: int) -> Serials:  # noqa: A002
        """Return the round in which each sample arrived, for samples that have entered by `round`."""
        if not self.online:
            return np.zeros_like(serials)
        first = round
        while first > 0 and self.entered(first) > serials.min(initial=self.entered(round)):
            first -= 1
        ends = np.array([self.entered(r) for r in range(first, round + 1)])
        return np.asarray(first + np.searchsorted(ends, serials, side="right"))

    def index(self, serials: Serials) -> Indices:
        """Return the dataset's indices of samples by serial number."""
        n = len(self.share)
        if serials.max(initial=0) < n:
            return self._pool(0)[serials]
        pool, place = np.divmod(serials, n)
        index = np.empty_like(serials)
        for number in np.unique(pool):
            chosen = pool == number
            index[chosen] = self._pool(int(number))[place[chosen]]
        return index

    def _pool(self, number: int) -> Indices:
        """Return the dataset's indices of the share as it arrives for the first, or another, time."""
        if number == 0 and not self.favoured:
            return self.share
        if number not in self._pools:
            order = np.arange(len(self.share))
            if number > 0:
                order = permutation(self.seed, "reshuffle", len(self.share), round=number, client=self.client)
            latest = max(self._pools, default=number)
            kept = {p: own for p, own in self._pools.items() if p == latest}
            self._pools = kept | {number: self.share[self._drifted(order, number * len(self.share))]}
        return self._pools[number]

    def _drifted(self, order: Indices, before: int) -> Indices:
        """Return an order with the favoured first among what has not arrived; `before`: the serial of its first."""
        for at, first in sorted(self.favoured.items()):
            gone = max(0, self.entered(at - 1) - before)
            left = order[gone:]
            order = np.concatenate([order[:gone], left[np.argsort(~first[left], kind="stable")]])
        return order


def arrival_order(dataset: Dataset, share: Indices, settings: StreamSettings, seed: int, client: int) -> Indices:
    """Return a share in order of arrival: by time where it is known and wished, else shuffled."""
    if settings.order == "time" and dataset.time is not None:
        return share[np.argsort(dataset.time[share], kind="stable")]
    return share[permutation(seed, "order", len(share), client=client)]
