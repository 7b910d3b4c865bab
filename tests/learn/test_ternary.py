"""Ternary weights, by hand: patterns and scales on a device and at the server, and the gradients of both."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from checks import assert_same_bits, looks, method_for
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import vmap

from motet.config import configure
from motet.learn.aggregate.mean import Mean
from motet.learn.method import build_method
from motet.learn.objective import Phase
from motet.learn.ternary import Ternary
from motet.nets.network import Network

# mean .5, so a device keeps what is above .35; the largest is 1.2, so the server keeps what is above .06
WEIGHT = [[0.9, -0.4, 0.3], [-1.2, 0.15, 0.05]]
PATTERN = [[1, -1, 0], [-1, 0, 0]]
GRADIENT = [[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]


def numbers(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def ternary(exact: bool = False) -> Ternary:
    return Ternary({"w": "w.scale"}, {"w": 2}, exact)


def learning(scale: float = 0.5) -> dict[str, Tensor]:
    params = {"w": numbers(WEIGHT), "b": numbers([0.1, -0.2]), "w.scale": numbers(scale)}
    return {name: value.requires_grad_() for name, value in params.items()}


# --- On a device -------------------------------------------------------------------------------------------------


def test_a_scale_begins_at_the_mean_size_of_what_the_pattern_keeps() -> None:
    begun = ternary().begin({"w": numbers(WEIGHT), "b": numbers([0.1, -0.2])})
    assert list(begun) == ["w", "b", "w.scale"]
    assert begun["w.scale"].shape == ()
    assert begun["w.scale"].item() == pytest.approx((0.9 + 0.4 + 1.2) / 3)


def test_the_network_sees_the_scale_times_the_pattern_and_the_rest_as_it_is() -> None:
    params = learning()
    seen = ternary().seen(params)
    assert list(seen) == ["w", "b"]
    assert seen["w"].tolist() == [[0.5, -0.5, 0], [-0.5, 0, 0]]
    assert seen["b"] is params["b"]


def test_a_number_on_the_threshold_is_a_zero() -> None:
    """.7 times the mean of 7 and 13 is 7."""
    assert ternary().seen({"w": numbers([[7.0, -13.0]]), "w.scale": numbers(2.0)})["w"].tolist() == [[0, -2]]


@pytest.mark.parametrize(("exact", "slope"), [(False, 1.0), (True, 1.0 - 2.0 - 8.0)])
def test_gradients_are_those_published_and_that_of_the_scale_may_be_exact(exact: bool, slope: float) -> None:
    params = learning()
    (ternary(exact).seen(params)["w"] * numbers(GRADIENT)).sum().backward()  # type: ignore[no-untyped-call]
    assert params["w.scale"].grad is not None
    assert params["w"].grad is not None
    assert params["w.scale"].grad.item() == slope
    assert params["w"].grad.tolist() == [[0.5, 1, 4], [4, 16, 32]]  # times the scale where the pattern is not zero


def test_what_is_sent_has_a_scale_that_float32_can_say() -> None:
    params, begun = learning(1 / 3), {"w": numbers([[9.0] * 3] * 2)}
    settled = ternary().settled(params, begun, {"w": torch.tensor(1)})
    third = torch.tensor(1 / 3).double()
    assert list(settled) == ["w", "b"]
    assert torch.equal(settled["w"], third * numbers(PATTERN))
    assert torch.equal(ternary().settled(params, begun, {"w": torch.tensor(0)})["w"], begun["w"])


def test_a_matrix_of_zeros_may_learn() -> None:
    params = ternary().begin({"w": torch.zeros(2, 2)})
    assert params["w.scale"].item() == 0
    weight = params["w"].requires_grad_()
    (3 * ternary().seen(params)["w"]).sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert weight.grad.tolist() == [[3, 3], [3, 3]]


def test_what_is_no_number_is_not_taken_for_a_zero() -> None:
    weight = numbers([[1.0, float("nan")]])
    sent = ternary().settled({"w": weight, "w.scale": numbers(1.0)}, {"w": weight}, {"w": torch.tensor(1)})
    assert sent["w"].isnan().any()
    assert ternary().joined({"w": weight})["w"].isnan().any()


# --- At the server -----------------------------------------------------------------------------------------------


def test_the_server_keeps_what_is_above_a_twentieth_of_the_largest() -> None:
    found = ternary().joined({"w": numbers(WEIGHT), "b": numbers([0.1])})
    scale = (0.9 + 0.4 + 0.3 + 1.2 + 0.15) / 5
    assert found["w"].flatten().tolist() == pytest.approx([scale, -scale, scale, -scale, scale, 0], rel=1e-6)
    sizes = found["w"].abs().unique()
    assert len(sizes) == 2
    assert torch.equal(sizes.float().double(), sizes)
    assert found["b"].tolist() == [0.1]


def test_a_round_of_the_server() -> None:
    """Two clients, of which the second has three times the samples, from what both received."""
    received = {"w": 0.1 * numbers([[1, 1, 0, 0, -1]])}
    sent = [0.4 * numbers([[1, 0, -1, 1, 1]]), 0.2 * numbers([[1, 1, -1, -1, 0]])]
    deltas = {"w": torch.stack([own - received["w"] for own in sent])}
    sums = Mean().add(Mean().start({}), deltas, {"w": torch.tensor([True, True])}, numbers([1, 3]))
    joined = Mean().finish(received, sums)
    assert joined["w"].tolist() == [pytest.approx([0.25, 0.15, -0.25, -0.05, 0.1])]
    scale = (0.25 + 0.15 + 0.25 + 0.05 + 0.1) / 5
    assert ternary().joined(joined)["w"].tolist() == [pytest.approx([scale, scale, -scale, -scale, scale])]


def test_a_mean_of_what_is_sent_does_not_depend_on_what_the_server_had() -> None:
    sent = [0.4 * numbers([[1, 0, -1]]), 0.2 * numbers([[1, 1, -1]])]
    found = []
    for model in ({"w": numbers([[5.0, -7, 11]])}, {"w": numbers([[0.0, 0, 0]])}):
        deltas = {"w": torch.stack([own - model["w"] for own in sent])}
        sums = Mean().add(Mean().start({}), deltas, {"w": torch.tensor([True, True])}, numbers([1, 1]))
        found.append(Mean().finish(model, sums)["w"])
    torch.testing.assert_close(*found)


# --- Both --------------------------------------------------------------------------------------------------------

matrices = st.builds(
    lambda seed, rows, width, sparse: (
        torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
        * (torch.rand(rows, width, generator=torch.Generator().manual_seed(seed + 1)) >= sparse)
    ),
    st.integers(0, 999),
    st.integers(1, 7),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.5, 0.9]),
)


@settings(max_examples=100, deadline=None)
@given(weight=matrices, dtype=st.sampled_from([torch.float32, torch.float64]))
def test_what_is_ternary_stays_to_the_bit(weight: Tensor, dtype: torch.dtype) -> None:
    """At the server, and as devices that have just received it see it."""
    once = ternary().joined({"w": weight.to(dtype)})
    assert_same_bits(ternary().joined(once), once)
    begun = ternary().begin(once)
    assert_same_bits(ternary().seen(begun), once)
    assert_same_bits(ternary().settled(begun, once, {"w": torch.tensor(1)}), once)
    assert begun["w.scale"] == once["w"].abs().max()


@settings(max_examples=50, deadline=None)
@given(weights=st.lists(matrices, min_size=1, max_size=1), clients=st.integers(1, 4), exact=st.booleans())
def test_rows_of_clients_are_clients_one_by_one(weights: list[Tensor], clients: int, exact: bool) -> None:
    many = {"w": torch.stack([weights[0] * (k + 1) + k for k in range(clients)]).double()}
    view, steps = ternary(exact), {"w": torch.arange(clients) % 2}
    begun = view.begin(many)
    moved = {**begun, "w.scale": begun["w.scale"] * 1.1}
    leaves = {name: value.detach().requires_grad_() for name, value in moved.items()}
    seen, settled = view.seen(leaves)["w"], view.settled(moved, begun, steps)["w"]
    assert torch.equal(seen, vmap(view.seen)(moved)["w"])
    factors = torch.arange(seen.numel(), dtype=torch.float64).reshape(seen.shape)
    slopes = torch.autograd.grad((seen * factors).sum(), list(leaves.values()))
    for k in range(clients):
        own = {name: value[k].detach().requires_grad_() for name, value in moved.items()}
        torch.testing.assert_close(begun["w.scale"][k], view.begin({"w": many["w"][k]})["w.scale"])
        assert torch.equal(seen[k], view.seen(own)["w"])
        alone = torch.autograd.grad((view.seen(own)["w"] * factors[k]).sum(), list(own.values()))
        for slope, wanted in zip(slopes, alone, strict=True):
            torch.testing.assert_close(slope[k], wanted)
        first = {name: value[k] for name, value in begun.items()}
        assert torch.equal(settled[k], view.settled(own, first, {"w": steps["w"][k]})["w"])


def test_no_weights_are_ternary_where_none_are_named() -> None:
    params = {"w": numbers(WEIGHT)}
    plain = Ternary()
    for found in (plain.begin(params), plain.seen(params), plain.joined(params), plain.settled(params, params, {})):
        assert found["w"] is params["w"]
    assert method_for(looks(1), 3, recipe="fedavg").ternary == plain


# --- Whose scales ------------------------------------------------------------------------------------------------


def test_matrices_have_a_scale_in_their_part_norms_and_biases_have_none() -> None:
    parts = {"encoder.a": nn.Sequential(nn.Conv1d(2, 4, 3), nn.GroupNorm(2, 4)), "head": nn.LSTM(4, 2)}
    network = Network(parts)
    found = Ternary.of(network, "exact")
    assert found.exact
    assert not Ternary.of(network, "positive").exact
    assert list(found.scales) == ["encoder.a.0.weight", "head.weight_ih_l0", "head.weight_hh_l0"]
    assert found.dimensions == {"encoder.a.0.weight": 3, "head.weight_ih_l0": 2, "head.weight_hh_l0": 2}
    assert network.part_of["encoder.a.0.weight.scale"] == "encoder.a"
    assert network.dimensions["encoder.a.0.weight.scale"] == 0
    assert not set(found.scales.values()) & ({*network.state(), *network.block_of} | set(network.names["head"]))


def test_a_scale_learns_in_the_phase_of_its_part() -> None:
    config = configure({"features": 4, "objective": "chain"})
    method = build_method(config.data, config.recipe, looks(2), 3, 0, "positive")
    first, second = method.phases()
    scales = set(method.ternary.scales.values())
    assert {name.split(".")[1] for name in scales & set(method.trains(first))} == {"m0"}
    assert {name.split(".")[1] for name in scales & set(method.trains(second))} == {"m1"}
    assert set(method.trains(Phase())) == {*method.network.state(), *scales}
