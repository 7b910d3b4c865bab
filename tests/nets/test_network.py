"""A network as named parts and a flat state."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from motet.nets.network import Network, make_part


@pytest.fixture
def network() -> Network:
    return Network({"head": nn.Linear(2, 1), "encoder.acc": nn.Sequential(nn.Linear(3, 2), nn.ReLU())})


def test_a_parameter_s_name_is_its_part_s_and_its_own(network: Network) -> None:
    shapes = {name: tuple(value.shape) for name, value in network.state().items()}
    assert shapes == {
        "head.weight": (1, 2),
        "head.bias": (1,),
        "encoder.acc.0.weight": (2, 3),
        "encoder.acc.0.bias": (2,),
    }


def test_state_is_a_copy_that_does_not_learn(network: Network) -> None:
    state = network.state()
    assert not any(value.requires_grad for value in state.values())
    state["head.weight"].add_(1)
    assert not torch.equal(network.state()["head.weight"], state["head.weight"])


def test_parts_may_begin_with_other_parameters(network: Network) -> None:
    state = {name: torch.full_like(value, 3.0) for name, value in network.state().items()}
    network.begin(state)
    state["head.weight"].zero_()
    assert all(bool((value == 3).all()) for value in network.state().values())


def test_what_an_encoder_computes_without_weights_is_prepared_and_the_rest_stays_as_it_is() -> None:
    class Doubles(nn.Linear):
        def prepare(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    network = Network({"encoder.a": Doubles(2, 1), "encoder.b": nn.Linear(2, 1)})
    x = torch.tensor([[1.0, 3.0]])
    prepared = network.prepare({"a": x, "b": x})
    assert prepared["a"].tolist() == [[2, 6]]
    assert prepared["b"] is x
    assert list(network.prepare({"b": x})) == ["b"]


def test_parts_are_called_with_the_parameters_given(network: Network) -> None:
    params = {name: torch.zeros_like(value) for name, value in network.state().items()}
    params["head.weight"] = torch.tensor([[2.0, -1.0]])
    params["head.bias"] = torch.tensor([0.5])
    x = torch.tensor([[3.0, 4.0]])
    assert network(params, "head", x).item() == pytest.approx(2.5)  # 2 * 3 - 4 + .5
    assert network.bind(params)("head", x).item() == pytest.approx(2.5)
    assert not torch.equal(network.state()["head.weight"], params["head.weight"])  # its own are as they were


def test_gradients_reach_the_parameters_given_and_no_others(network: Network) -> None:
    params = {name: value.requires_grad_() for name, value in network.state().items()}
    network.bind(params)("head", torch.tensor([[3.0, 4.0]])).sum().backward()  # type: ignore[no-untyped-call]
    assert params["head.weight"].grad is not None
    assert torch.equal(params["head.weight"].grad, torch.tensor([[3.0, 4.0]]))
    assert params["encoder.acc.0.weight"].grad is None
    assert all(p.grad is None for module in network.parts.values() for p in module.parameters())


def test_through_a_frozen_network_gradients_reach_the_input_alone(network: Network) -> None:
    params = {name: value.requires_grad_() for name, value in network.state().items()}
    bound, x = network.bind(params), torch.tensor([[3.0, 4.0]], requires_grad=True)
    answer = bound.frozen()("head", x)
    torch.testing.assert_close(answer, bound("head", x))
    gradient, *others = torch.autograd.grad(answer.sum(), [x, *params.values()], allow_unused=True)
    assert torch.equal(gradient, params["head.weight"].detach())
    assert others == [None] * len(params)


# --- Initial weights ---------------------------------------------------------------------------------------------


def weight(seed: int, name: str, width: int = 4) -> torch.Tensor:
    return make_part(seed, name, lambda: nn.Linear(width, 3)).get_parameter("weight").detach()


def test_a_part_starts_the_same_whatever_else_is_built() -> None:
    first = weight(7, "head")
    weight(7, "encoder.acc", width=50)
    torch.randn(3)
    assert torch.equal(weight(7, "head"), first)


def test_other_seeds_and_other_names_start_differently() -> None:
    starts = [weight(seed, name) for seed in (0, 1, 2**63 - 1) for name in ("head", "head.acc", "head.gyro")]
    for place, one in enumerate(starts):
        assert not any(torch.equal(one, other) for other in starts[:place])


def test_building_leaves_torch_s_own_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.randn(4)
    torch.manual_seed(5)
    weight(0, "head")
    assert torch.equal(torch.randn(4), expected)


def test_building_does_not_depend_on_torch_s_own_random_numbers() -> None:
    torch.manual_seed(5)
    first = weight(0, "head")
    torch.manual_seed(6)
    assert torch.equal(weight(0, "head"), first)


def test_an_error_while_building_restores_torch_s_random_numbers() -> None:
    def fail() -> nn.Module:
        torch.randn(10)
        raise RuntimeError("no")

    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="no"):
        make_part(0, "head", fail)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_modality_s_parts_are_one_block(network: Network) -> None:
    parts = {"encoder.acc": nn.Linear(3, 2), "head.acc": nn.Linear(2, 1), "head": nn.Linear(2, 1)}
    assert {
        name.removesuffix(".weight"): block for name, block in Network(parts).block_of.items() if "weight" in name
    } == {
        "encoder.acc": "acc",
        "head.acc": "acc",
        "head": "head.",
    }
