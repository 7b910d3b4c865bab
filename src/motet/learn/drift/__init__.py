"""Drift: what holds a client near the others while it trains alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from motet.learn.sample import Batch, Slots
from motet.nets.network import State


class Drift:
    """The family's interface, with the usual answers.

    Attributes
    ----------
    uses_prototypes, uses_received, uses_previous : bool
        Whether `feature_penalty` asks for prototypes, and for `Batch.received` and `Batch.previous`.
    corrects : bool
        Whether `correct` changes gradients.
    keeps : bool
        Whether a client keeps something of its own from round to round (`begin`, `keep`).
    shares : bool
        Whether clients send the change of what they keep; the server adds its mean over all clients to what it
        broadcasts.
    """

    uses_prototypes: ClassVar[bool] = False
    uses_received: ClassVar[bool] = False
    uses_previous: ClassVar[bool] = False
    corrects: ClassVar[bool] = False
    keeps: ClassVar[bool] = False
    shares: ClassVar[bool] = False

    def penalty(self, params: State, aux: dict[str, Any]) -> Tensor:
        """Return a further loss, (); ``aux["model"]`` is the model that the client received."""
        return torch.zeros(())

    def feature_penalty(self, slots: Slots, aux: dict[str, Any], batch: Batch) -> Tensor:
        """Return a further loss of each sample, (B,)."""
        return torch.zeros(())

    def begin(self, model: State) -> State:
        """Return what a client that takes part for the first time has kept, by the names of parameters."""
        return {}

    def correct(self, gradients: State, own: State, common: State, reached: Mapping[str, Tensor]) -> State:
        """Return the gradients to step by.

        Parameters
        ----------
        gradients : State
        own, common : State
            What the client has kept, and what the server broadcast.
        reached : mapping of parameter name to bool ()
            Whether the minibatch reached the part that a parameter belongs to.
        """
        return gradients

    def keep(
        self, own: State, common: State, params: State, moved: State, steps: Mapping[str, Tensor], rate: float
    ) -> State:
        """Return what a client keeps after its round.

        Parameters
        ----------
        own, common : State
            As for `correct`.
        params, moved : State
            The trained parameters, and how far those that learnt have moved.
        steps : mapping of parameter name to Tensor ()
            How many minibatches reached the part that a parameter belongs to.
        rate : float
            Learning rate of the round.
        """
        return own
