"""Objectives: what a device minimises, in which phases; each owns the network's heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from motet.learn.sample import Batch, Net, Slots

Parts = dict[str, Callable[[], nn.Module]]
"""Names of parts and how to build each."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training in which some parts learn.

    Attributes
    ----------
    name : str
    parts : frozenset of str or None
        The parts that learn; None for all.
    """

    name: str = "all"
    parts: frozenset[str] | None = None

    def holds(self, part: str) -> bool:
        """Return whether a part learns."""
        return self.parts is None or part in self.parts


class Objective:
    """The family's interface, with the usual answers."""

    def parts(self, modalities: list[str], features: int, classes: int) -> Parts:
        """Return the heads to build behind encoders of `features` width."""
        raise NotImplementedError

    def phases(self, modalities: list[str]) -> tuple[Phase, ...]:
        """Return the phases of a cycle, the same for every client."""
        return (Phase(),)

    def loss(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        """Return the loss of each sample, (B,)."""
        raise NotImplementedError

    def logits(self, net: Net, slots: Slots) -> Tensor:
        """Return the class scores, (B, C)."""
        raise NotImplementedError
