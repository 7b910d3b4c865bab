"""Missing: what stands in for an absent modality."""

from __future__ import annotations

from typing import Any

from motet.learn.objective import Parts
from motet.learn.sample import Batch, Net, Slots


class Missing:
    """The family's interface, with the usual answers."""

    uses_prototypes = False

    def parts(self, features: int) -> Parts:
        """Return the parts that this member adds to the network."""
        return {}

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        """Fill the slots of absent modalities; `batch.y` is None at prediction."""
        raise NotImplementedError
