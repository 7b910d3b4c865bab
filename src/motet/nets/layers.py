"""Layers that also take a row of weights for each of K clients, and then treat their batch as K clients' in turn.

With weights of the usual shape they are PyTorch's own, to the bit. With a further first dimension the batch holds B
samples of each client, (K * B, ...): the vector engine gives every client its weights this way and gets every client's
gradient from one backward pass, through a few large operations where `torch.func.vmap` would make many small ones.
While all clients still share their weights (`Tensor.expand`, nothing is copied) features cost what they cost in one
plain batch; only the gradient is told apart.
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
        return _Multiply.apply(input, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]


class Conv1d(nn.Conv1d):
    """`torch.nn.Conv1d` with stride 1 and zero padding."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if self.weight.dim() == 3:
            return super().forward(input)
        return _Convolve.apply(input, self.weight, self.bias, self.padding)  # type: ignore[no-any-return, no-untyped-call]


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d` with stride 1 and zero padding."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if self.weight.dim() == 4:
            return super().forward(input)
        return _Convolve.apply(input, self.weight, self.bias, self.padding)  # type: ignore[no-any-return, no-untyped-call]


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
        return _Normalise.apply(input, self.weight, self.bias, self.num_groups, self.eps)  # type: ignore[no-any-return, no-untyped-call]


class LayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm` over the last dimension of (B, features)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if self.weight.dim() == 1:
            return super().forward(input)
        plain = _apart(F.layer_norm(input, self.normalized_shape, eps=self.eps), self.weight)
        return (plain * self.weight[:, None] + self.bias[:, None]).flatten(0, 1)


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


def _apart(batch: Tensor, weight: Tensor) -> Tensor:
    """Part a batch by client, (K * B, ...) to (K, B, ...)."""
    clients = len(weight)
    return batch.reshape(clients, len(batch) // clients, *batch.shape[1:])


def _shared(weight: Tensor) -> bool:
    return weight.stride(0) == 0


def _aside(batch: Tensor, clients: int) -> Tensor:
    """Put clients side by side as groups of channels, (K * B, C, ...) to (B, K * C, ...)."""
    parted = batch.reshape(clients, len(batch) // clients, *batch.shape[1:])
    return parted.transpose(0, 1).flatten(1, 2)


def _in_turn(batch: Tensor, clients: int) -> Tensor:
    """Undo `_aside`."""
    parted = batch.reshape(len(batch), clients, batch.shape[1] // clients, *batch.shape[2:])
    return parted.transpose(0, 1).flatten(0, 1)


class _Multiply(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        if _shared(weight):
            return F.linear(x, weight[0], bias[0])
        return torch.baddbmm(bias[:, None], _apart(x, weight), weight.transpose(1, 2)).flatten(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        own = _apart(gradient, weight)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = gradient @ weight[0] if _shared(weight) else (own @ weight).flatten(0, 1)
        return to_x, own.transpose(1, 2) @ _apart(x, weight), own.sum(1)


class _Convolve(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, padding: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding = padding
        if _shared(weight):
            return _convolution(x, weight[0], bias[0], *_plain(padding), 1)  # type: ignore[no-any-return]
        k = len(weight)
        found = _convolution(_aside(x, k), weight.flatten(0, 1), bias.flatten(), *_plain(padding), k)
        return _in_turn(found, k)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), how = ctx.saved_tensors, _plain(ctx.padding)
        k, to_x, with_x = len(weight), None, ctx.needs_input_grad[0]
        if with_x and _shared(weight):
            to_x = _gradients(gradient, x, weight[0], None, *how, 1, [True, False, False])[0]
            with_x = False
        kernel = weight.flatten(0, 1) if with_x else weight.new_empty(k * weight.shape[1], *weight.shape[2:])
        mask = [with_x, True, False]
        aside, to_weight, _ = _gradients(_aside(gradient, k), _aside(x, k), kernel, None, *how, k, mask)
        if with_x:
            to_x = _in_turn(aside, k)
        to_bias = _apart(gradient.flatten(2).sum(2), weight).sum(1)
        return to_x, to_weight.reshape(weight.shape), to_bias, None


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
        offset = torch.zeros_like(found, dtype=torch.int32)
        for place in range(size - 2, -1, -1):  # the first of equal ones counts
            offset = (x[..., place:whole:size] != found).int() * (offset + 1)
        index = (torch.arange(0, whole, size, device=x.device) + offset).long()
        return torch.zeros_like(x).scatter(-1, index, gradient), None


class _Normalise(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        x = x.contiguous()
        ctx.groups, ctx.sizes = groups, (x.shape[0], x.shape[1], x.shape[2:].numel())
        scale, shift = (weight[0], bias[0]) if _shared(weight) else (None, None)
        samples, channels, places = ctx.sizes
        found, mean, deviation = torch.native_group_norm(x, scale, shift, samples, channels, places, groups, eps)
        ctx.save_for_backward(x, weight, mean, deviation)
        if _shared(weight):
            return found
        return torch.addcmul(_per_channel(bias, x), _apart(found, weight), _per_channel(weight, x)).flatten(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, deviation = ctx.saved_tensors
        shift = gradient.flatten(2).sum(2)
        product = (gradient * x).flatten(2).sum(2)
        spread = x.shape[1] // ctx.groups
        centre, inverse = (value.repeat_interleave(spread, 1) for value in (mean, deviation))
        scale = (product - shift * centre) * inverse
        own = weight[0] if _shared(weight) else None
        if own is None:
            gradient = (_apart(gradient, weight) * _per_channel(weight, x)).flatten(0, 1)
        to_x = torch.ops.aten.native_group_norm_backward(
            gradient.contiguous(), x, mean, deviation, own, *ctx.sizes, ctx.groups, [True, False, False]
        )[0]
        return to_x, _apart(scale, weight).sum(1), _apart(shift, weight).sum(1), None, None


def _per_channel(value: Tensor, x: Tensor) -> Tensor:
    """Return each client's (K, C) so that it broadcasts over (K, B, C, ...)."""
    return value.reshape(len(value), 1, value.shape[1], *[1] * (x.dim() - 2))


class _Look(Function):
    @staticmethod
    def forward(ctx: Any, tokens: Tensor, weight: Tensor) -> Tensor:
        clients, words = weight.shape[:2]
        own = _apart(tokens, weight) + words * torch.arange(clients, device=tokens.device).reshape(
            -1, *[1] * tokens.dim()
        )
        ctx.save_for_backward(own)
        ctx.shape = weight.shape
        return (
            F.embedding(tokens, weight[0]) if _shared(weight) else F.embedding(own, weight.flatten(0, 1)).flatten(0, 1)
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (own,) = ctx.saved_tensors
        found = gradient.new_zeros(ctx.shape[0] * ctx.shape[1], ctx.shape[2])
        found.index_add_(0, own.flatten(), gradient.flatten(0, -2))
        return None, found.reshape(ctx.shape)
