"""How well the quality score tells degraded samples from good ones, against the generator's truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS = 1024
Floats = NDArray[np.float64]


def count(quality: Floats, degraded: NDArray[np.bool_], owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count samples of one modality by their quality score.

    Parameters
    ----------
    quality : float64 (n,)
    degraded : bool (n,)
        The generator's truth.
    owners : int64 (n,)
        The client of each, 0..K-1.

    Returns
    -------
    int64 (R, 4)
        Client, whether degraded, bin, number of samples; only where there are any.
    """
    place = np.where(quality >= 1, BINS, np.minimum((quality * BINS).astype(np.int64), BINS - 1))
    shape = (owners.max(initial=-1) + 1, 2, BINS + 1)
    which, samples = np.unique(
        np.ravel_multi_index((owners, degraded.astype(np.int64), place), shape), return_counts=True
    )
    return np.stack([*np.unravel_index(which, shape), samples], axis=1)


@dataclass
class FlagScores:
    """Counts of quality scores, of bounded size however long the run.

    Attributes
    ----------
    counts : dict of modality to int64 (2, BINS + 1)
        Row 0 good samples, row 1 degraded ones; the last bin is quality 1, that is, not flagged.
    """

    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, modality: str, counted: NDArray[np.int64]) -> None:
        """Add what `count` found."""
        table = self.counts.setdefault(modality, np.zeros((2, BINS + 1), dtype=np.int64))
        _, degraded, place, samples = counted.T
        np.add.at(table, (degraded, place), samples)

    def auroc(self, modality: str) -> float | None:
        """Return the probability that a degraded sample scores below a good one, ties half; None without both."""
        good, bad = self.counts[modality].astype(np.float64)
        if good.sum() == 0 or bad.sum() == 0:
            return None
        above = good.sum() - np.cumsum(good)
        return float((bad * (above + good / 2)).sum() / (good.sum() * bad.sum()))

    def precision(self) -> float | None:
        """Return the share of flagged samples that are degraded; None where none is flagged."""
        flagged = self._total()[:, :BINS].sum(axis=1)
        return float(flagged[1] / flagged.sum()) if flagged.sum() else None

    def recall(self) -> float | None:
        """Return the share of degraded samples that are flagged; None where none is degraded."""
        degraded = self._total()[1]
        return float(degraded[:BINS].sum() / degraded.sum()) if degraded.sum() else None

    def _total(self) -> NDArray[np.int64]:
        return sum(self.counts.values(), start=np.zeros((2, BINS + 1), dtype=np.int64))
