"""What does not fit together is refused in one sentence, before anything is computed or written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from people import configured, people

import motet
from motet.data.dataset import Modality
from motet.engine.federation import check
from motet.errors import InputError


def test_what_fits_passes() -> None:
    check(configured(), people())
    check(configured(recipe="qqr", buffer=6, arrivals=6), people(clients=1))


def broken(value: float, modality: str = "move", row: int = 7) -> Any:
    data = people()
    data.x[modality][row].flat[1] = value
    return data


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [7, 90])
def test_nan_in_training_or_test_samples(value: float, row: int) -> None:
    sentence = rf"^people: move has 1 samples with NaN or infinite values, the first at {row}: remove them"
    with pytest.raises(InputError, match=sentence):
        check(configured(), broken(value, row=row))


def test_nan_where_a_modality_is_absent_means_nothing() -> None:
    data = broken(np.nan)
    data.present["move"] = np.arange(96) != 7
    check(configured(), data)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": {"move": np.zeros((96, 2, 9), np.float32), "body": np.zeros((96, 3), np.float32)}}, "move must hold"),
        ({"x": {"move": np.zeros((96, 2, 8), np.float32), "body": np.zeros((95, 3), np.float32)}}, "body must hold"),
        ({"x": {"move": np.zeros((96, 8, 2), np.float32), "body": np.zeros((96, 3), np.float32)}}, r"\(96, 2, 8\)"),
        ({"x": {"move": np.full((96, 2, 8), "a"), "body": np.zeros((96, 3), np.float32)}}, "must hold numbers"),
        ({"y": np.full(96, 3)}, "y must hold integers from 0 to 2"),
        ({"y": np.full(96, -1)}, "y must hold integers from 0 to 2"),
        ({"y": np.zeros(96)}, "y must hold integers"),
        ({"split": np.zeros(96, np.uint8)}, r"for training \(0\) and for test \(2\)"),
        ({"split": np.full(96, 2, np.uint8)}, r"for training \(0\) and for test \(2\)"),
        ({"split": np.zeros(95, np.uint8)}, "96 in all"),
    ],
)
def test_arrays_that_mean_nothing(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check(configured(), people(**changes))


def test_a_modality_that_no_client_has() -> None:
    nowhere = people(present={"body": np.arange(96) >= 72})
    with pytest.raises(
        InputError, match=r"no client has body: every training sample of people lacks it; .*-modalities move"
    ):
        check(configured(), nowhere)
    check(configured(modalities=["move"]), nowhere)


def test_more_clients_than_there_are() -> None:
    with pytest.raises(InputError, match="--clients 5 is more than the 4 clients"):
        check(configured(clients=5), people())
    with pytest.raises(InputError, match="--clients 73 is more than the 72 training samples"):
        check(configured(clients=73, partition="iid"), people())
    with pytest.raises(InputError, match="does not say which client"):
        check(configured(partition="natural"), replace(people(), client=None))


@pytest.mark.parametrize("out", [None, "run"])
def test_nothing_is_written_for_what_does_not_fit(tmp_path: Path, out: str | None) -> None:
    for data, settings in ((broken(np.nan), {}), (people(), {"modalities": ["mouve"]}), (people(), {"clients": 9})):
        with pytest.raises(InputError):
            motet.run(data, rounds=1, out=None if out is None else tmp_path / out, **settings)
    assert list(tmp_path.iterdir()) == []


def test_tokens_have_no_noise() -> None:
    data = people()
    words = Modality("words", "tokens", (5,), vocabulary=9)
    data = replace(
        data,
        modalities={**data.modalities, "words": words},
        x={**data.x, "words": np.ones((96, 5), np.int64)},
        present={},
    )
    check(configured(), data)
    with pytest.raises(InputError, match="--noise words: tokens have no noise"):
        check(configured(noise={"words": 1.0}), data)


@pytest.mark.parametrize("choices", [{"server_optimizer": "adam"}, {"server_lr": 0.5}])
def test_a_server_that_joins_nothing_has_nothing_to_step_by(choices: dict[str, Any]) -> None:
    check(configured(recipe="local", server_momentum=0.5), people())
    check(configured(**choices), people())
    for recipe in ({"recipe": "local"}, {"aggregate": "none:"}):
        with pytest.raises(InputError, match=r"^with --aggregate none the server has nothing to step by: leave"):
            check(configured(**recipe, **choices), people())
