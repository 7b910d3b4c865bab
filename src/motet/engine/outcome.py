"""What clients' rounds leave: what they send, what they keep, and figures for the record."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from motet.nets.network import State
from motet.stream.view import View
from motet.wire.told import Told
from motet.wire.upload import Upload


@dataclass
class Outcome:
    """What the rounds of one or several clients leave, in client order.

    Attributes
    ----------
    clients : list of int
    view : View
    quality : dict of modality to float64 (n,)
        Of the view's rows.
    trained : int
        Samples times epochs.
    loss : float
        Mean training loss over a client's steps, summed over clients.
    hits, online_loss : int, float
        Over the arrivals, before learning.
    model, prototypes, scores, drift : Upload or None
    told : Told
        Of their samples' quality.
    private : dict of client to State
    """

    clients: list[int]
    view: View
    quality: dict[str, np.ndarray]
    trained: int
    loss: float
    hits: int
    online_loss: float
    told: Told
    model: Upload | None = None
    prototypes: Upload | None = None
    scores: Upload | None = None
    drift: Upload | None = None
    private: dict[int, State] = field(default_factory=dict)
