"""Attack: what a hostile device does to what it trains on and sends; for research into what withstands it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from motet.learn.sample import PerModality
from motet.nets.network import State


class Attack:
    """The interface, with what an honest device does: nothing.

    Attributes
    ----------
    draws, colludes : bool
        Whether `update` asks for random numbers: of each client and round its own, or the same for all and ever.
    """

    draws: ClassVar[bool] = False
    colludes: ClassVar[bool] = False

    def labels(self, y: Tensor, classes: int) -> Tensor:
        """Return the classes that the device trains on, int64 (B,); it builds its prototypes by them as well."""
        return y

    def prototypes(self, summary: Mapping[str, PerModality]) -> Mapping[str, PerModality]:
        """Return what the device tells of its prototypes (see `motet.learn.prototypes.summarise`)."""
        return summary

    def update(self, delta: State, drawn: State, model: State) -> State:
        """Return what the device sends as its update, before it is encoded.

        Parameters
        ----------
        delta : State
            Its honest update, of the parameters that it trained.
        drawn : State
            Standard normal numbers for every parameter of the model; empty where they are not asked for.
        model : State
            What it received.
        """
        return delta
