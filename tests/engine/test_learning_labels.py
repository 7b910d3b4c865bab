"""Samples whose label is lacking, late or wrong: predicted and counted, and learnt from only where there is one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from people import configured, federation, finish, people, quick_unless_control, run_with_breaks
from test_vector import ROUGH, assert_same_runs, twice, uneven

from motet.engine.federation import build_federation
from motet.engine.rounds import Rounds
from motet.engine.run import Finished, Runner, run
from motet.engine.state import initial_state
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.learn.recipe import RECIPES
from motet.stream.labels import Labels
from motet.stream.reference import UNLABELLED
from motet.stream.view import View, Views
from twins import assert_twins

LACKING: dict[str, Any] = {"label_rate": 0.4, "label_noise": 0.2, "label_delay": 1, "buffer": 12, "arrivals": 4}


def model(**choices: Any) -> dict[str, torch.Tensor]:
    return finish(**choices).state.shared["model"]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("recipe", quick_unless_control(RECIPES))
def test_every_recipe_learns_the_same_in_blocks(recipe: str) -> None:
    found, expected = twice(uneven(), recipe=recipe, batch_size=3, flags="assessed", **LACKING, **ROUGH)
    assert_twins(found, expected)


@pytest.mark.parametrize("engine", ["loop", "vector"])
@pytest.mark.parametrize("recipe", ["qqr", "scaffold", "fedcmi", "fedmchain"])
def test_a_stopped_run_goes_on_with_the_same_bits(tmp_path: Path, engine: str, recipe: str) -> None:
    config = configured(recipe=recipe, engine=engine, rounds=5, **LACKING)
    assert_same_runs(run_with_breaks(config, people(), tmp_path / "run"), run(config, people()))


def scrambled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every sample without a label another class, where it would be learnt from and where it is drawn."""
    batch, view = Rounds.__init__, Views.view

    def init(self: Rounds, *given: Any) -> None:
        batch(self, *given)
        made = self.client.batch

        def other(view: Any, quality: Any) -> Any:
            found = made(view, quality)
            assert found.y is not None
            return found._replace(y=torch.where(found.mask, found.y, (found.y + 1) % 3))

        self.client.batch = other  # type: ignore[method-assign]

    def seen(self: Views, number: int, *clients: int) -> View:
        found = view(self, number, *clients)
        return replace(found, y=np.where(found.labelled, found.y, (found.y + 1) % 3))

    monkeypatch.setattr(Rounds, "__init__", init)
    monkeypatch.setattr(Views, "view", seen)


def assert_same_learnt(found: Finished, expected: Finished) -> None:
    """Fail unless server and devices have learnt the same, bit for bit."""
    tensors, wanted = found.state.to_checkpoint()[0], expected.state.to_checkpoint()[0]
    assert list(tensors) == list(wanted)
    assert [name for name in tensors if not torch.equal(tensors[name], wanted[name])] == []
    assert [line.train_loss for line in found.result.history] == [line.train_loss for line in expected.result.history]


