"""Encoders of signals: (batch, channels, time) to (batch, d)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motet.data.dataset import Modality
from motet.errors import InputError
from motet.nets.layers import Conv1d, GroupNorm, LayerNorm, Linear, MaxPool1d


class SignalConvolution(nn.Module):
    """Two 1-D convolutions with GroupNorm; mean and maximum over time; linear."""

    def __init__(self, modality: Modality, features: int) -> None:
        super().__init__()
        channels, length = modality.shape
        self.first = Conv1d(channels, 32, 5, padding=2)
        self.first_norm = GroupNorm(4, 32)
        self.pool = MaxPool1d(2) if length >= 2 else nn.Identity()
        self.second = Conv1d(32, 64, 5, padding=2)
        self.second_norm = GroupNorm(8, 64)
        self.out = Linear(128, features)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.pool(self.first_norm(self.first(x))))  # the maximum first: the same bits, fewer to rectify
        x = F.relu(self.second_norm(self.second(x)))
        return self.out(torch.cat([x.mean(-1), x.amax(-1)], dim=-1))  # type: ignore[no-any-return]


class SignalRecurrence(nn.Module):
    """A recurrent network over time; its last state; linear."""

    def __init__(self, modality: Modality, features: int, cell: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.recurrence = cell(modality.shape[0], 64, batch_first=True)
        self.out = Linear(64, features)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.recurrence(x.transpose(1, 2))
        return self.out(states[:, -1])  # type: ignore[no-any-return]


class Summarised(nn.Module):
    """Mean, deviation and log-spectrum bins of each channel, which is what an encoder is given (`prepare`)."""

    bins = 8
    average: Tensor

    def __init__(self, modality: Modality) -> None:
        super().__init__()
        channels, length = modality.shape
        frequencies = length // 2 + 1
        edges = torch.linspace(0, frequencies, min(self.bins, frequencies) + 1).round().long()
        low, high = edges[:-1, None], edges[1:, None]
        inside = (torch.arange(frequencies) >= low) & (torch.arange(frequencies) < high)
        self.register_buffer("average", inside / inside.sum(1, keepdim=True), persistent=False)
        self.width = channels * (2 + len(inside))

    def prepare(self, x: Tensor) -> Tensor:
        """Summarise signals, (B, channels, time) to (B, channels * (2 + bins))."""
        if len(x) == 0:  # the transform of an empty batch is refused
            return x.new_zeros(0, self.width)
        transformed = torch.fft.rfft(x, dim=-1, norm="ortho")
        power = transformed.real.square() + transformed.imag.square()
        spectrum = torch.log(power @ self.average.to(x).T + 1e-3)
        mean = x.mean(-1, keepdim=True)
        deviation = (x - mean).square().mean(-1).add(1e-6).sqrt()  # ten times as fast as `var`
        return torch.cat([mean.squeeze(-1), deviation, spectrum.flatten(1)], dim=-1)


class SignalSummary(Summarised):
    """The summary into a two-layer perceptron."""

    def __init__(self, modality: Modality, features: int) -> None:
        super().__init__(modality)
        self.hidden = Linear(self.width, 64)
        self.norm = LayerNorm(64)
        self.out = Linear(64, features)

    def forward(self, summary: Tensor) -> Tensor:
        return self.out(F.relu(self.norm(self.hidden(summary))))  # type: ignore[no-any-return]


class SignalFixed(Summarised):
    """The summary as it is: nothing is trained, so that linear heads (`late`) make a convex model.

    Centred and of unit length, as steps of a convex model are bounded by the length of its features; zeros fill it up.
    """

    def __init__(self, modality: Modality, features: int) -> None:
        super().__init__(modality)
        if features < self.width:
            raise InputError(
                f"--encoder fixed makes {self.width} numbers of {modality.name}: set --features {self.width} or more"
            )
        self.features = features

    def forward(self, summary: Tensor) -> Tensor:
        centred = summary - summary.mean(-1, keepdim=True)
        return F.pad(F.normalize(centred, dim=-1), (0, self.features - self.width))
