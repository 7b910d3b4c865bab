"""Whether modalities help each other: what they reach together beyond the best one alone, and what pairs get wrong."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


def complementarity(accuracy: float | None, alone: Mapping[str, float | None]) -> float | None:
    """Return the accuracy with all modalities minus that of the best one alone, a fraction of 1.

    Our definition. Below 0 the model would do better with one modality; with one modality alone it is 0.

    Parameters
    ----------
    accuracy : float or None
        With all modalities.
    alone : mapping of modality to float or None
        Accuracy with this modality alone, over the same samples; None where there is none.

    Returns
    -------
    float or None
        None where nothing is known of any modality.
    """
    known = [value for value in alone.values() if value is not None]
    return accuracy - max(known) if known and accuracy is not None else None


def double_fault(wrong: Mapping[str, Flags], there: Mapping[str, Flags]) -> dict[str, float | None]:
    """Return, for each pair of modalities, the share of samples that both get wrong alone.

    The double-fault measure of diversity (Giacinto and Roli 2001, doi 10.1016/S0262-8856(01)00045-2): where it is high,
    one modality cannot make good what the other misses.

    Parameters
    ----------
    wrong : mapping of modality to bool (n,)
        Whether a sample is misclassified with this modality alone.
    there : mapping of modality to bool (n,)
        Whether a sample has it.

    Returns
    -------
    dict of "a~b" to float or None
        Over the samples that have both; None where none has. Empty for one modality.
    """
    found: dict[str, float | None] = {}
    for a, b in combinations(wrong, 2):
        both = there[a] & there[b]
        found[f"{a}~{b}"] = float((wrong[a] & wrong[b])[both].mean()) if both.any() else None
    return found
