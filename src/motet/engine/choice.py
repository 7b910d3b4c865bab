"""Which engine a run gets: by a fixed rule of the configuration, never by the clock, so that it is always the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil

import numpy as np
import torch
from torch import Tensor

from motet.config import Config
from motet.data.dataset import Modality
from motet.learn.method import Method
from motet.nets.encoder import blank
from motet.nets.network import Network
from motet.record.result import Engine
from motet.stream.arrivals import Stream

FEW = 2
"""Clients for each thread, or in a block, that are too few to be worth working on at once."""
BLOCK_PARAMETERS = 2**24
"""Parameters of all clients of a block, at most: what is stacked are they, their gradients and their moments."""
BLOCK_LARGEST = 2**22
"""Numbers of the largest tensor of a block, at most: what the C library keeps (`motet.engine.memory`)."""


def rule(
    config: Config, method: Method, modalities: dict[str, Modality], streams: Iterable[Stream], clients: int
) -> Engine:
    """Return the engine for so many of the clients in a round whose streams these are."""
    samples = int(np.median([stream.held(1) for stream in streams]))
    return choose(config, method.network, method.network.prepare(blank(modalities)), clients, samples)


def choose(config: Config, network: Network, sample: Mapping[str, Tensor], clients: int, samples: int) -> Engine:
    """Choose the engine; the constants are fitted to what `benchmarks/throughput.py` measures.

    Parameters
    ----------
    config : Config
    network : Network
    sample : mapping of modality to Tensor (1, *shape)
        Any sample.
    clients : int
        In a round.
    samples : int
        That a client holds, the median of them.
    """
    wish, threads = config.run.engine, torch.get_num_threads()
    if wish == "loop":
        return loop("asked for")
    if wish != "vector" and clients <= FEW * threads:
        return loop(f"clients a round: {clients}, too few for {threads} threads to have several each")
    if network.recurrent is not None:
        return vector(1, f"{network.recurrent} is recurrent, so that each thread has a client of its own")
    chunk = config.run.chunk or _chunk(config, network, sample, clients, samples)
    if wish != "vector" and config.run.chunk is None and chunk <= FEW:
        return loop(f"{chunk} clients with {samples} samples each would fill a block")
    few = f"{clients} clients a round with {samples} samples each, in blocks of {chunk}"
    return vector(chunk, "asked for" if wish == "vector" else few)


def loop(why: str) -> Engine:
    """Return the reference engine, with the threads that there are now."""
    return Engine(name="loop", chunk=None, threads=torch.get_num_threads(), why=why)


def vector(chunk: int, why: str) -> Engine:
    """Return the engine of blocks, with the threads that there are now."""
    return Engine(name="vector", chunk=chunk, threads=torch.get_num_threads(), why=why)


def _chunk(config: Config, network: Network, sample: Mapping[str, Tensor], clients: int, samples: int) -> int:
    """Return how many clients make a block."""
    weights = [value.numel() for value in network.state().values()]
    rows = max(1, min(config.training.batch_size, samples))
    largest = max(max(weights), rows * network.widest(sample))
    most = max(1, min(clients, BLOCK_LARGEST // largest, BLOCK_PARAMETERS // sum(weights)))
    threads = torch.get_num_threads()
    blocks = threads * ceil(clients / most / threads)  # as many for each thread
    return ceil(clients / blocks)
