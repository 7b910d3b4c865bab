"""Aggregate: how the server joins what devices send; a fold in client order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from motet.nets.network import State


class Aggregate:
    """The family's interface, with the usual answers.

    Attributes
    ----------
    personal : bool
        Whether clients keep parameters of their own from round to round.
    weighs : bool
        Whether a client of a smaller weight counts for less.
    """

    personal: ClassVar[bool] = False
    weighs: ClassVar[bool] = False

    def receive(self, model: State, private: State) -> State:
        """Return the parameters that a client starts from."""
        return model

    def keep(self, params: State) -> State:
        """Return what a client keeps of its trained parameters."""
        return {}

    def message(self, delta: State) -> State:
        """Return what a client sends of its update."""
        return delta

    def models(self, model: State, privates: list[State]) -> list[State]:
        """Return the models to evaluate: the global one, or the clients' own."""
        return [model]

    def start(self, block_of: Mapping[str, str]) -> Any:
        """Return an empty accumulator.

        Parameters
        ----------
        block_of : mapping of parameter name to block
            Every parameter of the network, in its order; see `motet.nets.network.Network`.
        """
        raise NotImplementedError

    def add(self, accumulator: Any, deltas: State, held: Mapping[str, Tensor], weights: Tensor) -> Any:
        """Add the updates of K clients, in client order.

        Parameters
        ----------
        accumulator : object
            What `start` or the last call returned.
        deltas : dict of name to Tensor (K, ...)
        held : mapping of name to bool (K,)
            Who holds a key; one that a client does not hold was not trained there.
        weights : float64 (K,)
            A client of weight 0 is as good as absent.
        """
        raise NotImplementedError

    def finish(self, model: State, accumulator: Any) -> State:
        """Return the next global model."""
        raise NotImplementedError


def stepped(model: State, steps: Mapping[str, Tensor]) -> State:
    """Return the model after steps, float64, of some of its parameters; the others stay as they are."""

    def after(name: str, value: Tensor) -> Tensor:
        return (value.to(torch.float64) + steps[name].reshape(value.shape)).to(value.dtype)

    return {name: after(name, value) if name in steps else value for name, value in model.items()}
