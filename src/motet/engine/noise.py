"""Standard normal numbers for gradients, where an objective adds noise to them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from motet.nets.network import State
from motet.random import generator


def gradient_noise(
    seed: int,
    round: int,  # noqa: A002
    clients: Sequence[int],
    step: str,
    gradients: State,
    dimensions: Mapping[str, int],
) -> State:
    """Draw a number for each of the gradients of some clients.

    Parameters
    ----------
    seed, round : int
    clients : sequence of int
    step : str
        Which minibatch of the round.
    gradients : State
        Of one client, or with a row for each.
    dimensions : mapping of name to int
        Of one client's tensor.

    Returns
    -------
    dict of name to Tensor (K, ...)
    """
    shapes = {name: value.shape[value.dim() - dimensions[name] :] for name, value in gradients.items()}
    sizes = [math.prod(shape) for shape in shapes.values()]
    purpose = f"gradient noise/{step}"
    drawn = [generator(seed, purpose, round=round, client=k).standard_normal(sum(sizes)) for k in clients]
    like = next(iter(gradients.values()))
    pieces = torch.split(torch.from_numpy(np.stack(drawn)).to(like.device, like.dtype), sizes, dim=1)
    return {n: own.reshape(len(clients), *shapes[n]) for n, own in zip(shapes, pieces, strict=True)}
