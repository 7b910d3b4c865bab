"""Rounds with ternary weights (T-FedAvg): what is sent up and down, what is kept, and when the dense model is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from people import configured, federation, finish, people, run_with_breaks
from torch import Tensor

from motet.data.dataset import TRAIN, VALIDATION, ArrayDataset
from motet.engine.evaluate import Evaluator
from motet.engine.interrupt import Stop
from motet.engine.outcome import Outcome
from motet.engine.run import Finished, Runner, run
from motet.engine.sender import Sender
from motet.engine.server import Server
from motet.engine.state import ServerState, initial_state
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.wire.message import decode
from motet.wire.upload import Upload
from twins import assert_twins

STEADY: dict[str, Any] = {"recipe": "t-fedavg", "optimizer": "adam", "lr": 0.03, "dtype": "float64", "local_epochs": 2}
ROUGH: dict[str, Any] = {"missing_rate": 0.5, "degraded_rate": 0.5, "buffer": 12, "arrivals": 4}
both_engines = pytest.mark.parametrize("engine", ["loop", "vector"])


def is_ternary(weight: Tensor) -> bool:
    sizes = weight.abs().unique()
    return len(sizes) == 1 or (len(sizes) == 2 and float(sizes[0]) == 0)


def split_up() -> ArrayDataset:
    """Make people of whose samples some are for validation."""
    data = people(each=24)
    data.split[np.flatnonzero(data.split == TRAIN)[::5]] = VALIDATION
    return data


def matrices(finished: Finished) -> dict[str, Tensor]:
    model = finished.state.shared["model"]
    return {name: model[name] for name in finished.federation.method.ternary.scales}


class Overheard:
    """Notes what clients send, whichever engine trains them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[Upload, Upload]] = []
        self.outcomes: list[Outcome] = []
        heard, join = Sender.heard, Server.join

        def note(sender: Sender, upload: Upload, model: dict[str, Tensor]) -> Upload:
            found = heard(sender, upload, model)
            self.sent.append((upload, found))
            return found

        def joined(server: Server, state: ServerState, number: int, outcomes: Any, *rest: Any) -> Any:
            self.outcomes = list(outcomes)
            return join(server, state, number, iter(self.outcomes), *rest)

        monkeypatch.setattr(Sender, "heard", note)
        monkeypatch.setattr(Server, "join", joined)


# --- Up ----------------------------------------------------------------------------------------------------------


@both_engines
def test_weights_are_sent_as_they_are_seen_and_the_server_takes_what_they_changed(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    overheard = Overheard(monkeypatch)
    finished = finish(engine=engine, chunk=4, rounds=1, **STEADY)
    ternary = finished.federation.method.ternary
    begun = initial_state(finished.federation).shared["model"]
    assert len(overheard.sent) == (4 if engine == "loop" else 1)
    for upload, found in overheard.sent:
        for name in ternary.scales:
            assert all(is_ternary(own) for own in upload.content[name])
            assert torch.equal(upload.content[name].float().double(), upload.content[name])
            assert torch.equal(found.content[name], upload.content[name] - begun[name])
            assert bool(found.content[name].any())
        for name in set(upload.content) - set(ternary.scales):
            assert found.content[name] is upload.content[name]
    assert all(outcome.model is not None for outcome in overheard.outcomes)


@both_engines
def test_the_server_s_round_is_the_mean_made_ternary(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """Written down again in NumPy: weights by samples, a twentieth of the largest, the mean size above it."""
    overheard = Overheard(monkeypatch)
    data = people()
    data.client = np.sort(np.random.default_rng(0).integers(0, 4, len(data.y)))
    finished = finish(data, engine=engine, chunk=4, rounds=1, **STEADY)
    sizes = np.concatenate([outcome.account.samples for outcome in overheard.outcomes]).astype(float)
    assert len(set(sizes)) > 1
    begun, after = initial_state(finished.federation).shared["model"], finished.state.shared["model"]
    for name in after:
        sent = np.concatenate([upload.content[name].numpy() for upload, _ in overheard.sent])
        mean = np.tensordot(sizes / sizes.sum(), sent, 1)
        if name not in finished.federation.method.ternary.scales:
            expected = begun[name].numpy() + mean
        else:
            kept = np.abs(mean) > 0.05 * np.abs(mean).max()
            expected = np.float32(np.abs(mean)[kept].mean()) * np.sign(mean) * kept
        np.testing.assert_allclose(after[name].numpy(), expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("upload", ["ternary", "ternary:gradient=exact"])
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"batch_size": 100},
        {"objective": "chain", "missing": "skip", "aggregate": "ssca", "local_cycles": 2},
        {"objective": "ogm", "drift": "proximal", "participation": 0.5, "optimizer": "sgd"},
        {"objective": "infiltrate", "missing": "infiltration", "drift": "moon"},
        {"aggregate": "none"},
        {"aggregate": "median"},
        {"missing": "prototype", "degraded": "blend", "unimodal_share": 0.5},
    ],
    ids=str,
)
def test_both_engines_learn_the_same(upload: str, choices: dict[str, Any]) -> None:
    """Slowly, or without Adam, which divides gradients that are rounding: those through (1, 1, 1) in a head."""
    slow = {**STEADY, "lr": 0.01, "local_epochs": 1}
    choices = {**slow, **ROUGH, **choices, "upload": upload, "rounds": 4}
    one, other = finish(engine="vector", chunk=3, **choices), finish(engine="loop", **choices)
    assert_twins(one, other, 1e-9)
    assert all(is_ternary(value) for value in matrices(one).values())


