"""Runs whose streams change at given rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from people import configured, finish, people, run_with_breaks
from test_vector import ROUGH, assert_same_runs, twice, uneven

from motet.data.dataset import Modality
from motet.engine.federation import build_federation
from motet.engine.run import run
from motet.engine.watch import Watch
from motet.errors import InputError
from twins import assert_twins

ONLINE: dict[str, Any] = {"buffer": 6, "arrivals": 3}


@pytest.mark.parametrize("kind", ["gain", "classes"])
@pytest.mark.parametrize("recipe", ["fedavg", "qqr", "motet"])
def test_both_engines_learn_the_same(recipe: str, kind: str) -> None:
    found, expected = twice(uneven(), recipe=recipe, drift_at=[1, 3], drift_kind=kind, **ONLINE, **ROUGH)
    assert_twins(found, expected)


@pytest.mark.parametrize("engine", ["loop", "vector"])
@pytest.mark.parametrize("kind", ["gain", "classes"])
def test_a_stopped_run_goes_on_with_the_same_bits(tmp_path: Path, engine: str, kind: str) -> None:
    config = configured(recipe="qqr", engine=engine, rounds=5, drift_at=[2, 4], drift_kind=kind, **ONLINE)
    assert_same_runs(run_with_breaks(config, people(), tmp_path / "run"), run(config, people()))


@pytest.mark.parametrize("kind", ["gain", "classes"])
def test_a_run_is_the_same_until_the_first_change(kind: str) -> None:
    plain, found = (finish(rounds=4, drift_at=at, drift_kind=kind, **ONLINE).result.history for at in ([], [3]))
    assert found[:2] == plain[:2]
    assert found[2].online_loss != plain[2].online_loss


def test_the_test_split_and_the_bound_that_sees_all_stay() -> None:
    plain, gain = (finish(recipe="full", drift_at=at, **ONLINE) for at in ([], [1]))
    for one, other in ((plain.federation.test, gain.federation.test),):
        assert all(np.array_equal(other.x[m], x) for m, x in one.x.items())
    models = [own.state.shared["model"] for own in (plain, gain)]
    assert all(torch.equal(value, models[1][name]) for name, value in models[0].items())


def test_tokens_have_no_gain() -> None:
    data = people()
    data.modalities["body"] = Modality("body", "tokens", (3,), vocabulary=9)
    data.x["body"] = np.ones((len(data.y), 3), dtype=np.int64)
    made = build_federation(configured(drift_at=[1], **ONLINE), data, Watch())
    assert made.views.gains.owned.tolist() == [[True, False]] * 4
    with pytest.raises(InputError, match="--drift-kind gain needs a sensor"):
        build_federation(configured(drift_at=[1], **ONLINE), data.only(["body"]), Watch())


def test_where_nothing_arrives_nothing_changes() -> None:
    with pytest.raises(InputError) as caught:
        finish(drift_at=[2])
    assert str(caught.value) == (
        "--drift-at changes what arrives, and with --buffer all nothing does: give a buffer of so many samples"
    )
