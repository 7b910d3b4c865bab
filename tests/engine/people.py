"""A small dataset, and runs on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from motet.config import Config
from motet.data.dataset import ArrayDataset, Modality
from motet.engine.federation import Federation, build_federation
from motet.engine.run import Finished, run
from motet.engine.watch import Watch
from motet.learn.recipe import resolve

SMALL: dict[str, Any] = {"features": 4, "batch_size": 8, "threads": 1, "rounds": 3, "flags": "oracle", "lr": 0.05}


def people(clients: int = 4, each: int = 18, test: int = 24, seed: int = 0, **changes: Any) -> ArrayDataset:
    """Make samples of `clients` people: a signal that tells the three classes apart, and a vector that helps."""
    rng = np.random.default_rng(seed)
    n = clients * each + test
    y = rng.integers(0, 3, n)
    told: dict[str, Any] = {
        "name": "people",
        "modalities": {"move": Modality("move", "signal", (2, 8), 10.0), "body": Modality("body", "vector", (3,))},
        "classes": ("sit", "walk", "run"),
        "y": y,
        "split": np.where(np.arange(n) < clients * each, 0, 2).astype(np.uint8),
        "x": {
            "move": (rng.standard_normal((n, 2, 8)) + y[:, None, None]).astype(np.float32),
            "body": (rng.standard_normal((n, 3)) - y[:, None]).astype(np.float32),
        },
        "client": np.arange(n) % clients,
    }
    return ArrayDataset(**{**told, **changes})


def configured(**settings: Any) -> Config:
    """Return the configuration of a small run."""
    return resolve({**SMALL, "recipe": "partial", **settings})


def federation(data: ArrayDataset | None = None, **settings: Any) -> Federation:
    """Put a small federation together."""
    return build_federation(configured(**settings), data or people(), Watch())


def finish(data: ArrayDataset | None = None, **settings: Any) -> Finished:
    """Carry out a small run in memory."""
    return run(configured(**settings), data or people())
