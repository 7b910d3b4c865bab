"""A validation split in a run: evaluated as the test split is, never trained on, and what weights are fitted on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from people import SMALL, configured, federation, finish, people

import motet
from motet.config import configure
from motet.data.dataset import TEST, TRAIN, VALIDATION, ArrayDataset, Modality
from motet.data.holdout import clients_before, hold_out_validation
from motet.engine import evaluate
from motet.engine.federation import build_federation, check
from motet.engine.interrupt import Stop
from motet.engine.rounds import TAIL
from motet.engine.run import Runner
from motet.engine.runs import find_data
from motet.engine.state import ServerState, initial_state
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.learn.fusion import fit_weights
from motet.record.folder import Memory
from motet.stream.view import View
from twins import assert_twins

ROUGH: dict[str, Any] = {"missing_rate": 0.5, "degraded_rate": 0.5}
WEIGHTED: dict[str, Any] = {"recipe": "late", "fusion": "validation", "validation": True}


def split_up(**changes: Any) -> ArrayDataset:
    """Make people whose data have a validation split, of 20 samples."""
    data = people(**changes)
    held = np.flatnonzero(data.split == TRAIN)[::3][:20]
    data.split[held] = VALIDATION
    return data


def same(one: View, other: View) -> bool:
    return all(np.array_equal(one.x[m], other.x[m]) for m in one.x) and np.array_equal(one.y, other.y)


def test_a_modality_that_weighs_nothing_still_speaks_where_it_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "fit_weights", lambda own, y: np.array([2.0, *[0.0] * (own.shape[1] - 1)]))
    finished = finish(split_up(), **{**WEIGHTED, "validation": False})
    weights = [float(w) for w in finished.state.shared["fusion"].values()]
    assert weights == pytest.approx([2.0, *[1e-3] * (len(weights) - 1)])


# --- The split ---------------------------------------------------------------------------------------------------


def test_without_such_a_split_there_is_nothing_to_say() -> None:
    finished = finish()
    assert finished.federation.validation is None
    assert finished.result.validation is None
    assert finished.result.data["validation_samples"] == 0


def test_it_is_held_out_on_demand_where_the_data_have_none() -> None:
    finished = finish(validation=True)
    held = hold_out_validation(people(), 0)
    assert finished.federation.validation is not None
    assert np.array_equal(finished.federation.validation.y, held.y[held.split == VALIDATION])
    assert finished.result.data["validation_samples"] == (held.split == VALIDATION).sum() > 0
    trained_on = np.concatenate(finished.federation.partition.shares)
    assert sorted(trained_on.tolist()) == np.flatnonzero(held.split == TRAIN).tolist()


def test_one_that_is_there_is_used_and_not_trained_on() -> None:
    data = split_up()
    for choice in (False, True):
        made = federation(data, validation=choice)
        assert made.validation is not None
        assert len(made.validation.y) == 20
        assert not np.isin(np.concatenate(made.partition.shares), np.flatnonzero(data.split == VALIDATION)).any()
        assert same(made.test, federation(data).test)


def test_evaluating_it_changes_no_bit_of_training() -> None:
    data = split_up()
    elsewhere = replace(data, split=np.where(data.split == VALIDATION, 7, data.split).astype(np.uint8))
    one, other = finish(data, **ROUGH), finish(elsewhere, **ROUGH)
    assert one.result.validation is not None
    assert other.result.validation is None
    assert one.result.final == other.result.final
    for name, value in one.state.shared["model"].items():
        assert torch.equal(value, other.state.shared["model"][name])


def test_it_is_impaired_as_the_test_split_is_by_draws_of_its_own() -> None:
    data = split_up()
    data.split[data.split == TEST] = np.where(np.arange(24) < 20, TEST, 7)  # as many as for validation
    made = federation(data, test_missing="body")
    assert made.validation is not None
    assert not made.validation.present["body"].any()
    made = federation(data, test_degradation="noise")
    assert made.validation is not None
    flags = [np.stack(list(view.degraded.values())) for view in (made.test, made.validation)]
    assert all((hit.sum(axis=0) == 1).all() for hit in flags)
    assert not np.array_equal(*flags)


@pytest.mark.parametrize("recipe", ["partial", "qqr", "local"])
def test_its_figures_are_means_over_the_last_evaluations(recipe: str) -> None:
    finished = finish(split_up(), recipe=recipe, rounds=TAIL + 2, **ROUGH)
    found, state = finished.result.validation, finished.state
    assert found is not None
    assert len(state.validation) == len(state.tail) == TAIL
    assert found.accuracy == pytest.approx(np.mean([each["accuracy"] for each in state.validation]))
    assert found.loss == pytest.approx(np.mean([each["loss"] for each in state.validation]))
    assert found.worst_class == pytest.approx(np.mean([each["worst_class"] for each in state.validation]))
    assert found.fusion == {}


def test_the_same_samples_as_test_and_validation_have_the_same_figures() -> None:
    data = people()
    twice = np.concatenate([np.arange(96), np.flatnonzero(data.split == TEST)])
    split = np.append(data.split, np.full(24, VALIDATION)).astype(np.uint8)
    doubled = replace(
        data,
        y=data.y[twice],
        x={m: x[twice] for m, x in data.x.items()},
        client=np.asarray(data.client)[twice],
        split=split,
        present={},
    )
    result = finish(doubled).result
    assert result.validation is not None
    assert result.validation.model_dump(exclude={"fusion"}) == result.tail.model_dump(
        include={"accuracy", "balanced_accuracy", "loss", "worst_class"}
    )


@pytest.mark.parametrize("clients", [1, 2, 3, 8, 10, 20])
def test_as_many_people_are_simulated_as_are_asked_for_and_held_out(clients: int) -> None:
    config = configure({"clients": clients, "validation": True, "seed": 3})
    held = hold_out_validation(find_data(config), 3)
    assert held.client is not None
    assert len(np.unique(held.client[held.split == TRAIN])) == clients
    assert clients_before(clients) - clients in (2, round(clients_before(clients) / 5))
    check(config.but(recipe="fedavg"), find_data(config))


# --- Fusion weights ----------------------------------------------------------------------------------------------


def loud_noise(seed: int = 0) -> ArrayDataset:
    """Make few samples to train on, whose noise can be learnt by heart, and many for validation.

    `move` hardly shows the class, `hiss` is noise.
    """
    data = people(each=100, test=60, seed=seed)
    data.split[(data.split == TRAIN) & (np.arange(460) % 5 > 0)] = VALIDATION
    rng = np.random.default_rng(seed)
    spec = {"move": data.modalities["move"], "hiss": Modality("hiss", "vector", (40,))}
    x = {
        "move": data.x["move"] + rng.normal(0, 1.5, (460, 2, 8)).astype(np.float32),
        "hiss": rng.standard_normal((460, 40)).astype(np.float32),
    }
    return replace(data, modalities=spec, x=x, present={})


@pytest.mark.parametrize("seed", [0, 4])
def test_a_useless_modality_weighs_less_and_accuracy_on_validation_does_not_fall(seed: int) -> None:
    choices = {"recipe": "late-unimodal", "rounds": 20, "local_epochs": 3, "lr": 0.05, "features": 8}
    equal, fitted = (finish(loud_noise(seed), fusion=fusion, **choices).result for fusion in ("equal", "validation"))
    assert equal.validation is not None
    assert fitted.validation is not None
    assert fitted.validation.fusion["hiss"] < 0.1 * fitted.validation.fusion["move"]
    assert fitted.validation.accuracy >= equal.validation.accuracy
    assert fitted.validation.loss < equal.validation.loss


def test_training_is_not_affected_and_weights_are_sent_and_counted() -> None:
    equal, fitted = finish(**{**WEIGHTED, "fusion": "equal"}, **ROUGH), finish(**WEIGHTED, **ROUGH)
    for name, value in equal.state.shared["model"].items():
        assert torch.equal(value, fitted.state.shared["model"][name])
    assert equal.result.bytes.up == fitted.result.bytes.up
    extra = fitted.result.bytes.down_by_kind["fusion"]
    assert fitted.result.bytes.down - equal.result.bytes.down == extra > 0
    assert fitted.result.final.loss != equal.result.final.loss
    assert [a.train_loss for a in equal.result.history] == [b.train_loss for b in fitted.result.history]


def test_weights_are_those_of_the_last_model() -> None:
    finished = finish(**WEIGHTED, **ROUGH, evaluate_every=2)
    made, state = finished.federation, finished.state
    view = made.validation
    assert view is not None
    client = Runner(made, Watch()).client
    batch = client.batch(view, {m: np.ones(len(view.y)) for m in view.x})
    aux = made.method.aux({"model": state.shared["model"]})
    own = made.method.own_logits(state.shared["model"], aux, made.method.encode(state.shared["model"], batch.x), batch)
    expected = fit_weights(own.detach().double().numpy(), view.y)
    found = [float(weight) for weight in state.shared["fusion"].values()]
    assert found == pytest.approx(expected.tolist(), rel=1e-4)


def test_arrivals_are_predicted_with_the_weights_received() -> None:
    online = {"buffer": 6, "arrivals": 3}
    equal, fitted = finish(**{**WEIGHTED, "fusion": "equal"}, **online), finish(**WEIGHTED, **online)
    one, other = ([line.online_loss for line in run.result.history] for run in (equal, fitted))
    assert one[0] == other[0]  # nothing was fitted yet
    assert one[1] != other[1]


def test_the_model_predicts_with_them() -> None:
    data = people(each=30)
    result = motet.run(data, **{**SMALL, **WEIGHTED, "rounds": 4, "missing_rate": 0.4})
    x = {m: values[data.split == TEST] for m, values in data.x.items()}
    y = data.y[data.split == TEST]
    logs = np.log(result.model.probabilities(x)[np.arange(len(y)), y])
    assert -logs.mean() == pytest.approx(result.final.loss, rel=1e-5)
    assert (result.model.predict(x) == y).mean() == pytest.approx(result.final.accuracy)


@pytest.mark.parametrize("recipe", ["late", "late-unimodal"])
@pytest.mark.parametrize("aggregate", ["mean", "none"])
def test_blocks_of_clients_are_weighted_as_clients_one_by_one(recipe: str, aggregate: str) -> None:
    choices = {**WEIGHTED, **ROUGH, "recipe": recipe, "aggregate": aggregate, "dtype": "float64", "buffer": 9}
    choices |= {"arrivals": 3, "unimodal_share": 0.5}
    assert_twins(finish(engine="vector", chunk=2, **choices), finish(engine="loop", **choices), 1e-6)


def test_a_run_goes_on_with_the_same_bits() -> None:
    config = configured(**WEIGHTED, **ROUGH, buffer=6, arrivals=3, rounds=4)

    def runner() -> Runner:
        return Runner(build_federation(config, people(), Watch()), Watch())

    whole = runner()
    end = whole.go(initial_state(whole.federation), Memory())
    first, second = runner(), runner()
    half, _ = first.step(initial_state(first.federation), Stop())
    half, _ = first.step(half, Stop())
    back = ServerState.from_checkpoint(*half.to_checkpoint(), expected=initial_state(second.federation))
    again = second.go(back, Memory())
    (one, rest), (other, other_rest) = end.to_checkpoint(), again.to_checkpoint()
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert rest["validation"] == other_rest["validation"] != []
    assert any(name.startswith("shared/fusion/") for name in one)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (
            {"recipe": "partial", "fusion": "validation", "validation": True},
            "--fusion validation weights scores that are summed, which --objective joint does not do: use an objective "
            "of late fusion, such as late, or --fusion equal",
        ),
        (
            {"recipe": "late", "fusion": "validation"},
            "--fusion validation is fitted on a validation split, which people does not have: hold one out with "
            "--validation true",
        ),
    ],
)
def test_what_cannot_be_weighted_is_refused(tmp_path: Path, choices: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        motet.run(people(), out=tmp_path / "run", **choices)
    assert str(caught.value) == words
    assert not (tmp_path / "run").exists()
