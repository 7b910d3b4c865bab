"""Golden curves: a short run of every recipe gives the figures that it gave before.

A change that means to change them writes them anew, `python tests/engine/test_golden.py`, and says why.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from people import configured, people

from motet.engine.run import run
from motet.learn.recipe import RECIPES

GOLDEN = Path(__file__).with_name("golden.json")
SETTINGS: dict[str, Any] = {
    "rounds": 6,
    "buffer": 12,
    "arrivals": 4,
    "local_epochs": 2,
    "lr": 0.05,
    "missing_rate": 0.5,
    "degraded_rate": 0.3,
    "dtype": "float64",
    "engine": "loop",
}
CLOSE = 1e-6
"""Of losses, in float64: more than another order of sums makes, and less than another formula."""


def curve(recipe: str) -> dict[str, Any]:
    """Return the figures of a recipe's run: of each round, and in all."""
    result = run(configured(**SETTINGS, recipe=recipe), people()).result
    return {
        "loss": [round(line.loss, 9) for line in result.history if line.loss is not None],
        "train_loss": [round(line.train_loss, 9) for line in result.history if line.train_loss is not None],
        "online_loss": [round(line.online_loss, 9) for line in result.history if line.online_loss is not None],
        "accuracy_by_present": result.final.accuracy_by_present,
        "bytes": [result.bytes.up, result.bytes.down],
    }


def test_every_recipe_has_a_golden_curve() -> None:
    assert list(json.loads(GOLDEN.read_text())) == list(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_gives_what_it_gave(recipe: str) -> None:
    found, golden = curve(recipe), json.loads(GOLDEN.read_text())[recipe]
    assert found["bytes"] == golden["bytes"]
    for name in ("loss", "train_loss", "online_loss"):
        assert found[name] == pytest.approx(golden[name], abs=CLOSE), name
    assert found["accuracy_by_present"] == pytest.approx(golden["accuracy_by_present"], abs=0.05)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({recipe: curve(recipe) for recipe in RECIPES}, indent=1) + "\n")
