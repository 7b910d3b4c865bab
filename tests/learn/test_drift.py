"""What holds a client near the others."""

from __future__ import annotations

import math

import pytest
import torch
from checks import Witness, assert_close, aux_of, finish, known_features, rows, toy, trained, weights
from torch import Tensor

from motet.engine.private import section
from motet.errors import InputError
from motet.learn.drift.common import Joiner
from motet.learn.drift.moon import Moon
from motet.learn.drift.none import NoDrift
from motet.learn.drift.proximal import Proximal
from motet.learn.drift.scaffold import Scaffold
from motet.learn.sample import Slots


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
    alone = section(finish(data, recipe="local", **choices).state.private[0], "model")
    assert_close(finish(data, recipe="fedavg", **choices).state.shared["model"], alone, 1e-12)
    free = section(finish(data, recipe="local", rounds=3).state.private[0], "model")
    assert not torch.allclose(free["head.2.weight"], alone["head.2.weight"], atol=1e-3)


# --- Prototype pull ----------------------------------------------------------------------------------------------


def test_features_are_pulled_to_the_global_prototype_of_their_class() -> None:
    method = known_features(recipe="fedproto", drift="prototype-pull:weight=0.5", witness=Witness())
    params = weights(method)
    aux = aux_of(method, params, {"a": {0: [1.0, 1.0]}, "b": {0: [0.0, 0.0], 1: [5.0, 5.0]}})
    batch = rows({"a": [[3.0, 1.0], [9.0, 9.0]], "b": [[1.0, 1.0], [4.0, 7.0]]}, [0, 1])
    # a, class 0: 4 / 2; a has no prototype of class 1; b: 2 / 2 and (1 + 4) / 2
    expected = 0.5 * ((2 + 1) + 2.5) / 2
    assert float(method.loss(params, aux, batch, method.phases()[0]).detach()) == pytest.approx(expected)


def test_absent_and_bad_features_are_not_pulled() -> None:
    method = known_features(recipe="fedproto", missing="skip", witness=Witness())
    params = weights(method)
    aux = aux_of(method, params, {"a": {0: [1.0, 1.0]}, "b": {0: [0.0, 0.0]}})
    batch = rows({"a": [[3.0, 1.0]], "b": [[1.0, 1.0]]}, [0], present={"a": [False]}, quality={"b": [0.5]})
    assert float(method.loss(params, aux, batch, method.phases()[0]).detach()) == 0


# --- SCAFFOLD ----------------------------------------------------------------------------------------------------


def one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def test_steps_follow_the_gradient_less_the_client_s_variate_plus_the_server_s() -> None:
    found = Scaffold().correct({"w": one(1.0)}, {"w": one(0.5)}, {"w": one(0.2)}, {"w": torch.tensor(True)})
    assert found["w"].tolist() == pytest.approx([0.7])
    rests = Scaffold().correct({"w": one(0.0)}, {"w": one(0.5)}, {"w": one(0.2)}, {"w": torch.tensor(False)})
    assert rests["w"].tolist() == [0]


def test_a_variate_becomes_the_mean_gradient_of_the_round() -> None:
    """Two steps of .1 along 1 - .5 + .2 = .7 each: the gradients were 1."""
    steps = {"w": torch.tensor(2), "v": torch.tensor(0)}
    own, common = {"w": one(0.5), "v": one(3.0)}, {"w": one(0.2), "v": one(1.0)}
    kept = Scaffold().keep(own, common, {}, {"w": one(-0.14), "v": one(0.0)}, steps, 0.1)
    assert kept["w"].tolist() == pytest.approx([1.0])
    assert kept["v"].tolist() == [3.0]  # nothing reached it


def test_the_server_adds_the_mean_change_over_all_clients() -> None:
    joiner = Joiner({"w": one(1.0), "v": one(2.0)}, clients=4)
    joiner.add({"w": torch.tensor([[2.0], [4.0], [9.0]])}, {"w": torch.tensor([True, True, False])})
    joiner.add({"w": torch.tensor([[-4.0]])}, {"w": torch.tensor([True])})
    found = joiner.finish()
    assert found["w"].tolist() == [1.5]  # 1 + (2 + 4 - 4) / 4
    assert found["v"].tolist() == [2.0]