@pytest.mark.parametrize("recipe", quick_unless_control(RECIPES))
def test_which_class_a_sample_without_label_has_is_never_looked_at(
    recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = {"recipe": recipe, "engine": "loop", "flags": "assessed", **LACKING, **ROUGH}
    plain = finish(**choices)
    scrambled(monkeypatch)
    assert_same_learnt(finish(**choices), plain)


def test_online_figures_count_every_arrival_by_its_true_class() -> None:
    plain = finish(rounds=1, buffer=12, arrivals=4)
    other = finish(rounds=1, buffer=12, arrivals=4, label_rate=0.3, label_noise=1.0)  # one model predicts in both
    assert plain.result.online == other.result.online
    assert plain.result.online is not None
    assert plain.result.online.samples == 16
    assert plain.result.history[0].labelled == 1.0
    assert 0.1 < (other.result.history[0].labelled or 0) < 0.5


def nobody_told(monkeypatch: pytest.MonkeyPatch, *clients: int) -> None:
    """Let some clients have no label at all."""
    told = Labels.of

    def of(self: Labels, client: int, serials: Any, waited: Any, y: Any) -> Any:
        found = told(self, client, serials, waited, y)
        return np.full_like(found, UNLABELLED) if client in clients else found

    monkeypatch.setattr(Labels, "of", of)
    monkeypatch.setattr(Labels, "perfect", False)


@pytest.mark.parametrize("engine", ["loop", "vector"])
@pytest.mark.parametrize("recipe", ["partial", "qqr", "scaffold", "fedcmi", "fedmchain"])
def test_who_has_no_label_sends_no_model_and_counts_for_none(
    engine: str, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_told(monkeypatch, 1, 3)
    choices = {"recipe": recipe, "proximal": 0.1} if recipe == "partial" else {"recipe": recipe}
    made = build_federation(configured(engine=engine, batch_size=4, **choices), people(), Watch())
    runner = Runner(made, Watch())
    state = initial_state(made)
    outcomes = list(runner.trainer.train(1, [0, 1, 2, 3], runner.server.broadcast(state), {}))
    for outcome in outcomes:
        for kind in ("model", "drift", "prototypes"):
            upload = getattr(outcome, kind)
            if upload is None:
                assert set(outcome.clients) <= {1, 3} or kind != "model"
                continue
            sent = {k for k, length in zip(outcome.clients, upload.lengths, strict=True) if length}
            assert sent == set(outcome.clients) - {1, 3}
            assert all(not bool(held[place]) for held in upload.held.values() for place in _places(outcome.clients))


def _places(clients: list[int]) -> list[int]:
    return [place for place, k in enumerate(clients) if k in (1, 3)]


@pytest.mark.parametrize("engine", ["loop", "vector"])
def test_where_nobody_has_a_label_the_model_stays(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_told(monkeypatch, 0, 1, 2, 3)
    for recipe in ("fedprox", "qqr", "scaffold", "moon", "motet"):
        found = finish(recipe=recipe, engine=engine, flags="assessed")
        assert same(found.state.shared["model"], found.federation.method.network.state())
        assert [line.train_loss for line in found.result.history] == [None] * 3
        assert [line.labelled for line in found.result.history] == [0.0] * 3


def test_weights_by_samples_are_by_those_with_a_label() -> None:
    found = finish(weights="samples", engine="loop", label_rate=0.5)
    runner = Runner(federation(weights="samples", engine="loop", label_rate=0.5), Watch())  # type: ignore[arg-type]
    view: Views = runner.views
    outcome = next(runner.trainer.train(1, [2], runner.server.broadcast(initial_state(found.federation)), {}))
    labelled = int(view.view(1, 2).labelled.sum())
    assert runner.server._weights(outcome).tolist() == [labelled]
    assert 0 < labelled < 18


def test_a_hostile_client_changes_the_labels_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = {"attack": "label-flip", "hostile_share": 0.5, **LACKING}
    found, expected = twice(people(), recipe="qqr", **hostile)
    assert_twins(found, expected)
    assert not same(expected.state.shared["model"], model(recipe="qqr", dtype="float64", engine="loop", **LACKING))
    scrambled(monkeypatch)
    assert_same_learnt(finish(recipe="qqr", engine="loop", dtype="float64", **hostile), expected)


def test_the_bound_that_sees_all_has_all_labels() -> None:
    assert same(model(recipe="full", buffer=12, arrivals=4), model(recipe="full", **LACKING))


def test_a_delay_needs_arrivals() -> None:
    with pytest.raises(InputError) as caught:
        finish(label_delay=2)
    assert str(caught.value) == (
        "--label-delay 2 counts rounds from a sample's arrival, and with --buffer all none arrives: give a buffer of "
        "so many samples, or leave the delay out"
    )
