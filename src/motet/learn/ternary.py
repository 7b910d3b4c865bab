"""Ternary weights with trained scales (FTTQ, the quantiser of T-FedAvg, Xu et al. 2020, arXiv 2003.03564).

A device keeps a latent weight w for each number and trains what the network sees of it, s t: a pattern t of -1, 0 and 1
and one scale s of the whole matrix::

    t = sign(w) where |w| > .7 mean |w|, else 0                                (on a device)
    t = sign(w) where |w| > .05 max |w|, else 0;  s = mean |w| where t != 0    (at the server, of the joined weights)

    dL/ds = sum of dL/d(s t) where t > 0          as published; `exact`: minus the same where t < 0
    dL/dw = s dL/d(s t) where t != 0, else dL/d(s t)

The published weights are divided by max |w| first, which changes no pattern. Norms and biases stay as they are: what
has two dimensions or more is a matrix. A device's scale begins each round at the mean |w| of what its pattern keeps,
which is the server's where the weights received are ternary; so it is no part of the model, and neither is what was
latent: devices send s t, the mean of which does not depend on what the server had before. That a device's latent
weights begin each round at what it received follows from this; that the first model is ternary too is our reading.

A scale's gradient is a sum over many numbers, and as published no direction of descent: at rates that suit plain SGD on
dense weights it diverges, while no pattern changes in a few steps. Adam and several local epochs suit both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from motet.nets.network import Network, State

THRESHOLD = 0.7
"""Of the mean size of a matrix's numbers, on a device."""
SERVER_THRESHOLD = 0.05
"""Of the largest size, at the server."""


@dataclass(frozen=True)
class Ternary:
    """What the network sees of its parameters in training. Every function takes one client's, or a row for each of K.

    Attributes
    ----------
    scales : mapping of str to str
        The matrices that are ternary, and what the scale of each is called; none is the usual case.
    dimensions : mapping of str to int
        Of each matrix of one client.
    exact : bool
        Whether a scale's gradient is the whole one, or that of the positive entries as published.
    """

    scales: Mapping[str, str] = field(default_factory=dict)
    dimensions: Mapping[str, int] = field(default_factory=dict)
    exact: bool = False

    @classmethod
    def of(cls, network: Network, gradient: str) -> Ternary:
        """Make every matrix of a network ternary; `gradient` is ``positive`` or ``exact``."""
        return cls(network.scales, {name: network.dimensions[name] for name in network.scales}, gradient == "exact")

    def begin(self, model: State) -> State:
        """Return what is trained: the parameters, and the scales."""
        return model | {
            scale: _mean_size(model[name], self._kept(name, model[name]), self.dimensions[name])
            for name, scale in self.scales.items()
        }

    def seen(self, params: State) -> State:
        """Return what the network is given, through which gradients find their way to latent weights and scales."""
        seen = {name: self._seen(name, params[name], params[scale]) for name, scale in self.scales.items()}
        return self._parameters(params) | seen

    def settled(self, params: State, begun: State, steps: Mapping[str, Tensor]) -> State:
        """Return trained parameters as they are sent and kept: matrices that have learnt as s t, s in float32.

        Parameters
        ----------
        params, begun : State
            With scales, after the round and before it.
        steps : mapping of matrix to int64 (), or (K,)
            How often it has learnt.
        """
        found = {}
        for name, scale in self.scales.items():
            if name in params:
                weight, dimensions = params[name], self.dimensions[name]
                size = _spread(params[scale].float().to(weight.dtype), dimensions)
                values = _signed(weight, self._kept(name, weight), size)
                found[name] = torch.where(_spread(steps[name] > 0, dimensions), values, begun[name])
        return self._parameters(params) | found

    def joined(self, model: State) -> State:
        """Return the server's model with ternary matrices; one that is so already keeps its bits."""
        return model | {name: _joined(model[name], self.dimensions[name]) for name in self.scales}

    def _parameters(self, params: State) -> State:
        scales = set(self.scales.values())
        return {name: value for name, value in params.items() if name not in scales}

    def _kept(self, name: str, weight: Tensor) -> Tensor:
        size, inner = weight.detach().abs(), _inner(self.dimensions[name])
        return _above(size, THRESHOLD * size.mean(inner, keepdim=True))

    def _seen(self, name: str, weight: Tensor, scale: Tensor) -> Tensor:
        """s t, forward; each term has one of the gradients, and the last one is zero."""
        kept = self._kept(name, weight)
        pattern = torch.where(kept, weight.detach().sign(), 0)
        scale = _spread(scale, self.dimensions[name])
        fixed, teaching = scale.detach(), pattern if self.exact else pattern.clamp(min=0)
        through = torch.where(kept, fixed, 1) * (weight - weight.detach())
        return scale * teaching + fixed * (pattern - teaching) + through


def _joined(weight: Tensor, dimensions: int) -> Tensor:
    size = weight.double().abs()
    kept = _above(size, SERVER_THRESHOLD * size.amax(_inner(dimensions), keepdim=True))
    scale = _spread(_mean_size(size, kept, dimensions).float().to(weight.dtype), dimensions)
    return _signed(weight, kept, scale)


def _signed(weight: Tensor, kept: Tensor, scale: Tensor) -> Tensor:
    return torch.where(kept, weight / weight.abs() * scale, 0)


def _mean_size(weight: Tensor, kept: Tensor, dimensions: int) -> Tensor:
    """Return the mean size of what is kept, from the largest one down: of equal sizes it is that, to the bit."""
    inner = _inner(dimensions)
    size = weight.detach().abs()
    largest = size.amax(inner)
    below = torch.where(kept, size - _spread(largest, dimensions), 0).sum(inner)
    return largest + below / kept.sum(inner).clamp(min=1)


def _above(size: Tensor, threshold: Tensor) -> Tensor:
    """Return what is above a threshold; what is no number is, so that nobody takes it for a zero."""
    return ~(size <= threshold)


def _inner(dimensions: int) -> tuple[int, ...]:
    """Return the dimensions of one client's tensor, where there may be one for clients before them."""
    return tuple(range(-dimensions, 0))


def _spread(values: Tensor, dimensions: int) -> Tensor:
    """Return one number for each tensor so that it meets all of the tensor's."""
    return values[(..., *[None] * dimensions)]