def test_with_everybody_there_the_server_s_variate_is_the_mean_of_the_clients() -> None:
    finished = finish(toy(), recipe="scaffold", rounds=3, local_epochs=2)
    every = [section(finished.state.private[k], "drift") for k in range(3)]
    mean = {name: torch.stack([own[name] for own in every]).mean(0) for name in every[0]}
    assert_close(finished.state.shared["drift"], mean, 1e-12)
    assert max(float(value.abs().max()) for value in mean.values()) > 1e-3


def test_only_plain_sgd_makes_the_change_of_weights_a_mean_gradient() -> None:
    for choices in ({"optimizer": "adam"}, {"momentum": 0.9}):
        with pytest.raises(InputError, match="--drift scaffold goes with plain SGD"):
            finish(toy(), recipe="scaffold", **choices)


@pytest.mark.parametrize("drift", ["scaffold", "moon"])
def test_nobody_is_held_near_others_where_nothing_is_joined(drift: str) -> None:
    with pytest.raises(InputError, match=f"--drift {drift} needs a model that clients share"):
        finish(toy(), recipe="local", drift=drift)


# --- MOON --------------------------------------------------------------------------------------------------------


def test_features_are_pushed_from_the_previous_model_s_to_the_received_one_s() -> None:
    batch = rows({"a": [[1.0, 0.0]], "b": [[0.0, 1.0]]}, [0])
    encoded = {m: x.clone().requires_grad_() for m, x in batch.x.items()}
    received = {"a": [[1.0, 0.0]], "b": [[0.0, 1.0]]}
    previous = {"a": [[0.0, 1.0]], "b": [[0.0, 1.0]]}
    features = [{m: torch.tensor(v, dtype=torch.float64) for m, v in own.items()} for own in (received, previous)]
    batch = batch._replace(received=features[0], previous=features[1])
    found = Moon(mu=3.0, tau=0.5).feature_penalty(Slots(encoded, encoded, batch.present), {}, batch)
    # similarities 1 and 1/2: -3 log(e^2 / (e^2 + e^1))
    assert float(found.detach()) == pytest.approx(3 * math.log(1 + math.exp(-1)))
    gradient = torch.autograd.grad(found.sum(), encoded["a"])[0]
    assert float(gradient[0, 1]) > 0  # a step leads away from (0, 1)


@pytest.mark.parametrize("kind", ["present", "used"])
def test_an_absent_modality_or_one_left_out_is_no_part_of_the_features(kind: str) -> None:
    without = {"a": [True], "b": [False]}
    batch = rows({"a": [[1.0, 0.0]], "b": [[0.0, 1.0]]}, [0], present=without if kind == "present" else None)
    other = {"a": torch.tensor([[1.0, 0.0]]).double(), "b": torch.tensor([[7.0, -3.0]]).double()}
    batch = batch._replace(received=other, previous=batch.x)
    slots = Slots(batch.x, batch.x, {m: torch.tensor(without[m] if kind == "used" else [True]) for m in "ab"})
    assert float(Moon().feature_penalty(slots, {}, batch)) == pytest.approx(math.log(2))  # no difference left


def test_in_its_first_round_nothing_pulls_a_client() -> None:
    plain, found = (finish(toy(), recipe=recipe, rounds=1, local_epochs=2) for recipe in ("fedavg", "moon"))
    assert_close(trained(found), trained(plain), 1e-12)
    plain, found = (finish(toy(), recipe=recipe, rounds=3, local_epochs=2) for recipe in ("fedavg", "moon"))
    assert not torch.allclose(trained(found)["head.0.weight"], trained(plain)["head.0.weight"], atol=1e-6)


def test_a_client_keeps_the_model_that_it_ended_with() -> None:
    finished = finish(toy(clients=1), recipe="moon", drift="moon:mu=2", rounds=2)
    assert_close(section(finished.state.private[0], "drift"), trained(finished), 1e-12)
