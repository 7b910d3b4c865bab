"""Which modality the model leans on: its share of the score that the true class gets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from motet.measure.accuracy import log_loss

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def dominance(
    logits: Mapping[str, Floats], y: NDArray[np.int64], there: Mapping[str, Flags]
) -> dict[str, float | None]:
    """Return each modality's share of the true-class score.

    s_m / sum over m' of s_m', where s_m is the mean softmax probability of the true class with modality m alone: the
    score of OGM-GE (Peng et al. 2022, arXiv 2203.15332), made a share so that it can be read for any number of
    modalities.

    Parameters
    ----------
    logits : mapping of modality to float (n, classes)
        Predicted with this modality alone.
    y : int64 (n,)
    there : mapping of modality to bool (n,)
        Whether a sample has it; the mean is over those that have.

    Returns
    -------
    dict of modality to float or None
        Adding up to 1; None where no sample has the modality, or where nothing gives the true class any score.
    """
    score = {m: float(np.exp(-log_loss(logits[m][rows], y[rows])).mean()) for m, rows in there.items() if rows.any()}
    total = sum(score.values())
    return {m: score[m] / total if m in score and total > 0 else None for m in logits}
