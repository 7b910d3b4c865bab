"""Which label a device has of a sample: none, not yet, the right one, or a wrong one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.config import LabelSettings
from motet.random import uniform
from motet.stream.reference import UNLABELLED

Integers = NDArray[np.int64]


class Labels:
    """What devices know of the classes of their samples.

    What a sample draws hangs on its client and on which sample it is, so that one that nobody has labelled has no label
    when it comes back with a later pool either.

    Parameters
    ----------
    settings : LabelSettings
    classes : int
    seed : int
    """

    def __init__(self, settings: LabelSettings, classes: int, seed: int) -> None:
        self.settings, self.classes, self.seed = settings, classes, seed

    @property
    def perfect(self) -> bool:
        """Whether every sample has the right label at once."""
        return self.settings == LabelSettings()

    def of(self, client: int, samples: Integers, waited: Integers, y: Integers) -> Integers:
        """Return the labels of a client's samples, int64 (n,); `UNLABELLED` where it has none.

        Parameters
        ----------
        samples, waited : int64 (n,)
            The dataset's index, and rounds since the sample arrived.
        y : int64 (n,)
            The true classes.
        """
        told = waited >= self.settings.delay
        if self.settings.rate < 1:
            told = told & (uniform(self.seed, "label/rate", client=client, item=samples) < self.settings.rate)
        named = y
        if self.settings.noise > 0:
            wrong = uniform(self.seed, "label/noise", client=client, item=samples) < self.settings.noise
            away = 1 + uniform(self.seed, "label/which", client=client, item=samples) * (self.classes - 1)
            named = np.where(wrong, (y + away.astype(np.int64)) % self.classes, y)
        return np.where(told, named, UNLABELLED)
