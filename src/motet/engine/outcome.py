"""What clients' rounds leave: what they send, what they keep, and figures for the record."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motet.nets.network import State
from motet.stream.view import View
from motet.wire.told import Told
from motet.wire.upload import Upload

Floats = NDArray[np.float64]


@dataclass
class Outcome:
    """What the rounds of K clients leave, in client order.

    Attributes
    ----------
    clients : list of int
    view : View
    quality : dict of modality to float64 (n,)
        Of the view's rows.
    epochs : int
        How often a client went over its samples.
    loss : float64 (K,)
        Mean training loss over a client's steps.
    hits, online_loss : float64 (K,)
        Summed over a client's arrivals, before learning.
    model, prototypes, scores, drift : Upload or None
    told : Told
        Of their samples' quality.
    private : dict of client to State
    """

    clients: list[int]
    view: View
    quality: dict[str, Floats]
    epochs: int
    loss: Floats
    hits: Floats
    online_loss: Floats
    told: Told
    model: Upload | None = None
    prototypes: Upload | None = None
    scores: Upload | None = None
    drift: Upload | None = None
    private: dict[int, State] = field(default_factory=dict)

    def of(self, places: NDArray[np.int64]) -> Outcome:
        """Return what some of the clients leave, their places ascending."""
        clients = [self.clients[place] for place in places]
        rows = np.isin(self.view.owners(), places)

        def sent(upload: Upload | None) -> Upload | None:
            return None if upload is None else upload.of(places)

        return Outcome(
            clients=clients,
            view=self.view.of(places),
            quality={m: own[rows] for m, own in self.quality.items()},
            epochs=self.epochs,
            loss=self.loss[places],
            hits=self.hits[places],
            online_loss=self.online_loss[places],
            told=self.told.of(places),
            model=sent(self.model),
            prototypes=sent(self.prototypes),
            scores=sent(self.scores),
            drift=sent(self.drift),
            private={client: state for client, state in self.private.items() if client in clients},
        )
