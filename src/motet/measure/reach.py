"""What it costs to become as good as something else."""

from __future__ import annotations

from collections.abc import Iterable


def sent_until(target: float, history: Iterable[tuple[float | None, int]]) -> int | None:
    """Return the bytes sent until an accuracy is reached for the first time.

    Parameters
    ----------
    target : float
    history : iterable of (float or None, int)
        Of each round, the accuracy, where it was measured, and the bytes sent in it.

    Returns
    -------
    int or None
        With those of the round that reaches it; None where none does.
    """
    total = 0
    for accuracy, sent in history:
        total += sent
        if accuracy is not None and accuracy >= target:
            return total
    return None
