"""What holds a client near the others."""

from __future__ import annotations

import pytest
import torch
from checks import assert_close, finish, toy, trained

from motet.learn.drift.none import NoDrift
from motet.learn.drift.proximal import Proximal


def test_proximal_is_half_mu_times_the_squared_distance_to_the_model_received() -> None:
    received = {"a": torch.tensor([1.0, 1.0]), "b": torch.tensor(2.0)}
    params = {"a": torch.tensor([4.0, 1.0], requires_grad=True), "b": torch.tensor(-2.0, requires_grad=True)}
    penalty = Proximal(mu=0.2).penalty(params, {"model": received})
    assert float(penalty.detach()) == pytest.approx(2.5)  # .2 / 2 * (9 + 16)
    gradient = torch.autograd.grad(penalty, list(params.values()))
    torch.testing.assert_close(gradient[0], torch.tensor([0.6, 0.0]))
    torch.testing.assert_close(gradient[1], torch.tensor(-0.8))


def test_no_drift_costs_nothing() -> None:
    params = {"a": torch.ones(2)}
    assert NoDrift().penalty(params, {"model": params}) == 0


def test_a_strong_pull_keeps_a_client_near() -> None:
    data = toy(clients=1)
    moved = []
    for mu in (0.0, 1.0, 5.0):
        finished = finish(data, recipe="fedavg", drift=f"proximal:mu={mu}", rounds=1, local_epochs=4)
        start, end = finished.federation.method.network.state(), trained(finished)
        moved.append(sum(float((end[name] - value.double()).square().sum()) for name, value in start.items()))
    assert moved[0] > moved[1] > moved[2] > 0


def test_a_client_alone_is_held_by_its_own_model() -> None:
    """Without a global model the pull is to where the client's round began, as it is with a mean over one client."""
    data, choices = toy(clients=1), {"drift": "proximal:mu=2", "missing": "skip", "rounds": 3}
    alone = finish(data, recipe="local", **choices).state.private[0]
    assert_close(finish(data, recipe="fedavg", **choices).state.shared["model"], alone, 1e-12)
    free = finish(data, recipe="local", rounds=3).state.private[0]
    assert not torch.allclose(free["head.2.weight"], alone["head.2.weight"], atol=1e-3)
