"""The fast engine: blocks of clients at once, the same draws and formulas as the loop, equal to it but for rounding.

Each thread of PyTorch works on a block of its own: small operations gain nothing from being shared between threads, and
lose by waiting for each other.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from queue import SimpleQueue

import torch

from motet.engine.block import Block
from motet.engine.client import Client
from motet.engine.memory import keep_freed_memory
from motet.engine.outcome import Outcome
from motet.engine.state import Broadcast, Shared
from motet.nets.network import State
from motet.stream.view import View, Views


class Alone:
    """Runs blocks of one client, in plain autograd: recurrent networks give no gradients for many clients at once."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def run(
        self,
        round: int,  # noqa: A002
        clients: list[int],
        view: View,
        shared: Shared,
        privates: list[State],
    ) -> Outcome:
        """Run the only client of a block."""
        (client,), (private,) = clients, privates
        return self.client.run(round, client, view, shared, private)


class Vector:
    """Runs the participants of a round in blocks.

    Parameters
    ----------
    client : Client
    views : Views
    chunk : int
        Clients in a block; it decides speed and memory, and the last bits of sums. One, for a recurrent network.
    """

    def __init__(self, client: Client, views: Views, chunk: int) -> None:
        self.views, self.chunk = views, chunk
        self.workers = torch.get_num_threads()
        keep_freed_memory()
        self._pool = ThreadPoolExecutor(self.workers, "block", torch.set_num_threads, (1,))
        self._abandoned = threading.Event()
        self._idle: SimpleQueue[Block | Alone] = SimpleQueue()
        for _ in range(self.workers):  # one a thread: a network is lent its weights while it is called
            method = replace(client.method, network=copy.deepcopy(client.method.network))
            own = Client(client.config, method, client.assessor, client.attackers, client.privacy)
            self._idle.put(Alone(own) if method.network.recurrent else Block(own, self._abandoned))

    def train(
        self,
        round: int,  # noqa: A002
        participants: list[int],
        broadcast: Broadcast,
        private: Mapping[int, State],
    ) -> Iterator[Outcome]:
        """Yield the outcomes of blocks of participants, in client order."""
        running: deque[Future[Outcome]] = deque()
        torch.set_num_threads(1)
        try:
            for low in range(0, len(participants), self.chunk):
                clients = participants[low : low + self.chunk]
                privates = [private.get(k, {}) for k in clients]
                view = self.views.view(round, *clients)
                running.append(self._pool.submit(self._run, round, clients, view, broadcast.shared, privates))
                if len(running) == 2 * self.workers:  # as many wait, so that nobody does while outcomes are joined
                    yield running[0].result()
                    running.popleft()
            while running:
                yield running[0].result()
                running.popleft()
        finally:  # if the round ends early, by a failure or a Ctrl-C, whoever is still at work need not finish
            self._abandoned.set()
            wait([future for future in running if not future.cancel()])
            self._abandoned.clear()
            torch.set_num_threads(self.workers)

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
