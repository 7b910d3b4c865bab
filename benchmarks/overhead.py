"""What a client-round costs beyond the work of PyTorch itself.

The rival is the shortest FedAvg loop that one could write by hand: the same network, data, minibatches and optimiser,
arrivals predicted before they are learnt from, updates averaged in client order; no stream, no imbalance, no messages,
no record. The two take turns in one process. What is left of the difference is Motet's own.

    python benchmarks/overhead.py
"""

from __future__ import annotations

import platform
import statistics
import time

import torch

from motet.config import Config
from motet.data.wearables import wearables
from motet.engine.federation import Federation, build_federation
from motet.engine.interrupt import Stop
from motet.engine.run import Runner
from motet.engine.state import ServerState, initial_state
from motet.engine.watch import Watch
from motet.learn.recipe import resolve

CLIENTS, ROUNDS = 30, 12
SETTING = {
    "recipe": "fedavg",
    "clients": CLIENTS,
    "buffer": 20,
    "arrivals": 5,
    "batch_size": 20,
    "rounds": 10_000,
    "evaluate_every": 10_000,
    "modalities": "acc,gyro",
}


def by_hand(federation: Federation, model: dict[str, torch.Tensor], rounds: int) -> float:
    """Train with the hand-written loop; return seconds per client-round."""
    method, config = federation.method, federation.config
    views = [federation.views.view(1, k) for k in range(CLIENTS)]
    data = [({m: torch.from_numpy(x) for m, x in view.x.items()}, torch.from_numpy(view.y)) for view in views]
    parts = method.network.parts
    params = {f"{part}.{name}": p for part, module in parts.items() for name, p in module.named_parameters()}

    def forward(x: dict[str, torch.Tensor]) -> torch.Tensor:
        features = torch.cat([parts[f"encoder.{m}"](x[m]) for m in method.modalities], dim=-1)
        return parts["head"](features)

    began = time.perf_counter()
    for _ in range(rounds):
        total = {name: torch.zeros_like(value) for name, value in model.items()}
        for x, y in data:
            with torch.no_grad():
                for name, value in model.items():
                    params[name].copy_(value)
                arrivals = {m: z[-SETTING["arrivals"] :] for m, z in x.items()}
                torch.nn.functional.cross_entropy(forward(arrivals), y[-SETTING["arrivals"] :])
            optimiser = torch.optim.SGD(params.values(), lr=config.training.lr)
            torch.nn.functional.cross_entropy(forward(x), y).backward()
            optimiser.step()
            optimiser.zero_grad()
            for name, value in params.items():
                total[name] += value.detach()
        model = {name: value / CLIENTS for name, value in total.items()}
    return (time.perf_counter() - began) / rounds / CLIENTS


def by_motet(runner: Runner, state: ServerState, rounds: int) -> tuple[float, ServerState]:
    """Train with Motet; return seconds per client-round and the state."""
    before = state.seconds["first"] + state.seconds["train"]
    for _ in range(rounds):
        state, _ = runner.step(state, Stop())
    return (state.seconds["first"] + state.seconds["train"] - before) / rounds / CLIENTS, state


def main() -> None:
    """Print a table of medians and ranges."""
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, python {platform.python_version()}, {platform.machine()}, 1 thread")
    print(
        f"{CLIENTS} clients x {SETTING['buffer']} samples, one step; median (min..max) of {ROUNDS} turns, milliseconds"
    )
    for encoder in ("conv", "mlp"):
        for recipe in ("fedavg", "qqr"):
            measure(resolve({**SETTING, "encoder": encoder, "recipe": recipe, "flags": "oracle"}))


def measure(config: Config) -> None:
    """Measure one configuration, the two in turns."""
    federation = build_federation(config, wearables(clients=CLIENTS, samples=40), Watch())
    runner = Runner(federation, Watch())
    state = initial_state(federation)
    _, state = by_motet(runner, state, 1)
    by_hand(federation, federation.method.network.state(), 1)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        seconds, state = by_motet(runner, state, 1)
        ours.append(seconds * 1e3)
        theirs.append(by_hand(federation, federation.method.network.state(), 1) * 1e3)
    extra = [a - b for a, b in zip(ours, theirs, strict=True)]
    cells = "  ".join(
        f"{name} {statistics.median(values):6.2f} ({min(values):.2f}..{max(values):.2f})"
        for name, values in (("motet", ours), ("by hand", theirs), ("difference", extra))
    )
    print(f"{config.recipe.recipe:8} {config.data.encoder:5} {cells}")


if __name__ == "__main__":
    main()
