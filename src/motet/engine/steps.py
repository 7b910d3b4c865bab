"""The order of a device's work in a round: cycles, phases, epochs, and in each the minibatches in a drawn order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.config import TrainingSettings
from motet.learn.objective import Phase
from motet.random import permutations


class Step(NamedTuple):
    """A minibatch: the phase that it belongs to, and its rows of the client's view, int64 (b,)."""

    phase: Phase
    rows: NDArray[np.int64]


Steps = list[Step]


def plan(
    settings: TrainingSettings,
    phases: Sequence[Phase],
    seed: int,
    round: int,  # noqa: A002
    clients: Sequence[int],
    sizes: Sequence[int],
) -> list[Steps]:
    """Plan a round for several clients, whose draws are made at once.

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

    Returns
    -------
    list, a client each, of its steps
    """
    steps: list[Steps] = [[] for _ in clients]
    epochs = [phase for _ in range(settings.local_cycles) for phase in phases for _ in range(settings.local_epochs)]
    for number, phase in enumerate(epochs):
        orders = permutations(seed, f"minibatch/{number}", sizes, clients, round=round)
        for own, order in zip(steps, orders, strict=True):
            own += [
                Step(phase, order[low : low + settings.batch_size]) for low in range(0, len(order), settings.batch_size)
            ]
    return steps
