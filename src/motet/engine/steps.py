"""The order of a device's work in a round: cycles, phases, epochs, and in each a drawn order of the samples."""

from __future__ import annotations

from collections.abc import Sequence
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
) -> list[Epoch]:
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
    """
    epochs = [phase for _ in range(settings.local_cycles) for phase in phases for _ in range(settings.local_epochs)]
    return [
        Epoch(phase, permutations(seed, f"minibatch/{number}", sizes, clients, round=round))
        for number, phase in enumerate(epochs)
    ]
