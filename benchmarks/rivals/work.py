"""The work that every rival does: data, network, and the plain loop that its result is checked against.

K clients hold n samples each of two modalities, (3, 128) noise, and six classes at random. In a round every client
takes one step of SGD on all its data, from the global model; the global model becomes the mean of theirs. Nothing is
evaluated. Only PyTorch is imported, so that the file runs in any rival's environment.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MODALITIES = ("acc", "gyro")
CHANNELS, LENGTH, CLASSES = 3, 128, 6
LR = 0.01
CHECKED_ROUNDS = 3

Client = tuple[Tensor, Tensor, Tensor]  # acc, gyro, labels
State = dict[str, Tensor]


class Encoder(nn.Module):
    """Two 1-D convolutions with GroupNorm; mean over time; linear."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(CHANNELS, 32, 5, padding=2)
        self.first_norm = nn.GroupNorm(4, 32)
        self.second = nn.Conv1d(32, 64, 5, padding=2)
        self.second_norm = nn.GroupNorm(8, 64)
        self.out = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.max_pool1d(self.first_norm(self.first(x)), 4))
        x = F.relu(self.second_norm(self.second(x)))
        return self.out(x.mean(-1))


class Network(nn.Module):
    """An encoder for each modality; a head on the concatenated features."""

    def __init__(self) -> None:
        super().__init__()
        self.acc, self.gyro = Encoder(), Encoder()
        self.head = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, CLASSES))

    def forward(self, acc: Tensor, gyro: Tensor) -> Tensor:
        return self.head(torch.cat([self.acc(acc), self.gyro(gyro)], dim=-1))


def initial_network() -> Network:
    """Return the network with the same weights on every call."""
    torch.manual_seed(0)
    return Network()


def client(number: int, samples: int) -> Client:
    """Return a client's data, the same on every call and in every process."""
    random = torch.Generator().manual_seed(number)
    acc, gyro = (torch.randn(samples, CHANNELS, LENGTH, generator=random) for _ in MODALITIES)
    return acc, gyro, torch.randint(CLASSES, (samples,), generator=random)


def step(network: Network, data: Client) -> None:
    """Take one step of SGD on all of a client's data."""
    acc, gyro, labels = data
    optimiser = torch.optim.SGD(network.parameters(), lr=LR)
    optimiser.zero_grad()
    F.cross_entropy(network(acc, gyro), labels).backward()
    optimiser.step()


def by_hand(clients: int, samples: int, rounds: int) -> State:
    """Return the global model after some rounds of the plain loop; sums are in float64."""
    network = initial_network()
    model = {name: value.clone() for name, value in network.state_dict().items()}
    for _ in range(rounds):
        total = {name: torch.zeros_like(value, dtype=torch.float64) for name, value in model.items()}
        for number in range(clients):
            network.load_state_dict(model)
            step(network, client(number, samples))
            for name, value in network.state_dict().items():
                total[name] += value
        model = {name: (value / clients).float() for name, value in total.items()}
    return model


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the options that all rivals have."""
    out = argparse.ArgumentParser(description=description)
    out.add_argument("--clients", type=int, default=30)
    out.add_argument("--samples", type=int, default=20)
    out.add_argument("--rounds", type=int, default=10, help="timed rounds; one more goes before them")
    out.add_argument("--threads", type=int, default=2, help="CPU cores to use")
    out.add_argument("--check", action="store_true", help="compare with the plain loop instead of timing")
    return out


def report(rival: str, version: str, options: argparse.Namespace, stamps: Sequence[float]) -> None:
    """Print the line of results; `stamps` are the ends of rounds, so that the first round only starts the clock."""
    given = {name: value for name, value in vars(options).items() if name not in ("rounds", "check")}
    seconds = [round(after - before, 6) for before, after in itertools.pairwise(stamps)]
    line = {
        "rival": rival,
        "version": version,
        "torch": torch.__version__,
        **given,
        "rounds": seconds,
        "median_s": round(statistics.median(seconds), 6),
    }
    print(json.dumps(line), flush=True)


def distance(a: State, b: State) -> float:
    """Return the Euclidean distance of two models."""
    return sum(float((a[name].double() - value.double()).square().sum()) for name, value in b.items()) ** 0.5


def check(rival: str, options: argparse.Namespace, model: State) -> int:
    """Compare a rival's model after CHECKED_ROUNDS with the plain loop's; print a line, return an exit code.

    The difference has to be small beside what training changed, not beside the weights, or an untrained model passed.
    A rate of learning that is wrong by one in a hundred does not pass.
    """
    start = initial_network().state_dict()
    expected = by_hand(options.clients, options.samples, CHECKED_ROUNDS)
    update = distance(expected, start)
    difference = distance(model, expected) / update
    equal = difference < 3e-3
    line = {"rival": rival, "equal": equal, "relative_difference": difference, "update_norm": update}
    print(json.dumps(line), flush=True)
    return 0 if equal else 1
