"""Degraded: what is done with a modality that is present but bad."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from motet.learn.objective import Parts
from motet.learn.sample import Batch, Net, Slots


class Degraded:
    """The family's interface, with the usual answers.

    Attributes
    ----------
    uses_prototypes : bool
    uses_quality : bool
        Whether the quality score changes what this member does.
    """

    uses_prototypes = False
    uses_quality = True

    def parts(self, features: int) -> Parts:
        """Return the parts that this member adds to the network."""
        return {}

    def adjust(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        """Change the slots of present modalities; `batch.y` is None at prediction."""
        return slots

    def penalty(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Tensor:
        """Return a further loss of each sample, (B,) or ()."""
        return torch.zeros(())


def flagged(batch: Batch, m: str) -> Tensor:
    """Return where modality m is present and of quality below 1, bool (B,)."""
    return batch.present[m] & (batch.quality[m] < 1)
