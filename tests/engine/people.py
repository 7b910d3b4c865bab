"""A small dataset, and runs on it."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.config import Config
from motet.data.dataset import ArrayDataset, Modality
from motet.engine.federation import Federation, build_federation
from motet.engine.run import Finished, run
from motet.engine.watch import Watch
from motet.errors import Interrupted
from motet.learn.recipe import RECIPES, resolve
from motet.record.folder import RunFolder

SMALL: dict[str, Any] = {"features": 4, "batch_size": 8, "threads": 1, "rounds": 3, "flags": "oracle", "lr": 0.05}


def quick_unless_control(names: Iterable[str]) -> list[Any]:
    """Return recipes as parameters; controls, whose parts are those of other rows, are for slow tests."""
    slow = [name for name, row in RECIPES.items() if row.control_of is not None]
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in names]


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


class Impatient(Watch):
    """Presses Ctrl-C when a round is done."""

    def __init__(self, after: int) -> None:
        self.after = after

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        if number == self.after:
            signal.raise_signal(signal.SIGINT)


class Heard(Watch):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []

    def over(self, items: Any, what: str) -> Any:
        self.said.append((what, len(items)))
        return items


def run_with_breaks(config: Config, data: ArrayDataset, path: Path) -> Finished:
    """Carry out a run of five rounds that is stopped after the first and the third, and gone on with."""
    folder = RunFolder.create(path, config.flat())
    for after in (1, 3):
        with pytest.raises(Interrupted, match=f"stopped after round {after} of 5"):
            run(config, data, folder, Impatient(after))
        folder.close()
        folder = RunFolder.open(path)
    finished = run(config, data, folder)
    folder.close()
    return finished
