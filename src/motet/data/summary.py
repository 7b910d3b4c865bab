"""What a data set holds, as numbers and names that print and serialise."""

from __future__ import annotations

from typing import Any

import numpy as np

from motet.data.dataset import TEST, TRAIN, VALIDATION, ArrayDataset, Dataset, Modality

SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


def summarise(dataset: Dataset | ArrayDataset) -> dict[str, Any]:
    """Count what a data set holds.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    dict
        Ready for JSON: `name`, `samples` (by split), `classes` (each by split), `modalities` (kind, shape of a sample,
        rate, share of the samples where present), `clients` (by split; null where unknown), `ordered` (whether times
        are known), `source`, `terms`, and `notes`: sentences on what loads but looks odd.
    """
    rows = {name: dataset.split == code for name, code in SPLITS.items()}
    client = dataset.client
    return {
        "name": dataset.name,
        "samples": {name: int(inside.sum()) for name, inside in rows.items()} | {"all": len(dataset.y)},
        "classes": {
            label: {name: int(np.sum(inside & (dataset.y == c))) for name, inside in rows.items()}
            for c, label in enumerate(dataset.classes)
        },
        "modalities": {
            m: _modality(spec) | {"present": round(float(dataset.present[m].mean()), 4)}
            for m, spec in dataset.modalities.items()
        },
        "clients": None
        if client is None
        else {name: len(np.unique(client[inside])) for name, inside in rows.items()} | {"all": len(np.unique(client))},
        "ordered": dataset.time is not None,
        "source": dataset.source,
        "terms": dataset.terms,
        "notes": _notes(dataset),
    }


def _modality(spec: Modality) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": spec.kind, "shape": list(spec.shape), "rate_hz": spec.rate_hz}
    described["unit"] = spec.unit
    if spec.kind == "tokens":
        described |= {"vocabulary": spec.vocabulary, "pad": spec.pad, "unknown": spec.unknown}
    return described


def _notes(dataset: Dataset | ArrayDataset) -> list[str]:
    notes = []
    for name, code in (("training", TRAIN), ("test", TEST)):
        inside = set(np.unique(dataset.y[dataset.split == code]).tolist())
        absent = [label for c, label in enumerate(dataset.classes) if c not in inside]
        if absent:
            notes.append(f"no {name} sample of {', '.join(absent)}")
    for m, spec in dataset.modalities.items():
        if spec.kind == "image" and spec.shape[1] in (1, 3) and spec.shape[0] > 4:
            channels, height, width = spec.shape
            notes.append(
                f"{m}: images of {height} x {width} pixels and {channels} channels: if the channels came first in the "
                "file, move them last"
            )
        if not dataset.present[m][dataset.split == TRAIN].any():
            notes.append(f"{m} is present in no training sample")
    return notes
