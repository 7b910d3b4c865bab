"""One modality after another, with logits set by hand."""

from __future__ import annotations

import math

import pytest
import torch
from checks import (
    Choices,
    assert_same_bits,
    aux_of,
    finish,
    known_features,
    loss_and_gradient,
    rows,
    toy,
    trained,
    weights,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motet.learn.method import Method
from motet.learn.objective.chain import Chain
from motet.learn.sample import Batch
from motet.nets.network import State

LN3 = math.log(3)
ALONE, BOTH, THREE = math.log(4 / 3), math.log(10 / 9), math.log(28 / 27)
"""Cross-entropies of class 1 where its logit is ln 3, 2 ln 3 and 3 ln 3, and the other's is 0."""


def by_hand(names: str = "ab", **choices: str) -> tuple[Method, State]:
    """Return a chain of two classes in which each modality's logits are (0, ln 3) times its first number."""
    method = known_features(names, classes=2, **{"recipe": "late", "objective": "chain", **choices})
    params = weights(method)
    for m in names:
        params[f"head.{m}.weight"] = torch.tensor([[0.0, 0.0], [LN3, 0.0]], dtype=torch.float64).requires_grad_()
        params[f"head.{m}.bias"] = torch.zeros(2, dtype=torch.float64).requires_grad_()
    return method, params


def sample(names: str = "ab", **kinds: dict[str, list[bool]]) -> Batch:
    return rows({m: [[1.0, 0.0]] for m in names}, [1], **kinds)


def losses(batch: Batch, **choices: str) -> list[float]:
    """Return the loss of each phase."""
    method, params = by_hand("".join(batch.x), **choices)
    aux = aux_of(method, params, {})
    return [float(loss_and_gradient(method, params, aux, batch, phase)[0]) for phase in method.phases()]


def test_the_first_answers_for_itself_and_each_other_also_for_the_chain_so_far() -> None:
    assert losses(sample()) == pytest.approx([ALONE, (ALONE + BOTH) / 2])
    assert losses(sample("abc")) == pytest.approx([ALONE, (ALONE + BOTH) / 2, (ALONE + THREE) / 2])


def test_gamma_weighs_what_the_chain_leaves() -> None:
    assert losses(sample(), objective="chain:gamma=3") == pytest.approx([ALONE, (ALONE + 3 * BOTH) / 4])
    assert losses(sample(), objective="chain:gamma=0") == pytest.approx([ALONE, ALONE])


def test_an_absent_modality_has_no_phase_and_no_part_in_the_chain() -> None:
    assert losses(sample(present={"a": [False]})) == pytest.approx([0, ALONE])
    assert losses(sample("abc", present={"b": [False]})) == pytest.approx([ALONE, 0, (ALONE + BOTH) / 2])


def test_what_stands_in_for_an_absent_modality_is_no_part_of_the_chain() -> None:
    method, params = by_hand(missing="prototype")
    aux = aux_of(method, params, {m: {1: [2.0, 0.0]} for m in "ab"})
    batch = sample(present={"a": [False]})
    found = [float(loss_and_gradient(method, params, aux, batch, phase)[0]) for phase in method.phases()]
    assert found == pytest.approx([0, ALONE])
    logits = method.logits(params, aux, method.encode(params, batch.x), batch)
    torch.testing.assert_close(logits, torch.tensor([[0.0, 3 * LN3]], dtype=torch.float64))  # the prototype says 2 ln 3


def test_a_bad_modality_that_is_left_out_has_no_phase() -> None:
    assert losses(sample(quality={"b": [0.5]}), degraded="drop") == pytest.approx([ALONE, 0])


def test_parts_that_others_bring_learn_in_every_phase() -> None:
    finished = finish(toy(), recipe="late", objective="chain", missing="infiltration", missing_rate=0.5)
    method = finished.federation.method
    start, end = method.network.state(), trained(finished)
    assert all(set(method.network.names["infiltration.m0"]) <= set(method.trains(p)) for p in method.phases())
    assert set(method.trains(method.phases()[0])).isdisjoint(method.network.names["head.m1"])
    assert end.keys() == start.keys()


def test_the_mean_is_over_the_samples_that_have_the_modality() -> None:
    x = {m: [[1.0, 0.0]] * 4 for m in "ab"}
    batch = rows(x, [1] * 4, present={"b": [True, False, False, True]}, mask=[True, True, True, False])
    assert losses(batch) == pytest.approx([ALONE, (ALONE + BOTH) / 2])


def test_the_gradient_is_the_error_that_the_chain_leaves() -> None:
    """softmax(A + z) - y beside softmax(z) - y, and as finite differences have it; nothing reaches another block."""
    method, params = by_hand()
    aux, phase = aux_of(method, params, {}), method.phases()[1]
    _, gradient = loss_and_gradient(method, params, aux, sample(), phase)
    error = ((0.75 - 1) + (0.9 - 1)) / 2  # of class 1; that of class 0 is its opposite
    torch.testing.assert_close(gradient["head.b.bias"], torch.tensor([-error, error], dtype=torch.float64))
    assert not any(bool(value.any()) for name, value in gradient.items() if ".b." not in name)
    for name in ("head.b.weight", "head.b.bias", "encoder.b.weight"):
        torch.testing.assert_close(gradient[name], _differences(method, params, aux, name), rtol=1e-6, atol=1e-8)


def _differences(method: Method, params: State, aux: dict[str, object], name: str, step: float = 1e-6) -> Tensor:
    found = torch.zeros_like(params[name]).flatten()
    for place in range(len(found)):
        sides = []
        for sign in (1, -1):
            moved = params[name].detach().clone()
            moved.view(-1)[place] += sign * step
            changed = {**params, name: moved.requires_grad_()}
            sides.append(loss_and_gradient(method, changed, aux, sample(), method.phases()[1])[0])
        found[place] = (sides[0] - sides[1]) / (2 * step)
    return found.reshape(params[name].shape)


def test_the_prediction_is_the_sum_of_all() -> None:
    method, params = by_hand("abc")
    batch = sample("abc", present={"b": [False]})
    found = method.logits(params, aux_of(method, params, {}), method.encode(params, batch.x), batch)
    torch.testing.assert_close(found, torch.tensor([[0.0, 2 * LN3]], dtype=torch.float64))


ORDER = ["a", "b", "c"]


@pytest.mark.parametrize(("number", "order"), [(1, "abc"), (2, "bca"), (3, "cab"), (4, "abc")])
def test_rotating_begins_with_another_modality_each_round(number: int, order: str) -> None:
    assert "".join(p.name for p in Chain(order="rotating").phases(ORDER, number, {})) == order


@given(st.fixed_dictionaries({m: st.sampled_from([0.1, 0.2, 0.9]) for m in ORDER}))
def test_weakest_begins_with_the_lowest_score_and_keeps_the_order_of_equals(scores: dict[str, float]) -> None:
    phases = Chain(order="weakest").phases(ORDER, 2, scores)
    found = [phase.name for phase in phases]
    assert found == sorted(ORDER, key=lambda m: (scores[m], ORDER.index(m)))
    assert [phase.sees for phase in phases] == [tuple(found[: i + 1]) for i in range(3)]
    assert [p.name for p in Chain().phases(ORDER, 2, scores)] == ORDER


def test_the_server_s_scores_decide_who_is_weakest() -> None:
    """One shows its class and the other is noise, which then goes first, whatever the order in the data."""
    for easy, order in (("m1", ["m0", "m1"]), ("m0", ["m1", "m0"])):
        data = toy(easy=True)
        other = {"m0": "m1", "m1": "m0"}[easy]
        data.x[other][:] = toy(seed=5).x[other]
        finished = finish(data, recipe="late", objective="chain:order=weakest", rounds=4, lr=0.3)
        scores = finished.state.shared["scores"]
        assert float(scores[easy]) > float(scores[other])
        assert [p.name for p in finished.federation.method.phases(5, finished.state.shared)] == order


ONE: Choices = {"rounds": 3, "local_epochs": 2, "missing_rate": 0.0}


def test_with_one_modality_a_chain_is_late_fusion() -> None:
    """So with gamma = 0, everything sent, and no sign in conflict it is fedavg."""
    late, chain = (finish(toy(1), recipe="late", objective=name, **ONE) for name in ("late", "chain"))
    assert_same_bits(trained(chain), trained(late))


@pytest.mark.parametrize("choices", [{"optimizer": "sgd", "momentum": 0.9}, {"optimizer": "adam", "lr": 0.01}])
@pytest.mark.parametrize("engine", ["loop", "vector"])
def test_a_phase_changes_no_bit_of_another_block(
    engine: str, choices: Choices, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = Chain.phases
    monkeypatch.setattr(Chain, "phases", lambda *given: every(*given)[1:2])
    told = {"recipe": "late", "objective": "chain", "engine": engine, "drift": "proximal", "local_epochs": 2, **choices}
    finished = finish(toy(3), **told)
    start, end = finished.federation.method.network.state(), trained(finished)
    for name, value in start.items():
        assert torch.equal(end[name], value.double()) == (".m1." not in name), name
