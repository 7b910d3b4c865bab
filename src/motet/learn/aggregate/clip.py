"""The mean of updates of which none is longer than the others (norm clipping, Sun et al. 2019, arXiv 1911.07963)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from motet.learn.aggregate.kept import Kept, OfAll
from motet.nets.network import State
from motet.values import Positive


@dataclass(frozen=True)
class Clip(OfAll):
    """w + sum_k n_k s_k delta_k / sum_k n_k, s_k = min(1, b / |delta_k|), over the clients that hold the key.

    |delta_k| is the Euclidean norm of all that client k sends, whichever keys these are; so a client that sends few is
    clipped later than one that sends many (Motet's reading). An update may be longer than others but not count for
    more; its direction is what it was, against which clipping does nothing.

    Parameters
    ----------
    bound : float, optional
        b; by default the median of the round's |delta_k|, of an even number the mean of the middle two.
    """

    bound: Positive | None = None

    weighs: ClassVar[bool] = True

    def steps(self, kept: Kept) -> State:
        clients = kept.holders(kept.names)
        lengths = kept.lengths(kept.names, clients)
        bound = float(np.median(lengths.numpy())) if self.bound is None else self.bound
        scale = torch.where(lengths > bound, bound / lengths, 1)
        found: State = {}
        for name in kept.names:
            holders = kept.holders([name])
            weights = kept.weights[holders]
            share = weights * scale[torch.searchsorted(clients, holders)] / weights.sum()
            found[name] = torch.cat([share @ piece for piece in kept.pieces([name], holders)])
        return found
