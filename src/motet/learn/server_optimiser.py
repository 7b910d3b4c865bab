"""The server's optimiser: the joined update is taken for a gradient (FedOpt, Reddi et al. 2021, arXiv 2003.00295).

With D = joined model - model, m the first moment (0 at first) and v the second one (tau^2 at first)::

    none        w + lr D
    momentum    m <- b m + D;  w + lr m                             (FedAvgM, arXiv 1909.06335)
    adam        m <- b m + (1 - b) D;  v <- .99 v + .01 D^2;  w + lr m / (sqrt(v) + tau)

`b` is the setting ``server_momentum``, `lr` is ``server_lr``, tau is 1e-3; as in the paper, no bias is corrected. A
parameter that nobody trained in a round keeps its value and its moments. Moments are in float64.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from motet.config import RecipeSettings
from motet.learn.aggregate import stepped
from motet.nets.network import State

PREFIX = "server_optimizer/"
"""What the names of moments begin with."""

BETA_2, TAU = 0.99, 1e-3


def moments(memory: Mapping[str, Tensor]) -> State:
    """Return the moments that are in the server's memory."""
    return {name: value for name, value in memory.items() if name.startswith(PREFIX)}


def optimise(
    settings: RecipeSettings, model: State, joined: State, trained: Collection[str], before: State
) -> tuple[State, State]:
    """Return the next model and the moments after the round.

    Parameters
    ----------
    settings : RecipeSettings
    model, joined : State
        Before the round, and what the aggregate makes of the round.
    trained : collection of str
        The parameters that anybody trained in the round.
    before : State
        The moments before the round.
    """
    if settings.server_optimizer == "none" and settings.server_lr == 1:
        return joined, before
    after, steps = dict(before), {}
    for name in model:
        if name in trained:
            change = joined[name].to(torch.float64) - model[name].to(torch.float64)
            direction, own = _DIRECTIONS[settings.server_optimizer](name, change, before, settings.server_momentum)
            steps[name] = settings.server_lr * direction
            after |= own
    return stepped(model, steps), after


def _plain(name: str, change: Tensor, before: State, keep: float) -> tuple[Tensor, State]:
    return change, {}


def _momentum(name: str, change: Tensor, before: State, keep: float) -> tuple[Tensor, State]:
    first = keep * _moment(before, "first", name, change, 0.0) + change
    return first, {f"{PREFIX}first/{name}": first}


def _adam(name: str, change: Tensor, before: State, keep: float) -> tuple[Tensor, State]:
    first = keep * _moment(before, "first", name, change, 0.0) + (1 - keep) * change
    second = BETA_2 * _moment(before, "second", name, change, TAU**2) + (1 - BETA_2) * change.square()
    return first / (second.sqrt() + TAU), {f"{PREFIX}first/{name}": first, f"{PREFIX}second/{name}": second}


def _moment(before: State, which: str, name: str, like: Tensor, at_first: float) -> Tensor:
    found = before.get(f"{PREFIX}{which}/{name}")
    return torch.full_like(like, at_first) if found is None else found


_DIRECTIONS = {"none": _plain, "momentum": _momentum, "adam": _adam}
