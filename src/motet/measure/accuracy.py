"""How well predictions match the truth, from a confusion matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def confusion(y: Integers, predicted: Integers, classes: int) -> Integers:
    """Return counts (classes, classes): row the true class, column the predicted."""
    return np.bincount(y * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def log_loss(logits: Floats, y: Integers) -> Floats:
    """Return the cross-entropy of each row, in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y])


def scores(logits: Floats, y: Integers) -> dict[str, Any]:
    """Return accuracy, balanced accuracy, macro F1, loss, recall per class and the worst class.

    Parameters
    ----------
    logits : float (n, classes)
    y : int64 (n,)

    Returns
    -------
    dict
        A class without samples has recall None and counts in no average.
    """
    table = confusion(y, logits.argmax(axis=1), logits.shape[1])
    hits, true, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    there = true > 0
    recall = hits[there] / true[there]
    f1 = 2 * hits[there] / (true + predicted)[there]
    by_class = np.full(len(true), np.nan)
    by_class[there] = recall
    return {
        "accuracy": float(hits.sum() / len(y)),
        "balanced_accuracy": float(recall.mean()),
        "macro_f1": float(f1.mean()),
        "loss": float(log_loss(logits, y).mean()),
        "accuracy_by_class": [None if np.isnan(value) else float(value) for value in by_class],
        "worst_class": float(recall.min()),
    }


def accuracy(logits: Floats, y: Integers, there: NDArray[np.bool_]) -> float | None:
    """Return the accuracy on the samples that are there; None where none is."""
    return float((logits.argmax(axis=1) == y)[there].mean()) if there.any() else None


def by_client(logits: Floats, y: Integers, client: Integers | None) -> dict[str, float]:
    """Return the accuracy on each client's samples; empty where clients are not known."""
    if client is None:
        return {}
    hit = logits.argmax(axis=1) == y
    return {str(k): float(hit[client == k].mean()) for k in np.unique(client)}


def mean(records: list[Any]) -> Any:
    """Average records of the same shape: numbers, lists and mappings of numbers; None where any is None."""
    first = records[0]
    if isinstance(first, dict):
        return {key: mean([record[key] for record in records]) for key in first}
    if isinstance(first, list):
        return [mean(list(values)) for values in zip(*records, strict=True)]
    return None if any(record is None for record in records) else float(np.mean(records))
