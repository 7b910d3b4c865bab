"""The fastest engine by the clock: each candidate trains some clients of the first round, and what they learn is lost.

Unlike the rule of `motet.engine.choice`, the clock may say something else the next time.
"""

from __future__ import annotations

import time
from math import ceil

from motet.engine.choice import FEW, loop, vector
from motet.engine.client import Client
from motet.engine.state import Broadcast
from motet.engine.trainer import make_trainer
from motet.engine.watch import Watch
from motet.record.result import Engine
from motet.stream.view import Views

PASSES = 3
"""Of which the best counts; the first warms up."""


def fastest(
    rule: Engine, client: Client, views: Views, clients: list[int], broadcast: Broadcast, watch: Watch
) -> Engine:
    """Measure the loop and blocks of several sizes, and return the best.

    Parameters
    ----------
    rule : Engine
        What the rule says; blocks of its size, half and twice that are tried.
    client : Client
    views : Views
    clients : list of int
        Who takes part in the first round.
    broadcast : Broadcast
        What they receive.
    watch : Watch
    """
    whole = ceil(len(clients) / rule.threads)
    size = rule.chunk or whole
    chunks = [1] if client.method.network.recurrent else sorted({max(1, size // 2), size, min(2 * size, whole)})
    candidates = [loop(""), *(vector(chunk, "") for chunk in chunks)]
    took = {
        engine.chunk: _seconds(engine, client, views, clients, broadcast)
        for engine in watch.over(candidates, "engines")
    }
    best = min(took, key=lambda chunk: took[chunk])
    tried = ", ".join(
        f"{'loop' if chunk is None else f'blocks of {chunk}'} {seconds * 1e3:.3g} ms a client"
        for chunk, seconds in took.items()
    )
    why = f"measured: {tried}; a run that measures again may choose otherwise, and then differ in rounding"
    return loop(why) if best is None else vector(best, why)


def _seconds(engine: Engine, client: Client, views: Views, clients: list[int], broadcast: Broadcast) -> float:
    """Return the seconds that a client takes; in blocks, where every thread has one."""
    trainer = make_trainer(engine, client, views)
    few = clients[: engine.threads * (engine.chunk or FEW)]
    best = float("inf")
    for _ in range(PASSES):
        began = time.perf_counter()
        for _ in trainer.train(1, few, broadcast, {}):
            pass
        best = min(best, time.perf_counter() - began)
    return best / len(few)
