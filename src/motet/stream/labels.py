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

    What a sample draws hangs on its client and serial number, so that it keeps it while it lies in the buffer. One that
    comes back with a later pool is another sample, which may be labelled otherwise.

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

    def of(self, client: int, serials: Integers, waited: Integers, y: Integers) -> Integers:
        """Return the labels of a client's samples, int64 (n,); `UNLABELLED` where it has none.

        Parameters
        ----------
        serials, waited : int64 (n,)
            Serial number, and rounds since the sample arrived.
        y : int64 (n,)
            The true classes.
        """
        told = waited >= self.settings.delay
        if self.settings.rate < 1:
            told = told & (uniform(self.seed, "label/rate", client=client, item=serials) < self.settings.rate)
        named = y
        if self.settings.noise > 0:
            wrong = uniform(self.seed, "label/noise", client=client, item=serials) < self.settings.noise
            away = 1 + uniform(self.seed, "label/which", client=client, item=serials) * (self.classes - 1)
            named = np.where(wrong, (y + away.astype(np.int64)) % self.classes, y)
        return np.where(told, named, UNLABELLED)
