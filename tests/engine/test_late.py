"""Uploads that come some rounds late: dropped, or joined with less weight, whatever the method and the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from people import configured, federation, finish, people, quick_unless_control, run_with_breaks
from test_vector import ROUGH, assert_same_runs, twice, uneven

from motet.engine.flower.deployment import fitted
from motet.engine.late import TOO_LATE, Late
from motet.engine.run import Finished, Runner, run
from motet.engine.state import initial_state
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.learn.recipe import RECIPES
from motet.nets.network import State
from twins import assert_twins

SOME: dict[str, Any] = {"upload_delay": 2, "late_share": 0.5, "rounds": 5}
JOINED = quick_unless_control(name for name in RECIPES if name not in ("local", "t-fedavg"))


def arrived(found: Finished) -> Finished:
    """Return a run less what is still under way, whose bytes differ where numbers do by rounding."""
    return Finished(found.result, found.federation, replace(found.state, under_way=[]))


@pytest.mark.parametrize("recipe", JOINED)
def test_every_recipe_learns_the_same_in_blocks(recipe: str) -> None:
    found, expected = twice(uneven(), recipe=recipe, flags="assessed", **SOME, **ROUGH)
    assert_twins(arrived(found), arrived(expected))
    assert [own[:-1] for own in found.state.under_way] == [own[:-1] for own in expected.state.under_way] != []


@pytest.mark.parametrize("recipe", ["fedavg", "qqr", "scaffold", "t-fedavg"])
def test_dropping_is_the_same_in_blocks(recipe: str) -> None:
    found, expected = twice(uneven(), recipe=recipe, late_uploads="drop", **SOME, **ROUGH)
    assert_twins(arrived(found), arrived(expected))


WAYS: dict[str, dict[str, Any]] = {
    "weighed": {"recipe": "qqr", "upload": "topk+memory+q8", "flags": "assessed"},
    "variates": {"recipe": "scaffold", "participation": 0.75},
    "scores": {"recipe": "fedcmi", "objective": "infiltrate:dominance=global"},
    "dropped": {"recipe": "scaffold", "late_uploads": "drop"},
}


@pytest.mark.parametrize("engine", ["loop", "vector"])
@pytest.mark.parametrize("way", WAYS)
def test_a_stopped_run_goes_on_with_the_same_bits(tmp_path: Path, engine: str, way: str) -> None:
    config = configured(engine=engine, **WAYS[way], **SOME)
    whole = run(config, people())
    assert_same_runs(run_with_breaks(config, people(), tmp_path / "run"), whole)
    assert sum(line.late for line in whole.result.history) > 0


def steps(runner: Runner, clients: list[int]) -> tuple[Any, list[State]]:
    """Return a broadcast before the first round, and what each of some clients sends of the model."""
    state = initial_state(runner.federation)
    outcomes = list(runner.trainer.train(1, clients, runner.server.broadcast(state), {}))
    return state, [{name: value[0] for name, value in o.model.content.items()} for o in outcomes if o.model]


def test_a_late_update_counts_a_third_after_two_rounds_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Client 0 is late in round 1; in round 3 client 1 alone takes part."""
    choices = {"recipe": "fedavg", "engine": "loop", "dtype": "float64", "upload_delay": 2, "rounds": 3}
    monkeypatch.setattr(
        "motet.engine.rounds.participants", lambda config, clients, number: [(0,), (), (1,)][number - 1]
    )
    monkeypatch.setattr(Late, "among", lambda self, clients, number: [0] if number == 1 else [])
    found = finish(**choices)
    start = found.federation.method.network.state()
    runner = Runner(federation(**choices), Watch())  # type: ignore[arg-type]
    _, (late,) = steps(runner, [0])
    state = initial_state(runner.federation)
    outcome = next(runner.trainer.train(3, [1], runner.server.broadcast(state), {}))
    assert outcome.model is not None
    for name, value in found.state.shared["model"].items():
        wanted = start[name] + (outcome.model.content[name][0] + late[name] / 3) / (1 + 1 / 3)
        assert torch.allclose(value, wanted.to(value.dtype), rtol=0, atol=1e-12), name
    assert [line.late for line in found.result.history] == [0, 0, 1]
    assert [line.clients for line in found.result.history] == [1, 0, 1]


def test_bytes_are_counted_when_they_come() -> None:
    plain, late = (finish(recipe="qqr", flags="assessed", rounds=4, **own).result for own in ({}, {"upload_delay": 1}))
    kinds = set(plain.bytes.up_by_kind)
    first, *rest = (line.bytes_up for line in late.history)
    assert first == 0
    assert rest[0] == plain.history[0].bytes_up  # the first round's, for all that was sent is the same
    assert all(own > 0 for own in rest)
    assert {"model", "prototypes", "quality"} <= set(late.bytes.up_by_kind) == kinds
    assert late.history[0].bytes_down == plain.history[0].bytes_down


