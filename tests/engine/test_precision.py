"""In single precision the engines part by rounding, and rounding grows; what they reach must still be the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import motet
from motet.measure.statistics import interval

SEEDS = range(10)


def accuracies(recipe: str, engine: str) -> NDArray[np.float64]:
    """Return the accuracy of each seed, over the last ten rounds."""
    settings: dict[str, Any] = {
        "rounds": 25,
        "missing_rate": 0.6,
        "degraded_rate": 0.3,
        "flags": "oracle",
        "threads": 2,
    }
    data = motet.wearables(clients=6, samples=60)
    runs = (motet.run(data, recipe=recipe, engine=engine, seed=seed, **settings) for seed in SEEDS)
    return np.array([run.tail.accuracy for run in runs])


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["fedavg", "qqr"])
def test_accuracies_over_seeds_differ_by_less_than_their_interval(recipe: str) -> None:
    found, expected = accuracies(recipe, "vector"), accuracies(recipe, "loop")
    bounds = interval(expected)
    assert bounds is not None
    low, high = bounds
    assert low < found.mean() < high
    assert abs(found.mean() - expected.mean()) < (high - low) / 4
    assert expected.mean() > 0.3  # or there would be nothing to compare
