"""What clients' drift has in common, at the server: the mean of what they keep, kept up to date by their changes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

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

    def __init__(self, common: Mapping[str, Tensor], clients: int) -> None:
        self.common, self.clients = common, clients
        self.sums: State = {}

    def add(self, content: State, held: Mapping[str, Tensor]) -> None:
        """Add the changes of K clients, (K, ...), where they hold a name."""
        for name, value in content.items():
            own = held[name].to(value.dtype) @ value.reshape(len(value), -1)
            self.sums[name] = self.sums.get(name, 0) + own.reshape(value.shape[1:]).to(torch.float64)

    def finish(self) -> State:
        """Return what is broadcast next."""
        return {
            name: (value.double() + self.sums[name] / self.clients).to(value.dtype) if name in self.sums else value
            for name, value in self.common.items()
        }
