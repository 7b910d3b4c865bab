"""Data of one's own: six modalities of four kinds with gaps, from arrays to a report.

    python examples/own_modality.py runs/house

Any script that has arrays does the same: say what each modality looks like, and where it was not recorded.
"""

from __future__ import annotations

import sys

import numpy as np

import motet
from motet import Modality

CLASSES = ("cook", "sleep", "work")
SENSORS = (
    Modality("motion", "signal", (3, 32), rate_hz=25, unit="m/s^2"),  # channels, time
    Modality("sound", "signal", (1, 64), rate_hz=8000),
    Modality("camera", "image", (1, 8, 8)),  # channels, height, width
    Modality("words", "tokens", (6,), vocabulary=50),  # ids; 0 is padding, 1 an unknown word
    Modality("climate", "vector", (4,)),
    Modality("power", "vector", (2,)),
)


def house(samples: int = 480, homes: int = 8, gaps: float = 0.3) -> motet.ArrayDataset:
    """Make up what homes record: a pattern for each class under noise, and no more than `gaps` of it missing."""
    rng = np.random.default_rng(0)
    y, client = rng.integers(len(CLASSES), size=samples), np.arange(samples) % homes
    x, present = {}, {m.name: rng.random(samples) >= gaps for m in SENSORS}
    present["climate"] |= ~np.any(list(present.values()), axis=0)  # a sample has one modality at least
    for m in SENSORS:
        if m.kind == "tokens":
            values = 2 + 16 * y[:, None] + rng.integers(16, size=(samples, *m.shape))
        else:
            pattern = rng.standard_normal((len(CLASSES), *m.shape))[y]
            values = (pattern + 3 * rng.standard_normal(pattern.shape)).astype(np.float32)
        values[~present[m.name]] = m.pad
        x[m.name] = values
    split = np.where(client >= homes - 2, 2, 0).astype(np.uint8)  # two homes are for the test
    return motet.ArrayDataset("house", {m.name: m for m in SENSORS}, CLASSES, y, split, x, client, present=present)


def main() -> None:
    """Train on it; motet.save(data, "house.npz") would make an archive for the command line."""
    data, out = house(), sys.argv[1]
    result = motet.run(data, recipe="partial", rounds=8, optimizer="adam", lr=0.01, flags="none", out=out)
    for sensors, accuracy in result.final.accuracy_by_present.items():
        print(f"{accuracy:.3f}  {sensors}")
    print(f"report: {out}/report.html")


if __name__ == "__main__":
    main()
