"""Two recipes on the same data, and what the better one's model says when a sensor is gone.

    python examples/script.py [FILE.npz]

Without a file the people are simulated, and wear an accelerometer, a gyroscope and a heart-rate sensor.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import motet

SETTINGS: dict[str, Any] = {"rounds": 8, "optimizer": "adam", "lr": 0.01, "missing_rate": 0.6, "flags": "none"}


def main() -> None:
    """Compare, print, predict."""
    data = motet.load(sys.argv[1]) if len(sys.argv) > 1 else motet.wearables(clients=6, samples=60)

    compared = motet.compare(data, recipes=["fedavg", "partial"], seeds=2, **SETTINGS)
    for row in compared.summary:
        print(f"{row.recipe:8} accuracy {row.accuracy_mean:.3f}  sent {row.bytes_up_mean / 1e6:.1f} MB")
    best = max(compared.summary, key=lambda row: row.accuracy_mean).recipe

    model = motet.run(data, recipe=best, **SETTINGS).model
    test = np.flatnonzero(data.split == 2)
    x, y = data.take(test), data.y[test]
    print(f"{best:8} with all sensors {np.mean(model.predict(x) == y):.3f}")
    for gone in x:
        seen = {m: values for m, values in x.items() if m != gone}
        print(f"{best:8} without {gone:8} {np.mean(model.predict(seen) == y):.3f}")


if __name__ == "__main__":
    main()
