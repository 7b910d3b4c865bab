"""What clients tell of their round for the record: how much they had of what, and how it went.

The server learns the model from what clients send besides. Of this it takes only how many samples a client has, where
clients weigh by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from motet.measure.flags import count
from motet.nets.network import State
from motet.stream.view import View

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)


@dataclass
class Account:
    """Figures of K clients, in client order.

    Attributes
    ----------
    samples, labelled, arrivals, trained : int64 (K,)
        Held; of these, with a label; arrived in the round; gone over, in all epochs.
    loss : float64 (K,)
        Mean training loss over a client's steps.
    hits, online_loss : float64 (K,)
        Summed over a client's arrivals, before learning.
    buffer_bytes, private_bytes : int64 (K,)
        Of the samples, and of what stays on the device between rounds.
    present, flagged : dict of modality to int64 (K,)
        Samples that have it; whose quality is below 1.
    missing, degraded : dict of modality to float64 (K,)
        Shares of samples that lack it, or have it and it is bad (the generator's truth); only of modalities that any
        sample lacks, or has so.
    scores : dict of modality to int64 (R, 4)
        As `motet.measure.flags.count` finds them.
    """

    samples: Integers
    labelled: Integers
    arrivals: Integers
    trained: Integers
    loss: Floats
    hits: Floats
    online_loss: Floats
    buffer_bytes: Integers
    private_bytes: Integers
    present: dict[str, Integers] = field(default_factory=dict)
    flagged: dict[str, Integers] = field(default_factory=dict)
    missing: dict[str, Floats] = field(default_factory=dict)
    degraded: dict[str, Floats] = field(default_factory=dict)
    scores: dict[str, Integers] = field(default_factory=dict)

    @classmethod
    def of_labelled(cls, labelled: Integers) -> Account:
        """Return the account of clients of whom no more is known than how many samples they have learnt from."""
        zeros, none = np.zeros(len(labelled)), np.zeros(len(labelled), dtype=np.int64)
        return cls(labelled, labelled, none, none, zeros, zeros, zeros, none, none)

    def holders(self) -> dict[str, int]:
        """Return how many clients have a sample of each modality."""
        return {m: int((own > 0).sum()) for m, own in self.present.items()}

    def of(self, places: Integers) -> Account:
        """Return what some of the clients tell, their places ascending."""

        def rows(found: Mapping[str, NDArray[T]]) -> dict[str, NDArray[T]]:
            return {m: own[places] for m, own in found.items()}

        def own(found: Integers) -> Integers:
            kept = found[np.isin(found[:, 0], places)]
            return np.column_stack([np.searchsorted(places, kept[:, 0]), kept[:, 1:]])

        return Account(
            samples=self.samples[places],
            labelled=self.labelled[places],
            arrivals=self.arrivals[places],
            trained=self.trained[places],
            loss=self.loss[places],
            hits=self.hits[places],
            online_loss=self.online_loss[places],
            buffer_bytes=self.buffer_bytes[places],
            private_bytes=self.private_bytes[places],
            present=rows(self.present),
            flagged=rows(self.flagged),
            missing=rows(self.missing),
            degraded=rows(self.degraded),
            scores={m: own(found) for m, found in self.scores.items()},
        )


def account(
    view: View,
    quality: Mapping[str, Floats],
    epochs: int,
    loss: Floats,
    predicted: tuple[Floats, Floats],
    private: Sequence[State],
) -> Account:
    """Return the figures of the clients of a view.

    Parameters
    ----------
    view : View
    quality : mapping of modality to float64 (n,)
        Of the view's rows.
    epochs : int
        How often a client went over its samples.
    loss : float64 (K,)
    predicted : pair of float64 (K,)
        Hits, and summed loss, over arrivals.
    private : sequence of State
        What each client keeps.
    """
    clients, owners = len(view.sizes), view.owners()

    def total(flags: NDArray[np.bool_]) -> Integers:
        return np.bincount(owners[flags], minlength=clients)

    there = view.present.items()
    return Account(
        samples=view.sizes,
        labelled=total(view.labelled),
        arrivals=view.arrivals,
        trained=epochs * view.sizes,
        loss=loss,
        hits=predicted[0],
        online_loss=predicted[1],
        buffer_bytes=view.sizes * sum(x.nbytes // len(x) for x in view.x.values()),
        private_bytes=np.array([sum(value.nbytes for value in state.values()) for state in private], dtype=np.int64),
        present={m: total(own) for m, own in there},
        flagged={m: total(own & (quality[m] < 1)) for m, own in there},
        missing=view.missing_shares(),
        degraded=view.degraded_shares(),
        scores={m: count(quality[m][own], view.degraded[m][own], owners[own]) for m, own in there},
    )
