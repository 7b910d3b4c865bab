"""The order of a device's work in a round: cycles, phases, epochs, and in each a drawn order of the samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.config import TrainingSettings
from motet.learn.objective import Phase
from motet.random import permutations


class Epoch(NamedTuple):
    """A pass over the samples of some clients: its phase, and each client's rows in their order, int64 (n,)."""

    phase: Phase
    orders: list[NDArray[np.int64]]


def plan(
    settings: TrainingSettings,
    phases: Sequence[Phase],
    seed: int,
    round: int,  # noqa: A002
    clients: Sequence[int],
    sizes: Sequence[int],
) -> Iterator[Epoch]:
    """Yield the epochs of a round; each order is drawn when it is due, for all the clients at once.

    Parameters
    ----------
    settings : TrainingSettings
    phases : sequence of Phase
        Of one local cycle.
    seed : int
    round : int
    clients : sequence of int
    sizes : sequence of int
        How many samples each client holds.
    """
    cycle = [phase for phase in phases for _ in range(settings.local_epochs)]
    for number in range(settings.local_cycles * len(cycle)):
        orders = permutations(seed, f"minibatch/{number}", sizes, clients, round=round)
        yield Epoch(cycle[number % len(cycle)], orders)
