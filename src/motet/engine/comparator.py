"""The best fixed model in hindsight: the one that regret is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from torch import Tensor
from torch.func import jacfwd
from torch.nn import functional as F

from motet.engine.rows import take_rows
from motet.learn.method import Method
from motet.learn.sample import Batch
from motet.nets.network import State
from motet.random import permutation

Floats = NDArray[np.float64]

ENOUGH = 1e-6
"""A gradient's norm, in nats a round, below which a convex loss counts as solved."""
MOST_STEPS = 500
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


def comparator(method: Method, batch: Batch, weight: Floats, seed: int) -> Comparator:
    """Return the model of the least weighted loss on clean samples.

    Solved where the loss is convex; else a reference, trained on everything that arrived.

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
    start, convex = {name: value.double() for name, value in method.network.state().items()}, is_convex(method)
    model = _solved(method, start, batch, weight) if convex else _trained(method, start, batch, weight, seed)
    model = {name: value.detach().requires_grad_() for name, value in model.items()}
    mean = torch.from_numpy(weight) @ losses(method, model, batch)
    gradients = torch.autograd.grad(mean, list(model.values()), allow_unused=True)
    norm = torch.stack([g.norm() for g in gradients if g is not None]).norm()
    return Comparator({n: p.detach() for n, p in model.items()}, "solved" if convex else "trained", float(norm))


def losses(method: Method, model: State, batch: Batch) -> Tensor:
    """Return the loss of each sample, (n,), with what is recorded of it."""
    assert batch.y is not None
    encoded = method.encode(model, batch.x)
    return F.cross_entropy(method.logits(model, {"model": model}, encoded, batch), batch.y, reduction="none")


def _solved(method: Method, start: State, batch: Batch, weight: Floats) -> State:
    names, sizes = list(start), [value.numel() for value in start.values()]
    encoded = method.encode(start, batch.x)

    def model(point: Tensor) -> State:
        return {n: own.reshape(start[n].shape) for n, own in zip(names, torch.split(point, sizes), strict=True)}

    def scores(point: Tensor) -> Tensor:
        return method.logits(model(point), {"model": model(point)}, encoded, batch)

    assert batch.y is not None
    origin = torch.cat([value.flatten() for value in start.values()])
    slope, offset = jacfwd(scores)(torch.zeros_like(origin)), scores(torch.zeros_like(origin))
    found = least(slope.numpy(), offset.numpy(), batch.y.numpy(), weight, origin.numpy())
    return model(torch.from_numpy(found))


def least(slope: Floats, offset: Floats, y: NDArray[np.int64], weight: Floats, start: Floats) -> Floats:
    """Return the point of the least weighted cross-entropy where scores are linear.

    By a trust region with the exact Hessian: on fixed features the problem is so ill-conditioned that L-BFGS needs ten
    thousand steps where this needs twenty.

    Parameters
    ----------
    slope : float64 (n, C, P)
        The scores' derivatives, the same everywhere.
    offset : float64 (n, C)
        The scores at zero.
    y : int (n,)
    weight : float64 (n,)
    start : float64 (P,)
    """
    target = np.eye(slope.shape[1])[y]

    def loss(point: Floats) -> tuple[float, Floats]:
        logs = log_softmax(slope @ point + offset, axis=1)
        residual = weight[:, None] * (np.exp(logs) - target)
        return float(-weight @ (target * logs).sum(1)), np.tensordot(residual, slope, axes=2)

    def curvature(point: Floats) -> Floats:
        likely = softmax(slope @ point + offset, axis=1)[..., None]
        spread = slope - (likely * slope).sum(1, keepdims=True)
        found: Floats = np.tensordot(weight[:, None, None] * likely * spread, slope, axes=((0, 1), (0, 1)))
        return found

    options = {"gtol": ENOUGH, "maxiter": MOST_STEPS}
    found: Floats = minimize(loss, start, jac=True, hess=curvature, method="trust-exact", options=options).x
    return found


def _trained(method: Method, start: State, batch: Batch, weight: Floats, seed: int) -> State:
    model = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimiser = torch.optim.Adam(list(model.values()), lr=RATE)
    per_epoch = -(-len(weight) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * per_epoch)
    for epoch in range(EPOCHS):
        order = permutation(seed, "comparator", len(weight), round=epoch)
        for rows in np.array_split(order, per_epoch):
            optimiser.zero_grad()
            own = torch.from_numpy(weight[rows])
            loss = own @ losses(method, model, take_rows(batch, torch.from_numpy(rows))) / own.sum()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return model