def test_recurrent_weights_are_ternary_too() -> None:
    choices = {**STEADY, "optimizer": "sgd", "encoder": "move=gru", "rounds": 2}
    one, other = finish(engine="vector", **choices), finish(engine="loop", **choices)
    assert_twins(one, other, 1e-9)
    weight = matrices(one)["encoder.move.recurrence.weight_hh_l0"]
    assert is_ternary(weight)
    assert bool(weight.any())


# --- Down --------------------------------------------------------------------------------------------------------


@both_engines
def test_what_is_broadcast_is_what_is_kept_and_its_true_bytes_are_counted(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    messages: list[bytes] = []

    def noted(message: bytes) -> Any:
        messages.append(message)
        return decode(message)

    monkeypatch.setattr("motet.engine.server.decode", noted)
    finished = finish(engine=engine, **{**STEADY, "dtype": "float32"})
    assert len(messages) == 3
    assert finished.result.bytes.down_by_kind["model"] == 4 * sum(map(len, messages))
    assert finished.result.bytes.up_by_kind["model"] == finished.result.bytes.down_by_kind["model"]
    dense = finish(engine=engine, **{**STEADY, "dtype": "float32"}, upload="dense")
    assert finished.result.bytes.down_by_kind["model"] < dense.result.bytes.down_by_kind["model"] / 3
    initial = initial_state(finished.federation).shared["model"]
    assert all(torch.equal(value, initial[name]) for name, value in decode(messages[0]).items())
    assert [line.broadcast for line in finished.result.history] == ["ternary"] * 3


def test_deflating_is_for_both_directions() -> None:
    plain, deflated = (finish(**STEADY, upload=upload).result for upload in ("ternary", "ternary+deflate"))
    assert deflated.bytes.up < plain.bytes.up
    assert deflated.bytes.down < plain.bytes.down
    assert deflated.final == plain.final


def test_a_part_that_nobody_sends_keeps_its_bits() -> None:
    data = people()
    data.present["body"] = data.split == 2  # at least one client must have it
    data.present["body"][data.client == 3] = True
    made = federation(data, **STEADY, missing="skip", participation=0.25)
    runner, state = Runner(made, Watch()), initial_state(made)
    kept = 0
    for _ in range(6):
        before, (state, line) = state.shared["model"], runner.step(state, Stop())
        names = made.method.network.names["encoder.body"]
        same = all(torch.equal(state.shared["model"][name], before[name]) for name in names)
        assert same == (line.participation.get("body", 0) == 0)
        kept += same
    assert 0 < kept < 6


@both_engines
def test_a_client_alone_keeps_what_the_network_sees(engine: str) -> None:
    finished = finish(engine=engine, chunk=2, aggregate="none", **{**STEADY, "dtype": "float32"})
    assert finished.result.bytes.up_by_kind.get("model", 0) == 0
    for own in finished.state.private.values():
        for name in finished.federation.method.ternary.scales:
            assert is_ternary(own[f"model/{name}"])
        assert not any(name.endswith(".scale") for name in own)


# --- Where it loses too much -------------------------------------------------------------------------------------


class Told:
    """Says what validation says of a model: by how much the ternary one is worse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lost: list[float]) -> None:
        self.asked: list[bool] = []

        def accuracy(_: Evaluator, state: ServerState) -> float:
            found = all(is_ternary(value) for value in state.shared["model"].values() if value.dim() > 1)
            self.asked.append(found)
            return 0.9 - (lost[state.round - 1] if found else 0)

        monkeypatch.setattr(Evaluator, "accuracy", accuracy)


def test_the_dense_model_is_sent_and_kept_where_the_ternary_one_loses_more_than_three_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Told(monkeypatch, [0.0, 0.031, 0.029, -0.1])
    made = federation(split_up(), **STEADY, rounds=4)
    runner, state, down = Runner(made, Watch()), initial_state(made), [0]
    for expected in ("ternary", "dense", "ternary", "ternary"):
        state, line = runner.step(state, Stop())
        assert line.broadcast == expected
        weights = {name: state.shared["model"][name] for name in made.method.ternary.scales}
        assert all(is_ternary(value) == (expected == "ternary") for value in weights.values())
        down.append(line.bytes_down)
    assert down[1] == down[2] == down[4] < down[3] / 3  # the dense one goes down in the round after it was kept
    assert told.asked == [False, True] * 4


def test_what_the_fallback_sends_is_what_was_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[dict[str, Tensor]] = []
    join = Server.join

    def noted(*given: Any) -> Any:
        found = join(*given)
        joined.append(found[0]["model"])
        return found

    monkeypatch.setattr(Server, "join", noted)
    Told(monkeypatch, [0.05, 0.0])
    made = federation(split_up(), **STEADY, rounds=2)
    runner = Runner(made, Watch())
    state, _ = runner.step(initial_state(made), Stop())
    assert state.shared["model"] is joined[0]
    received = runner.server.broadcast(state).shared["model"]
    assert all(torch.equal(received[name], value) for name, value in joined[0].items())


def test_both_engines_learn_the_same_from_a_dense_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose pattern devices make themselves, and of which some reach no part of it that they lack a sensor for."""
    Told(monkeypatch, [0.05, 0.0, 0.05, 0.05, 0.0])
    choices = {**STEADY, **ROUGH, "missing": "skip", "rounds": 5, "drift": "moon"}
    one, other = (finish(split_up(), engine=engine, chunk=2, **choices) for engine in ("vector", "loop"))
    assert_twins(one, other, 1e-9)
    assert [line.broadcast for line in one.result.history] == ["dense", "ternary", "dense", "dense", "ternary"]


def test_a_client_that_has_not_learnt_a_part_changes_nothing_of_a_dense_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Told(monkeypatch, [0.05] * 3)
    overheard, data = Overheard(monkeypatch), split_up()
    data.present["body"] = data.client != 1
    finish(data, engine="vector", chunk=4, missing="skip", **STEADY)
    for _, found in overheard.sent:
        assert found.held["encoder.body.out.weight"].tolist() == [True, False, True, True]
        assert not found.content["encoder.body.out.weight"][1].any()


def test_the_accuracy_that_decides_is_that_of_the_split() -> None:
    finished = finish(split_up(), **STEADY)
    runner = Runner(finished.federation, Watch())
    assert runner.validator is not None
    assert runner.validator.accuracy(finished.state) == finished.state.validation[-1]["accuracy"]


def test_nothing_falls_back_without_validation_or_ternary_weights() -> None:
    assert [line.broadcast for line in finish(split_up(), recipe="fedavg").result.history] == [None] * 3
    assert [line.broadcast for line in finish(**STEADY).result.history] == ["ternary"] * 3


# --- Gone on with, and refused -----------------------------------------------------------------------------------


@both_engines
@pytest.mark.parametrize("choices", [{}, {"aggregate": "none", "participation": 0.5}], ids=str)
def test_a_stopped_run_goes_on_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, choices: dict[str, Any]
) -> None:
    Told(monkeypatch, [0.05, 0.0, 0.05, 0.0, 0.0])  # stopped after the first and the third, which are dense
    config = configured(**STEADY, **ROUGH, engine=engine, chunk=3, rounds=5, **choices)
    whole, broken = run(config, split_up()), run_with_breaks(config, split_up(), tmp_path / "run")
    found, expected = (each.state.to_checkpoint()[0] for each in (broken, whole))
    assert list(found) == list(expected)
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []
    assert broken.result.model_dump(exclude={"time"}) == whole.result.model_dump(exclude={"time"})


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (
            {"drift": "scaffold"},
            "--upload ternary does not go with --drift scaffold, which takes the change of weights for a sum of "
            "gradients: use another --drift, or another --upload",
        ),
        (
            {"server_optimizer": "adam"},
            "--upload ternary makes the server's model ternary, in which its own small steps are lost: leave out "
            "--server-optimizer and --server-lr, or choose another --upload",
        ),
        ({"server_lr": 0.5}, "--upload ternary makes the server's model ternary"),
    ],
)
def test_what_counts_on_small_changes_is_refused(choices: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        finish(recipe="t-fedavg", **choices)
    assert str(caught.value).startswith(words)
