"""Which engine a run gets: by a fixed rule of the configuration, never by the clock, so that it is always the same."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import torch
from torch import nn

from motet.config import Config
from motet.errors import InputError
from motet.nets.network import Network

MOST_SAMPLES = 100
"""Samples of a client above which one client alone fills the processor, and the loop is as fast or faster."""
BLOCK_ROWS = 512
"""Samples of a block's minibatch: enough to make few calls, few enough that features stay in the cache."""
BLOCK_NUMBERS = 2**24
"""Parameters of all clients of a block, at most: what is stacked are they, their gradients and their moments."""


class Choice(NamedTuple):
    """An engine, the clients in its blocks, and the reason, as `result.json` has them."""

    name: str
    chunk: int | None
    why: str


def choose(config: Config, network: Network, clients: int, samples: int) -> Choice:
    """Choose the engine; the constants are fitted to what `benchmarks/throughput.py` measures.

    Parameters
    ----------
    config : Config
    network : Network
    clients : int
        In a round.
    samples : int
        That a client holds, the median of them.
    """
    wish, part = config.run.engine, _recurrent(network)
    if wish == "loop":
        return Choice("loop", None, "asked for")
    if wish == "auto" and part is not None:
        return Choice("loop", None, f"{part} is recurrent, and such gradients cannot be taken for many clients at once")
    if wish == "auto" and clients == 1:
        return Choice("loop", None, "one client a round")
    if wish == "auto" and samples > MOST_SAMPLES:
        return Choice("loop", None, f"{samples} samples a client, more than {MOST_SAMPLES}, keep the processor busy")
    chunk = config.run.chunk or _chunk(config, network, clients, samples)
    few = f"{clients} clients a round with {samples} samples each, in blocks of {chunk}"
    return Choice("vector", chunk, few if wish == "auto" else "asked for")


def check_engine(config: Config, network: Network) -> None:
    """Refuse an engine that cannot train a network.

    Raises
    ------
    InputError
    """
    part = _recurrent(network)
    if config.run.engine == "vector" and part is not None:
        raise InputError(
            f"engine vector cannot train {part}, which is recurrent: use --engine loop, or another --encoder"
        )


def _recurrent(network: Network) -> str | None:
    """Return the name of a recurrent part; None if there is none."""
    recurrent = (name for name, part in network.parts.items() if any(isinstance(m, nn.RNNBase) for m in part.modules()))
    return next(recurrent, None)


def _chunk(config: Config, network: Network, clients: int, samples: int) -> int:
    """Return how many clients make a block."""
    rows = max(1, min(config.training.batch_size, samples))
    numbers = sum(value.numel() for value in network.state().values())
    most = max(1, min(clients, BLOCK_ROWS // rows, BLOCK_NUMBERS // numbers))
    threads = torch.get_num_threads()
    blocks = threads * ceil(clients / most / threads)  # as many for each thread
    return ceil(clients / blocks)
