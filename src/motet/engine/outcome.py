"""What clients' rounds leave: what they send, what they keep, and what they tell for the record."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motet.engine.account import Account
from motet.nets.network import State
from motet.wire.told import Told
from motet.wire.upload import Upload

KINDS = ("model", "prototypes", "scores", "drift")


@dataclass
class Outcome:
    """What the rounds of K clients leave, in client order.

    Attributes
    ----------
    clients : list of int
    account : Account
    model, prototypes, scores, drift : Upload or None
    told : Told
        Of their samples' quality.
    private : dict of client to State
    weight : float
        What each of them counts for, besides its samples; below 1 where it is late.
    """

    clients: list[int]
    account: Account
    told: Told
    model: Upload | None = None
    prototypes: Upload | None = None
    scores: Upload | None = None
    drift: Upload | None = None
    private: dict[int, State] = field(default_factory=dict)
    weight: float = 1.0

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes that each client sends, (K,)."""
        every = [getattr(self, kind) for kind in KINDS]
        sent = [self.told.lengths, *(own.lengths for own in every if own is not None)]
        return np.asarray(np.sum(sent, axis=0, dtype=np.int64))

    def messages(self, place: int) -> dict[str, bytes]:
        """Return the messages of one client, by kind."""
        every = {kind: getattr(self, kind) for kind in KINDS}
        made = {kind: upload.message(place) for kind, upload in every.items() if upload is not None}
        if self.told.message is not None and self.told.lengths[place]:
            made["quality"] = self.told.message(place)
        return {kind: message for kind, message in made.items() if message}

    def of(self, places: NDArray[np.int64]) -> Outcome:
        """Return what some of the clients leave, their places ascending."""
        clients = [self.clients[place] for place in places]

        def sent(upload: Upload | None) -> Upload | None:
            return None if upload is None else upload.of(places)

        return Outcome(
            clients=clients,
            account=self.account.of(places),
            told=self.told.of(places),
            model=sent(self.model),
            prototypes=sent(self.prototypes),
            scores=sent(self.scores),
            drift=sent(self.drift),
            private={client: state for client, state in self.private.items() if client in clients},
            weight=self.weight,
        )
