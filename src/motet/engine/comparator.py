"""The best fixed model in hindsight: the one that regret is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from motet.engine.rows import take_rows
from motet.learn.method import Method
from motet.learn.sample import Batch, PerModality
from motet.nets.network import State
from motet.random import permutation

ENOUGH = 1e-6
"""A gradient's norm, in nats a round, below which a convex loss counts as solved."""
MOST_STEPS = 20_000
EPOCHS, BATCH, RATE = 60, 100, 0.003
"""How the reference of a loss that is not convex is trained: by Adam, the rate falling to nothing along a cosine."""


@dataclass(frozen=True)
class Comparator:
    """A fixed model, float64.

    Attributes
    ----------
    model : State
    kind : {"solved", "trained"}
    gradient_norm : float
        Of the mean loss over rounds, at the model.
    """

    model: State
    kind: Literal["solved", "trained"]
    gradient_norm: float


def is_convex(method: Method) -> bool:
    """Return whether the loss of clean samples is convex: summed scores of linear heads on features that are fixed."""
    return method.objective.sums and all(name.startswith("head.") for name in method.network.state())


def comparator(method: Method, batch: Batch, weight: NDArray[np.float64], seed: int) -> Comparator:
    """Return the model of the least weighted loss on clean samples.

    Solved by L-BFGS where the loss is convex; else a reference, trained on everything that arrived.

    Parameters
    ----------
    method : Method
    batch : Batch
        The clean samples that ever arrived, each once, float64.
    weight : float64 (n,)
        How much each counts; they sum to 1.
    seed : int
        Of the order in which a reference is trained.
    """
    model = {name: value.double().clone().requires_grad_() for name, value in method.network.state().items()}
    weights, convex = torch.from_numpy(weight), is_convex(method)
    if convex:
        _solve(method, model, batch, weights)
    else:
        _train(method, model, batch, weights, seed)
    gradients = torch.autograd.grad(weights @ losses(method, model, batch), list(model.values()), allow_unused=True)
    norm = torch.stack([g.norm() for g in gradients if g is not None]).norm()
    return Comparator({n: p.detach() for n, p in model.items()}, "solved" if convex else "trained", float(norm))


def losses(method: Method, model: State, batch: Batch, encoded: PerModality | None = None) -> Tensor:
    """Return the loss of each sample, (n,), with what is recorded of it; `encoded` where that is known already."""
    assert batch.y is not None
    encoded = method.encode(model, batch.x) if encoded is None else encoded
    return F.cross_entropy(method.logits(model, {"model": model}, encoded, batch), batch.y, reduction="none")


def _solve(method: Method, start: State, batch: Batch, weight: Tensor) -> None:
    with torch.no_grad():
        encoded = method.encode(start, batch.x)
    optimiser = torch.optim.LBFGS(
        list(start.values()),
        max_iter=MOST_STEPS,
        max_eval=2 * MOST_STEPS,
        tolerance_grad=ENOUGH / sum(value.numel() for value in start.values()) ** 0.5,  # of each, so of all together
        tolerance_change=0,
        history_size=50,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = weight @ losses(method, start, batch, encoded)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]


def _train(method: Method, start: State, batch: Batch, weight: Tensor, seed: int) -> None:
    optimiser = torch.optim.Adam(list(start.values()), lr=RATE)
    per_epoch = -(-len(weight) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * per_epoch)
    for epoch in range(EPOCHS):
        order = permutation(seed, "comparator", len(weight), round=epoch)
        for rows in np.array_split(order, per_epoch):
            optimiser.zero_grad()
            own = weight[rows]
            loss = own @ losses(method, start, take_rows(batch, torch.from_numpy(rows))) / own.sum()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
