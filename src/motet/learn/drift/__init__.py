"""Drift: what holds a client near the others while it trains alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from motet.nets.network import State


class Drift:
    """The family's interface, with the usual answers."""

    def penalty(self, params: State, aux: dict[str, Any]) -> Tensor:
        """Return a further loss, (); ``aux["model"]`` is the model that the client received."""
        return torch.zeros(())
