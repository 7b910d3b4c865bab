"""Layers that also take a row of weights for each of K clients, and then treat their batch as K clients' side by side.

With weights of the usual shape they are PyTorch's own, to the bit. With a further first dimension the batch holds B
samples of each client, (B * K, ...), every client's first sample before anybody's second: so the same memory, seen as
(B, K * C, ...), has the clients as groups of channels, which convolutions and GroupNorm know how to keep apart. The
vector engine gives every client its weights this way and gets every client's gradient from one backward pass, through a
few large operations where `torch.func.vmap` would make many small ones. While all clients still share their weights
(`Tensor.expand`, nothing is copied) features cost what they cost in one plain batch; only the gradient is told apart.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_convolution, _gradients = torch.ops.aten.convolution, torch.ops.aten.convolution_backward


class Linear(nn.Linear):
    """`torch.nn.Linear` over (B, in)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if self.weight.dim() == 2:
            return super().forward(input)
        if _shared(self.weight):
            return _Multiply.apply(input, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]
        found = torch.baddbmm(self.bias[:, None], _by_client(input, len(self.weight)), self.weight.transpose(1, 2))
        return found.transpose(0, 1).flatten(0, 1)


class Conv1d(nn.Conv1d):
    """`torch.nn.Conv1d` with stride 1 and zero padding."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return super().forward(input) if self.weight.dim() == 3 else _convolve(self, input)


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d` with stride 1 and zero padding."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return super().forward(input) if self.weight.dim() == 4 else _convolve(self, input)


class MaxPool1d(nn.MaxPool1d):
    """`torch.nn.MaxPool1d` over stretches that touch without overlap, to the bit, and several times as fast to train.

    PyTorch's kernel that also notes where the maximum stood is ten times as slow as the one that does not; the places
    are found again when the gradient needs them.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__(kernel_size)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return _Pool.apply(input, self.kernel_size)  # type: ignore[no-any-return, no-untyped-call]


class GroupNorm(nn.GroupNorm):
    """`torch.nn.GroupNorm`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if self.weight.dim() == 1:
            return super().forward(input)
        clients = len(self.weight)
        scale, shift = self.weight.flatten(), self.bias.flatten()
        found = F.group_norm(_as_channels(input, clients), clients * self.num_groups, scale, shift, self.eps)
        return found.reshape(input.shape)


class LayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm` over the last dimension of (B, features)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if self.weight.dim() == 1:
            return super().forward(input)
        plain = F.layer_norm(input, self.normalized_shape, eps=self.eps)
        parted = plain.reshape(-1, *self.weight.shape)
        return (parted * self.weight + self.bias).flatten(0, 1)


class Embedding(nn.Embedding):
    """`torch.nn.Embedding`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if self.weight.dim() == 2:
            return super().forward(input)
        return _Look.apply(input, self.weight)  # type: ignore[no-any-return, no-untyped-call]


def take_many(module: nn.Module) -> bool:
    """Return whether every parameter of a module belongs to a layer that takes many clients' weights."""
    kinds = (Linear, Conv1d, Conv2d, GroupNorm, LayerNorm, Embedding)
    return all(isinstance(part, kinds) or not any(True for _ in part.parameters(False)) for part in module.modules())


def _by_client(batch: Tensor, clients: int) -> Tensor:
    """Part a batch by client, (B * K, ...) to (K, B, ...)."""
    return batch.reshape(-1, clients, *batch.shape[1:]).transpose(0, 1)


def _as_channels(batch: Tensor, clients: int) -> Tensor:
    """See the clients as groups of channels, (B * K, C, ...) to (B, K * C, ...)."""
    return batch.reshape(len(batch) // clients, clients * batch.shape[1], *batch.shape[2:])


def _shared(weight: Tensor) -> bool:
    return weight.stride(0) == 0


class _Multiply(Function):
    """A linear layer through weights that all share, whose gradient is each client's own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.linear(x, weight[0], bias[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        own, seen = _by_client(gradient, len(weight)), _by_client(x, len(weight))
        to_x = gradient @ weight[0] if ctx.needs_input_grad[0] else None
        return to_x, own.transpose(1, 2) @ seen, own.sum(1)


def _convolve(layer: nn.Conv1d | nn.Conv2d, x: Tensor) -> Tensor:
    padding = layer.padding
    assert not isinstance(padding, str)
    weight, bias, clients = layer.weight, layer.bias, len(layer.weight)
    assert bias is not None
    if _shared(weight):
        return _Convolve.apply(x, weight, bias, padding)  # type: ignore[no-any-return, no-untyped-call]
    found = _convolution(_as_channels(x, clients), weight.flatten(0, 1), bias.flatten(), *_plain(padding), clients)
    return found.reshape(len(x), -1, *found.shape[2:])  # type: ignore[no-any-return]


class _Convolve(Function):
    """A convolution through weights that all share, whose gradient is each client's own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, padding: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding = padding
        return _convolution(x, weight[0], bias[0], *_plain(padding), 1)  # type: ignore[no-any-return]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), how = ctx.saved_tensors, _plain(ctx.padding)
        clients, channels, to_x = len(weight), len(weight) * weight.shape[1], None
        if ctx.needs_input_grad[0]:
            to_x = _gradients(gradient, x, weight[0], None, *how, 1, [True, False, False])[0]
        kernel = weight.new_empty(channels, *weight.shape[2:])  # only its shape is read
        aside, samples, mask = _as_channels(gradient, clients), _as_channels(x, clients), [False, True, True]
        _, to_weight, to_bias = _gradients(aside, samples, kernel, [channels], *how, clients, mask)
        return to_x, to_weight.reshape(weight.shape), to_bias.reshape(weight.shape[:2]), None


def _plain(padding: tuple[int, ...]) -> tuple[Any, ...]:
    """Return stride, padding, dilation, transposed and output padding, as PyTorch's operators take them."""
    ones = [1] * len(padding)
    return ones, list(padding), ones, False, [0] * len(padding)


class _Pool(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, size: int) -> Tensor:
        return F.max_pool1d(x.detach(), size)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.size = inputs
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, found), size = ctx.saved_tensors, ctx.size
        whole = found.shape[-1] * size
        offset = torch.zeros_like(found, dtype=torch.int16)
        for place in range(size - 2, -1, -1):  # the first of equal ones counts
            offset = (x[..., place:whole:size] != found) * (offset + 1)
        index = torch.arange(0, whole, size, device=x.device) + offset
        return gradient.new_zeros(()).expand(x.shape).scatter(-1, index, gradient), None  # zeros are written once


class _Look(Function):
    @staticmethod
    def forward(ctx: Any, tokens: Tensor, weight: Tensor) -> Tensor:
        clients, words = weight.shape[:2]
        first = words * torch.arange(clients, device=tokens.device)
        own = tokens + first.repeat(len(tokens) // clients).reshape(-1, *[1] * (tokens.dim() - 1))
        ctx.save_for_backward(own)
        ctx.shape = weight.shape
        return F.embedding(tokens, weight[0]) if _shared(weight) else F.embedding(own, weight.flatten(0, 1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (own,) = ctx.saved_tensors
        found = gradient.new_zeros(ctx.shape[0] * ctx.shape[1], ctx.shape[2])
        found.index_add_(0, own.flatten(), gradient.flatten(0, -2))
        return None, found.reshape(ctx.shape)
