"""Layers with a row of weights for each client do what PyTorch's own layers do client by client, gradients and all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from motet.nets.layers import Conv1d, Conv2d, Embedding, GroupNorm, LayerNorm, Linear, MaxPool1d, take_many

CLIENTS, SAMPLES = 3, 4
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: Linear(5, 2), (5,)),
    "convolution over time": (lambda: Conv1d(2, 3, 5, padding=2), (2, 7)),
    "convolution without padding": (lambda: Conv1d(2, 3, 3), (2, 7)),
    "convolution over a picture": (lambda: Conv2d(2, 4, 3, padding=1), (2, 5, 4)),
    "group norm over time": (lambda: GroupNorm(2, 6), (6, 5)),
    "group norm over a picture": (lambda: GroupNorm(3, 6), (6, 2, 3)),
    "layer norm": (lambda: LayerNorm(6), (6,)),
    "embedding": (lambda: Embedding(11, 3), (4,)),
}
every_layer = pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS)
shared_or_own = pytest.mark.parametrize("shared", [True, False], ids=["shared", "own"])


def drawn(
    make: Callable[[], nn.Module], shape: tuple[int, ...], shared: bool
) -> tuple[nn.Module, Tensor, Tensor, list[Tensor]]:
    """Return a layer, samples (B * K, ...), what to weigh its answers with, and weights with a row a client."""
    torch.manual_seed(5)
    layer = make().double()
    x = torch.randn(CLIENTS * SAMPLES, *shape, dtype=torch.float64)
    if isinstance(layer, Embedding):
        x = torch.randint(0, 11, x.shape)
    answers = torch.randn_like(layer(x))
    weights = [
        (value if shared else value + torch.randn(CLIENTS, *value.shape))
        .detach()
        .double()
        .expand(CLIENTS, *value.shape)
        for value in layer.parameters()
    ]
    return layer, x, answers, weights


def gradients(layer: nn.Module, x: Tensor, answers: Tensor, weights: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Return what a layer answers, and the gradients of its weights and of its samples."""
    learn = [value.detach().requires_grad_() for value in weights]
    if x.is_floating_point():
        x = x.detach().requires_grad_()
    names = [name for name, _ in layer.named_parameters()]
    found = functional_call(layer, dict(zip(names, learn, strict=True)), (x,))
    wanted = [*learn, x] if x.is_floating_point() else learn
    return found.detach(), list(torch.autograd.grad((found * answers).sum(), wanted))


@every_layer
@shared_or_own
def test_clients_at_once_are_clients_one_by_one(
    make: Callable[[], nn.Module], shape: tuple[int, ...], shared: bool
) -> None:
    layer, x, answers, weights = drawn(make, shape, shared)
    found, at_once = gradients(layer, x, answers, weights)
    for k in range(CLIENTS):
        rows = slice(k, None, CLIENTS)
        own, alone = gradients(layer, x[rows], answers[rows], [value[k] for value in weights])
        torch.testing.assert_close(found[rows], own, rtol=1e-12, atol=1e-12)
        for gradient, wanted, is_weight in zip(at_once, alone, [True] * len(weights) + [False], strict=False):
            torch.testing.assert_close(gradient[k] if is_weight else gradient[rows], wanted, rtol=1e-11, atol=1e-11)


@every_layer
def test_with_plain_weights_a_layer_is_pytorchs_to_the_bit(
    make: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    layer, x, answers, _ = drawn(make, shape, True)
    own = [value.detach() for value in layer.parameters()]
    plain = type(layer).__base__
    assert plain is not None
    found, learnt = gradients(layer, x, answers, own)
    layer.__class__ = plain
    expected, wanted = gradients(layer, x, answers, own)
    assert torch.equal(found, expected)
    assert all(torch.equal(one, other) for one, other in zip(learnt, wanted, strict=True))


@given(
    st.integers(1, 4),
    st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, -1.0]), min_size=7, max_size=7), min_size=1, max_size=3),
)
def test_pooling_is_pytorchs_to_the_bit_ties_and_all(size: int, rows: list[list[float]]) -> None:
    x = torch.tensor(rows)[:, None].requires_grad_()
    ours, theirs = MaxPool1d(size)(x), F.max_pool1d(x, size)
    assert torch.equal(ours, theirs)
    answers = torch.arange(1.0, 1 + ours.numel()).reshape(ours.shape)
    one, other = (torch.autograd.grad(found, x, answers)[0] for found in (ours, theirs))
    assert torch.equal(one, other)


def test_pooling_vectorises() -> None:
    x = torch.randn(3, 2, 4, 9, dtype=torch.float64)

    def loss(own: Tensor) -> Tensor:
        return MaxPool1d(2)(own).square().sum()

    at_once = torch.func.vmap(torch.func.grad(loss))(x)
    assert torch.equal(at_once, torch.stack([torch.func.grad(loss)(own) for own in x]))


def test_a_module_takes_many_clients_if_all_its_parameters_are_in_such_layers() -> None:
    assert take_many(nn.Sequential(Linear(2, 2), nn.ReLU(), MaxPool1d(2), LayerNorm(2)))
    assert not take_many(nn.Sequential(Linear(2, 2), nn.Linear(2, 2)))
    assert not take_many(nn.LSTM(2, 2))
