"""What an eavesdropper has: the model that clients received, and samples of the same kind, which are not theirs."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from motet.engine.begun import Begun
from motet.engine.client import Client
from motet.engine.federation import Simulation
from motet.engine.rows import take_rows
from motet.engine.state import ServerState
from motet.learn.sample import Batch, PerModality
from motet.nets.network import State
from motet.random import generator, permutation
from motet.stream.assessment import assessor_for
from motet.stream.view import View

MOST_HELD = 1000
ROWS = 1000
"""Samples encoded at once."""


class Samples(NamedTuple):
    """Samples as sensors deliver them, and as encoders take them.

    Attributes
    ----------
    x : dict of modality to Tensor (n, *shape)
        Standardised.
    batch : Batch
        The same, prepared.
    """

    x: PerModality
    batch: Batch

    def good(self, m: str, label: int) -> Tensor:
        """Return the rows of a class whose modality is there and not flagged: those that a prototype is made of."""
        assert self.batch.y is not None
        return torch.nonzero(self.batch.good()[m] & (self.batch.y == label))[:, 0]

    def there(self, m: str, label: int) -> Tensor:
        """Return the rows of a class that have a modality."""
        assert self.batch.y is not None
        return torch.nonzero(self.batch.present[m] & (self.batch.y == label))[:, 0]

    def of(self, rows: Tensor) -> Samples:
        """Return some rows."""
        return Samples({m: x[rows] for m, x in self.x.items()}, take_rows(self.batch, rows))


class Eavesdropper:
    """Sees one message of each client, in the round after a state.

    Parameters
    ----------
    federation : Simulation
    state : ServerState
        After the last round.
    """

    def __init__(self, federation: Simulation, state: ServerState) -> None:
        config, method = federation.config, federation.method
        assessor = assessor_for(config.assessment, federation.dataset.modalities, method.uses_quality)
        self.federation, self.state, self.method, self.seed = federation, state, method, config.run.seed
        self.client = Client(config, method, assessor)
        self.round = state.round + 1
        self.shared = self.client.receive(state.shared)

    @cached_property
    def held(self) -> Samples:
        """The test split, or a thousand of it."""
        view = self.federation.test
        chosen = np.sort(permutation(self.seed, "audit/held", len(view.y))[:MOST_HELD])
        return self._samples(view).of(torch.from_numpy(chosen).to(self.client.device))

    @property
    def sensors(self) -> list[str]:
        """The modalities whose samples are numbers; no gradient leads to a token."""
        kinds = {m: spec.kind for m, spec in self.federation.dataset.modalities.items()}
        return [m for m in self.method.modalities if kinds[m] != "tokens"]

    def own(self, client: int) -> Samples:
        """Return what a client learns from: those of its samples that have a label."""
        found = self._samples(self.federation.views.view(self.round, client))
        return found.of(torch.nonzero(found.batch.mask)[:, 0])

    def begun(self, client: int) -> Begun:
        """Return what a client begins the round with."""
        return self.client.begin(self.shared, self.state.private.get(client, {}))

    def guesses(self, m: str, label: int) -> Tensor:
        """Return held samples of a class in a modality, (H, *shape); of any class where there are none of it."""
        rows = self.held.there(m, label)
        return self.held.x[m][rows if len(rows) else self.held.batch.present[m]]

    def start(self, m: str, label: int) -> Tensor:
        """Return where an inversion begins, (*shape): the mean of the held samples of the class, if there are any."""
        found = self.guesses(m, label)
        return found.mean(0) if len(found) else torch.zeros_like(self.held.x[m][0])

    @torch.no_grad()
    def encode(self, model: State, x: PerModality) -> PerModality:
        """Return features of prepared samples."""
        count = len(next(iter(x.values())))
        pieces = [
            self.method.encode(model, {m: value[low : low + ROWS] for m, value in x.items()})
            for low in range(0, count, ROWS)
        ]
        return {m: torch.cat([piece[m] for piece in pieces]) for m in self.method.modalities}

    def normal(self, purpose: str, client: int, *shape: int) -> Tensor:
        """Draw standard normal numbers."""
        drawn = generator(self.seed, f"audit/{purpose}", client=client).standard_normal(shape)
        return torch.from_numpy(drawn).to(self.client.device, self.client.dtype)

    def _samples(self, view: View) -> Samples:
        quality = self.client.assessor.score(view, self.state.shared["quality"])
        x = {m: torch.from_numpy(np.ascontiguousarray(value)) for m, value in view.x.items()}
        return Samples(self.client.typed(x), self.client.batch(view, quality))