@pytest.mark.parametrize("delay", [1, 2])
def test_what_is_dropped_is_counted_and_recorded_when_it_comes(delay: int) -> None:
    settings = {"upload_delay": delay, "late_share": 0.5, "late_uploads": "drop", "rounds": 6, "engine": "loop"}
    found = finish(recipe="fedavg", **settings)
    late = Late(found.federation.config, None)  # type: ignore[arg-type]
    for line in found.result.history:
        came = late.among([0, 1, 2, 3], line.round - delay) if line.round > delay else []
        assert line.refused == ({TOO_LATE: {str(k): 1 for k in came}} if came else {})
        assert line.late == len(came)
        in_time = 4 - len(late.among([0, 1, 2, 3], line.round))
        assert line.bytes_up == (in_time + len(came)) * line.bytes_down // 4  # the model is as long up as down


def test_dropped_uploads_leave_what_it_would_be_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"recipe": "scaffold", "engine": "loop", "rounds": 5}
    found = finish(**settings, upload_delay=2, late_share=0.5, late_uploads="drop")
    late = Late(found.federation.config, None)  # type: ignore[arg-type]

    def in_time(config: Any, clients: int, number: int) -> list[int]:
        behind = late.among(range(clients), number)
        return [k for k in range(clients) if k not in behind]

    monkeypatch.setattr("motet.engine.rounds.participants", in_time)
    expected = finish(**settings)
    tensors, wanted = found.state.to_checkpoint()[0], expected.state.to_checkpoint()[0]
    learnt = [name for name in tensors if name.startswith(("shared/", "private/"))]
    assert learnt == [name for name in wanted if name.startswith(("shared/", "private/"))]
    assert [name for name in learnt if not torch.equal(tensors[name], wanted[name])] == []


def test_the_common_variate_stays_the_mean_of_the_clients() -> None:
    """Once nothing is under way any more, with those who went on in the meantime counted in."""
    found = finish(recipe="scaffold", engine="loop", dtype="float64", rounds=6, upload_delay=2, late_share=0.5)
    client, private = Runner(found.federation, Watch()).client, found.state.private
    changes: dict[str, torch.Tensor] = {}
    assert found.state.under_way
    for parcel in found.state.under_way:
        for name, value in client.expected.received("drift", parcel.messages["drift"]).content.items():
            changes[name] = changes.get(name, torch.zeros_like(value[0])) + value[0]
    for name, common in found.state.shared["drift"].items():
        kept = torch.stack([private[k][f"drift/{name}"] for k in range(4)]).mean(0)
        assert torch.allclose(common + changes.get(name, 0) / 4, kept, rtol=0, atol=1e-9), name


def test_nothing_that_comes_after_the_end_is_waited_for() -> None:
    found = finish(upload_delay=9)
    assert all(
        torch.equal(v, found.state.shared["model"][n]) for n, v in found.federation.method.network.state().items()
    )
    assert found.result.bytes.up_by_kind.keys() == {"scale"}
    assert len(found.state.under_way) == 12


def test_quality_is_told_once() -> None:
    """Views of successive rounds overlap, and one round's samples must be different ones."""
    found = finish(recipe="qqr", flags="assessed", upload_delay=1, rounds=3)
    assert found.state.memory == {}
    assert found.result.bytes.up_by_kind["quality"] > 0


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"late_share": 0.5}, "--late-share and --late-uploads are about uploads that are late"),
        ({"late_uploads": "drop"}, "--late-share and --late-uploads are about uploads that are late"),
        ({"upload_delay": 1, "late_uploads": "drop"}, "--late-uploads drop would drop every upload"),
        ({"upload_delay": 1, "recipe": "local"}, "--upload-delay needs uploads"),
        ({"upload_delay": 1, "aggregate": "median"}, "--late-uploads weigh needs an aggregate in which clients have"),
        ({"upload_delay": 1, "recipe": "t-fedavg"}, "--upload ternary"),
        (
            {"upload_delay": 1, "recipe": "fedavg", "privacy": "device", "epsilon": 50, "delta": 0.01},
            "--late-uploads weigh gives clients different weights, and --privacy none",
        ),
    ],
)
def test_what_makes_no_sense_says_why(choices: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        finish(**choices)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_over_a_network_uploads_are_late_by_themselves() -> None:
    with pytest.raises(InputError, match="--upload-delay is for `motet run`"):
        fitted(configured(upload_delay=1), people())
