"""What keeps a client from showing in a run: who clips and who adds noise, and how much."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from motet.config import Config, PrivacySettings
from motet.engine.budget import Budget
from motet.engine.participants import expected_share, participants
from motet.errors import InputError
from motet.learn.method import Method
from motet.learn.privacy import clipped
from motet.learn.privacy.mean import PrivateMean
from motet.learn.privacy.prototypes import PrivateJoiner, vector_shapes
from motet.nets.network import State
from motet.random import generator


class Privacy:
    """Clips and adds noise, at the server or on devices.

    What a client sends in a round is one vector: its update over its bound, and where prototypes are shared these over
    theirs. Its norm is at most the root of how many there are; noise is in proportion.

    Parameters
    ----------
    config : Config
    method : Method
    multiplier : float
        Deviation of the noise in bounds of that vector (`Budget`).
    owners : mapping of modality to int
        How many clients have it.
    clients : int
        All there are.
    """

    def __init__(
        self, config: Config, method: Method, multiplier: float, owners: Mapping[str, int], clients: int
    ) -> None:
        self.config, self._shapes = config, private_shapes(method)
        self.by_devices = config.privacy.privacy == "device"
        self.bounds = {"model": config.privacy.update_clip, "prototypes": config.privacy.prototype_clip}
        spread = multiplier * math.sqrt(len(self._shapes))
        self.deviations = {kind: spread * self.bounds[kind] for kind in self._shapes}
        drawn, block_of = expected_share(config, clients), method.network.block_of
        self._expected = {name: drawn * max(1, owners.get(block_of[name], clients)) for name in block_of}

    def aggregate(self, round: int) -> PrivateMean:  # noqa: A002
        """Return how the server joins the updates of a round."""
        if self.by_devices:
            return PrivateMean(self._expected, None, {})
        return PrivateMean(self._expected, self.bounds["model"], self._drawn("model", round))

    def joiner(self, round: int, state: State) -> PrivateJoiner:  # noqa: A002
        """Return how the server joins the prototypes of a round."""
        deviation = self.deviations["prototypes"]
        if self.by_devices:
            return PrivateJoiner(state, self.config.recipe, deviation, None, {})
        noise = self._drawn("prototypes", round)
        return PrivateJoiner(state, self.config.recipe, deviation, self.bounds["prototypes"], noise)

    def conceal(
        self,
        kind: str,
        round: int,  # noqa: A002
        clients: Sequence[int],
        content: State,
        like: Tensor,
    ) -> State:
        """Return what devices send so that none shows: vectors that are clipped and noised, (K, ...), of a type.

        A device sends every name, whether it has anything to say under it or not.
        """
        shapes = self._shapes[kind]
        rows = {name: content.get(name, like.new_zeros(len(clients), *shape)) for name, shape in shapes.items()}
        short = clipped(rows, self.bounds[kind])
        noise = [self._drawn(kind, round, client) for client in clients]
        return {name: (v + torch.stack([own[name] for own in noise]).to(v)).to(like) for name, v in short.items()}

    def _drawn(self, kind: str, round: int, client: int | None = None) -> State:  # noqa: A002
        """Draw the noise of the server, or of a client, for a round, float64."""
        purpose = f"privacy/{kind}" + ("" if client is None else "/device")
        rng = generator(self.config.run.seed, purpose, round=round, client=client or 0)
        spread = self.deviations[kind]
        return {
            name: torch.from_numpy(np.asarray(spread * rng.standard_normal(own)))
            for name, own in self._shapes[kind].items()
        }


def budget_for(config: Config, clients: int) -> Budget | None:
    """Return the budget of a run; None where it adds no noise.

    Raises
    ------
    InputError
        If it does not last for one round, or dp-accounting is not installed.
    """
    if config.privacy.privacy == "none":
        return None
    if config.privacy.delta >= 1 / clients:
        raise InputError(
            f"--delta {config.privacy.delta:g} would let one of {clients} clients show whole: choose one far below "
            f"{1 / clients:g}"
        )
    rounds = config.training.rounds
    took = np.zeros((rounds, clients), dtype=np.int64)
    for number in range(1, rounds + 1):
        took[number - 1, participants(config, clients, number)] = 1
    return _budget(config.privacy, expected_share(config, clients), tuple(took.cumsum(0).max(1).tolist()))


@cache
def _budget(settings: PrivacySettings, probability: float, sent: tuple[int, ...]) -> Budget:
    """Return a budget, which is asked for when a run is checked and when it begins: noise is looked for once."""
    return Budget(settings, probability, sent)


def private_shapes(method: Method) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the shape of all that a client sends in a round, by kind and name."""
    model = {name: tuple(value.shape) for name, value in method.network.state().items()}
    if not method.uses_prototypes:
        return {"model": model}
    return {"model": model, "prototypes": vector_shapes(method.modalities, method.classes, method.features)}
