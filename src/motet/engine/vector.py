"""The fast engine: blocks of clients at once, the same draws and formulas as the loop, equal to it but for rounding.

Each thread of PyTorch works on a block of its own: small operations gain nothing from being shared between threads, and
lose by waiting for each other.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue

import torch

from motet.engine.block import Block
from motet.engine.client import Client
from motet.engine.outcome import Outcome
from motet.engine.state import Shared
from motet.nets.network import State
from motet.stream.view import View, Views


class Vector:
    """Runs the participants of a round in blocks.

    Parameters
    ----------
    client : Client
    views : Views
    chunk : int
        Clients in a block; it decides speed and memory, and the last bits of sums.
    """

    def __init__(self, client: Client, views: Views, chunk: int) -> None:
        self.client, self.views, self.chunk = client, views, chunk
        self._idle: SimpleQueue[Block] = SimpleQueue()  # one a thread: a network is lent its weights while it is called
        self._blocks = 0

    def train(
        self,
        round: int,  # noqa: A002
        participants: list[int],
        shared: Shared,
        private: dict[int, State],
    ) -> Iterator[Outcome]:
        """Yield the outcomes of blocks of participants, in client order."""
        running: deque[Future[Outcome]] = deque()
        with _one_thread_each() as (pool, workers):
            self._provide(workers)
            try:
                for low in range(0, len(participants), self.chunk):
                    clients = participants[low : low + self.chunk]
                    privates = [private.get(k, {}) for k in clients]
                    view = self.views.view(round, *clients)
                    running.append(pool.submit(self._run, round, clients, view, shared, privates))
                    if len(running) == workers:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            finally:
                wait(running)

    def _provide(self, blocks: int) -> None:
        while self._blocks < blocks:
            method = replace(self.client.method, network=copy.deepcopy(self.client.method.network))
            self._idle.put(Block(Client(self.client.config, method, self.client.assessor)))
            self._blocks += 1

    def _run(
        self,
        round: int,  # noqa: A002
        clients: list[int],
        view: View,
        shared: Shared,
        privates: list[State],
    ) -> Outcome:
        block = self._idle.get()
        try:
            return block.run(round, clients, view, shared, privates)
        finally:
            self._idle.put(block)


@contextmanager
def _one_thread_each() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Yield a pool of as many threads as PyTorch has, each with one of PyTorch's to itself."""
    workers = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers, "block", torch.set_num_threads, (1,)) as pool:
            yield pool, workers
    finally:
        torch.set_num_threads(workers)
