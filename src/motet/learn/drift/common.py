"""What clients' drift has in common, at the server: the mean of what they keep, kept up to date by their changes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from motet.learn.aggregate import stepped
from motet.learn.aggregate.mean import Mean, Sums
from motet.nets.network import State


class Joiner:
    """The server's fold over changes, in client order.

    Parameters
    ----------
    common : mapping of name to Tensor
        Before the round.
    clients : int
        All there are: one that takes no part has not changed.
    """

    def __init__(self, common: State, clients: int) -> None:
        self.common, self.clients = common, clients
        self.sums = Sums()

    def add(self, content: State, held: Mapping[str, Tensor]) -> None:
        """Add the changes of K clients, (K, ...), where they hold a name."""
        clients = len(next(iter(held.values())))
        Mean().add(self.sums, content, held, torch.ones(clients, dtype=torch.float64))

    def finish(self) -> State:
        """Return what is broadcast next."""
        return stepped(self.common, {name: total / self.clients for name, total in self.sums.total.items()})
