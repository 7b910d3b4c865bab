"""Every recipe runs on every real archive at hand, and on one of five odd modalities."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import motet
from motet.data.dataset import ArrayDataset, Modality
from motet.learn.recipe import RECIPES

REAL = ("ucihar", "phonewatch", "avdigits", "mvsa_single")
SETTING = {
    "clients": 3,
    "partition": "iid",
    "rounds": 2,
    "buffer": 40,
    "arrivals": 10,
    "evaluate_every": 5,
    "missing_rate": 0.5,
    "degraded_rate": 0.5,
    "degradation": "dropout",  # the one that every kind of modality has
}


@pytest.fixture(scope="module", params=REAL)
def real(request: pytest.FixtureRequest) -> ArrayDataset:
    folder = os.environ.get("MOTET_DATA")
    if folder is None:
        pytest.skip("MOTET_DATA names no folder of archives")
    path = Path(folder) / f"{request.param}.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not among the archives")
    return motet.load(path)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> ArrayDataset:
    """Write and read an archive of five modalities of odd shapes, with gaps."""
    rng = np.random.default_rng(0)
    n = 160
    x = {
        "blip": rng.standard_normal((n, 1, 1)),
        "long-wave": rng.standard_normal((n, 7, 33)),
        "thumb": rng.random((n, 4, 3, 5)),
        "word": rng.integers(0, 11, (n, 1)),
        "scalar": 1e6 + 50 * rng.standard_normal((n, 1)),
    }
    modalities = {
        "blip": Modality("blip", "signal", (1, 1)),
        "long-wave": Modality("long-wave", "signal", (7, 33), rate_hz=10, unit="V"),
        "thumb": Modality("thumb", "image", (4, 3, 5)),
        "word": Modality("word", "tokens", (1,), vocabulary=11),
        "scalar": Modality("scalar", "vector", (1,)),
    }
    dataset = ArrayDataset(
        name="odd",
        modalities=modalities,
        classes=("a", "b", "c"),
        y=np.arange(n) % 3,
        split=(np.arange(n) % 4 == 3).astype(np.uint8) * 2,
        x={m: values.astype(np.int64 if m == "word" else np.float32) for m, values in x.items()},
        client=np.arange(n) % 5,
        time=np.arange(n, dtype=np.float64),
        present={"blip": rng.random(n) < 0.7, "word": rng.random(n) < 0.7},
    )
    path = tmp_path_factory.mktemp("odd") / "odd.npz"
    motet.save(dataset, path)
    return motet.load(path)


def check(dataset: ArrayDataset, recipe: str) -> None:
    result = motet.run(dataset, recipe=recipe, **SETTING)
    assert 0 <= result.final.accuracy <= 1
    assert result.online is not None
    assert (result.bytes.up_by_kind.get("model", 0) > 0) == (recipe != "local")
    alone = next(iter(dataset.modalities))
    test = dataset.take(np.flatnonzero(dataset.split == 2)[:3])
    assert result.model.predict({alone: test[alone]}).shape == (3,)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_runs_on_real_data(real: ArrayDataset, recipe: str) -> None:
    check(real, recipe)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_runs_on_five_odd_modalities(odd: ArrayDataset, recipe: str) -> None:
    check(odd, recipe)
