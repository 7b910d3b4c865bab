"""How far the strongest modality is ahead of the weakest."""

from __future__ import annotations

from collections.abc import Mapping


def strong_weak_gap(alone: Mapping[str, float | None]) -> float | None:
    """Return the accuracy of the strongest modality alone minus that of the weakest, a fraction of 1.

    Parameters
    ----------
    alone : mapping of modality to float or None
        Accuracy with this modality alone; None where no sample has it, and then it does not count.

    Returns
    -------
    float or None
        0 for one modality; None where nothing is known of any.
    """
    known = [value for value in alone.values() if value is not None]
    return max(known) - min(known) if known else None
