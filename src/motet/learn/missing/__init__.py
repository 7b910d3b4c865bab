"""Missing: what stands in for an absent modality."""

from __future__ import annotations

from typing import Any, ClassVar

from motet.learn.objective import Parts
from motet.learn.sample import Batch, Net, Slots


class Missing:
    """The family's interface, with the usual answers."""

    uses_prototypes: ClassVar[bool] = False
    looks_across: ClassVar[bool] = False  # whether filling one modality's slot takes the features of others

    def parts(self, modalities: list[str], features: int) -> Parts:
        """Return the parts that this member adds to the network."""
        return {}

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        """Fill the slots of absent modalities; `batch.y` is None at prediction."""
        raise NotImplementedError

    def fill_projected(self, net: Net, slots: Slots, batch: Batch) -> Slots:
        """Fill slots that are already in the space that the fusion works in (`Objective.project`)."""
        return slots
