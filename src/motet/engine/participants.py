"""Who takes part in a round, and who of them drops out."""

from __future__ import annotations

import builtins

import numpy as np

from motet.config import Config
from motet.random import permutation, uniform

DROPPED_OUT = "It dropped out."


def participants(config: Config, clients: int, round: int) -> list[int]:  # noqa: A002
    """Return who takes part in a round, in client order.

    max(1, round(pK)) clients without replacement; or each with probability p (Poisson sampling), so perhaps nobody.
    """
    if config.clients.sampling == "poisson":
        drawn = uniform(config.run.seed, "sampling", round=round, client=np.arange(clients))
        return [int(k) for k in np.flatnonzero(drawn < config.clients.participation)]
    order = permutation(config.run.seed, "participation", clients, round=round)
    return sorted(order[: _count(config, clients)].tolist())


def dropouts(config: Config, chosen: list[int], round: int) -> list[int]:  # noqa: A002
    """Return which of a round's participants hear the server and are not heard, each with the same probability."""
    if config.clients.client_dropout == 0:
        return []
    drawn = uniform(config.run.seed, "dropout", round=round, client=np.array(chosen, dtype=np.int64))
    return [k for k, own in zip(chosen, drawn, strict=True) if own < config.clients.client_dropout]


def expected_share(config: Config, clients: int) -> float:
    """Return the share of the clients that take part in a round, on average."""
    return config.clients.participation if config.clients.sampling == "poisson" else _count(config, clients) / clients


def _count(config: Config, clients: int) -> int:
    return max(1, builtins.round(config.clients.participation * clients))
