"""The work that is measured: K clients with n noise samples of two signals, one step each; and its floor.

The floor is what no engine can beat: one model in plain PyTorch that sees the same samples once, forward and backward,
in the best of several batch sizes; nothing is sent, joined, drawn or recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motet.data.dataset import TEST, TRAIN, ArrayDataset, Modality
from motet.engine.federation import build_federation
from motet.engine.interrupt import Stop
from motet.engine.run import Runner
from motet.engine.state import initial_state
from motet.engine.watch import Watch
from motet.learn.recipe import resolve
from motet.nets.encoder import ENCODERS
from motet.nets.layers import Conv1d, GroupNorm, Linear, MaxPool1d
from motet.stream.arrivals import Stream

SIGNALS, CHANNELS, LENGTH, CLASSES, FEATURES = ("acc", "gyro"), 3, 128, 6, 64
SMALLEST_SHARE = 8
"""Motet merges smaller shares, so clients with fewer samples are given that many and use the first."""


def _convolution(conv: type[nn.Conv1d], norm: type[nn.GroupNorm], pool: Callable[[int], nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        conv(CHANNELS, 32, 5, padding=2), norm(4, 32), pool(4), nn.ReLU(),
        conv(32, 64, 5, padding=2), norm(8, 64), nn.ReLU(),
    )  # fmt: skip


class Convolution(nn.Module):
    """The model of the benchmark: two convolutions with GroupNorm, pooling by 4, the mean over time; linear."""

    def __init__(self, modality: Modality, features: int) -> None:
        super().__init__()
        self.body, self.out = _convolution(Conv1d, GroupNorm, MaxPool1d), Linear(64, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.body(x).mean(-1))


class PlainConvolution(nn.Module):
    """The same of PyTorch's layers."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = _convolution(nn.Conv1d, nn.GroupNorm, nn.MaxPool1d), nn.Linear(64, FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.body(x).mean(-1))


class PlainPerceptron(nn.Module):
    """`motet.nets.vector.Perceptron` of PyTorch's layers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(CHANNELS * LENGTH, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, FEATURES)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class PlainRecurrence(nn.Module):
    """`motet.nets.signal.SignalRecurrence` of PyTorch's layers."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrence, self.out = nn.LSTM(CHANNELS, 64, batch_first=True), nn.Linear(64, FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.recurrence(x.transpose(1, 2))[0][:, -1])


ENCODERS["signal"]["benchmark"] = Convolution
PLAIN = {"benchmark": PlainConvolution, "mlp": PlainPerceptron, "lstm": PlainRecurrence}


def noise(clients: int, samples: int) -> ArrayDataset:
    """Make the data: standard normal signals and random classes."""
    rng = np.random.default_rng(0)
    n = clients * max(samples, SMALLEST_SHARE)
    split = np.append(np.full(n, TRAIN), np.full(64, TEST)).astype(np.uint8)
    owner = np.append(np.arange(n) * clients // n, np.zeros(64, dtype=np.int64))
    return ArrayDataset(
        name="noise",
        modalities={m: Modality(m, "signal", (CHANNELS, LENGTH), 50.0) for m in SIGNALS},
        classes=tuple("abcdef"),
        y=rng.integers(0, CLASSES, n + 64),
        split=split,
        x={m: rng.standard_normal((n + 64, CHANNELS, LENGTH)).astype(np.float32) for m in SIGNALS},
        client=owner,
        time=np.arange(n + 64, dtype=np.float64),
    )


class Training:
    """A run of Motet whose rounds are timed one by one, evaluation left out."""

    def __init__(self, dataset: ArrayDataset, samples: int, engine: str, encoder: str, **settings: object) -> None:
        config = resolve(
            {
                "recipe": "fedavg", "engine": engine, "encoder": encoder, "batch_size": samples, "rounds": 10**6,
                "evaluate_every": 10**6, "optimizer": "sgd", "lr": 0.01, "flags": "oracle", **settings,
            }
        )  # fmt: skip
        federation = build_federation(config, dataset, Watch())
        streams = federation.views.streams
        streams |= {k: Stream(stream.share[:samples], config.stream, 0, k) for k, stream in streams.items()}
        self.runner, self.state = Runner(federation, Watch()), initial_state(federation)
        self.chunk = self.runner.engine.chunk

    def round(self) -> float:
        """Train a round; return seconds."""
        before = self.state.seconds["first"] + self.state.seconds["train"]
        self.state, _ = self.runner.step(self.state, Stop())
        return self.state.seconds["first"] + self.state.seconds["train"] - before


class Floor:
    """One model over all samples once; the batch size is the best of a few."""

    def __init__(self, dataset: ArrayDataset, clients: int, samples: int, encoder: str) -> None:
        each = max(samples, SMALLEST_SHARE)
        rows = np.concatenate([np.arange(k * each, k * each + samples) for k in range(clients)])
        self.x = {m: torch.from_numpy(dataset.x[m][rows]) for m in SIGNALS}
        self.y = torch.from_numpy(dataset.y[rows])
        self.encoders = {m: PLAIN[encoder]() for m in SIGNALS}
        width = FEATURES * len(SIGNALS)
        self.head = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, CLASSES))
        self.batch = min((100, 200, 300, 500), key=lambda size: min(self._pass(size) for _ in range(3)))

    def round(self) -> float:
        """Pass over the samples; return seconds."""
        return self._pass(self.batch)

    def _pass(self, size: int) -> float:
        modules = [*self.encoders.values(), self.head]
        began = time.perf_counter()
        for low in range(0, len(self.y), size):
            features = [self.encoders[m](x[low : low + size]) for m, x in self.x.items()]
            F.cross_entropy(self.head(torch.cat(features, dim=-1)), self.y[low : low + size]).backward()
            for module in modules:
                module.zero_grad()
        return time.perf_counter() - began
