"""A client with whose messages something is wrong has taken no part; why, and how often, is in the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from meddling import EVERYTHING, Meddle, Meddler, runner, same_tensors, spoiling, without
from people import finish

from motet.engine import run as run_module
from motet.engine.interrupt import Stop
from motet.engine.outcome import Outcome
from motet.engine.state import ServerState, initial_state
from motet.record.result import Round
from motet.record.table import run_rows
from motet.record.warnings import run_warnings
from motet.wire.fault import Fault
from motet.wire.upload import Upload

ENGINES: dict[str, dict[str, Any]] = {"loop": {"engine": "loop"}, "vector": {"engine": "vector", "chunk": 2}}
each_engine = pytest.mark.parametrize("engine", ENGINES)
NAN, INF = float("nan"), float("inf")

SPOILT = [
    ("model", "encoder", NAN, Fault.NOT_FINITE),
    ("model", "head", -INF, Fault.NOT_FINITE),
    ("model", "", 1e9, Fault.TOO_FAR),
    ("model", "", 1e30, Fault.TOO_FAR),  # whose square is no number of float32
    ("drift", "", NAN, Fault.NOT_FINITE),
    ("drift", "", -1e9, Fault.TOO_FAR),
    ("prototypes", "mean", NAN, Fault.NOT_FINITE),
    ("prototypes", "mean", 1e9, Fault.TOO_FAR),
    ("prototypes", "variance", INF, Fault.NOT_FINITE),
    ("prototypes", "variance", -1.0, Fault.TOO_FAR),
    ("prototypes", "count", -1, Fault.COUNTS),
    ("prototypes", "count", 7, Fault.COUNTS),  # of 6 that a device holds
    ("scores", "confidence", NAN, Fault.NOT_FINITE),
    ("scores", "confidence", -0.5, Fault.COUNTS),
    ("scores", "confidence", 6.5, Fault.COUNTS),
    ("scores", "count", 7, Fault.COUNTS),
    ("told", "mean", NAN, Fault.NOT_FINITE),
    ("told", "mean", 1e6, Fault.MOMENTS),
    ("told", "scatter", INF, Fault.NOT_FINITE),
    ("told", "scatter", -9.0, Fault.MOMENTS),  # a variance below nothing
    ("told", "number", 7, Fault.COUNTS),
    ("told", "number", 0, Fault.COUNTS),
    ("told", "label", 3, Fault.COUNTS),
    ("told", "label", -2, Fault.COUNTS),
    ("told", "distances", -1, Fault.COUNTS),
    ("told", "distances", 7, Fault.COUNTS),
]


def rounds(meddle: Meddle | None, engine: str, count: int = 2, **settings: Any) -> tuple[ServerState, list[Round]]:
    """Run some rounds with somebody who meddles; return the end, and the history."""
    made = runner(meddle, **{**ENGINES[engine], **settings})
    state, lines = initial_state(made.federation), []
    for _ in range(count):
        state, line = made.step(state, Stop())
        lines.append(line)
    return state, lines


def unrefused(line: Round) -> dict[str, Any]:
    return line.model_dump(exclude={"refused"})


# --- As if it had taken no part -----------------------------------------------------------------------------------


@each_engine
@pytest.mark.parametrize(("kind", "name", "value", "fault"), SPOILT)
def test_a_refused_client_has_taken_no_part(engine: str, kind: str, name: str, value: float, fault: Fault) -> None:
    found, lines = rounds(spoiling(2, kind, name, value), engine)
    wanted, wanted_lines = rounds(without(2), engine)
    assert same_tensors(found.to_checkpoint()[0], wanted.to_checkpoint()[0])
    assert (found.ledger, found.online, found.largest) == (wanted.ledger, wanted.online, wanted.largest)
    assert list(map(unrefused, lines)) == list(map(unrefused, wanted_lines))
    assert [line.refused for line in lines] == [{fault.value: {"2": 1}}] * 2
    assert [line.clients for line in lines] == [3, 3]


@each_engine
def test_nobody_is_refused_who_is_honest(engine: str) -> None:
    _, lines = rounds(None, engine, missing_rate=0.5, degraded_rate=0.5, degradation="drift")
    assert [line.refused for line in lines] == [{}, {}]


@each_engine
def test_what_was_kept_by_a_refused_client_is_as_it_was(engine: str) -> None:
    """It keeps a variate from the first round, and is refused in the second."""
    made = runner(**ENGINES[engine])
    first, _ = made.step(initial_state(made.federation), Stop())
    made.trainer = Meddler(made.trainer, spoiling(2, "model", "", NAN))
    second, _ = made.step(first, Stop())
    assert same_tensors(dict(second.private[2]), dict(first.private[2]))
    assert not same_tensors(dict(second.private[1]), dict(first.private[1]))


@each_engine
def test_of_several_faults_the_first_counts(engine: str) -> None:
    def both(outcome: Outcome) -> Iterator[Outcome]:
        for one in spoiling(1, "prototypes", "count", -1)(outcome):
            yield from spoiling(1, "model", "", INF)(one)

    _, lines = rounds(both, engine, 1)
    assert lines[0].refused == {Fault.NOT_FINITE.value: {"1": 1}}


@each_engine
def test_a_message_that_cannot_be_read_is_one_that_was_not_sent(engine: str) -> None:
    def unread(outcome: Outcome) -> list[Outcome]:
        if outcome.clients == [2]:
            outcome.model = Upload({}, {}, np.array([12]), Fault.UNREADABLE)
        return [outcome]

    found, lines = rounds(unread, engine, chunk=1)
    wanted, _ = rounds(without(2), engine, chunk=1)
    assert same_tensors(found.to_checkpoint()[0], wanted.to_checkpoint()[0])
    assert lines[0].refused == {Fault.UNREADABLE.value: {"2": 1}}


# --- Once, and by those who were asked ----------------------------------------------------------------------------


@each_engine
def test_whoever_sends_twice_counts_once(engine: str) -> None:
    found, lines = rounds(lambda outcome: [outcome, replace(outcome)], engine)
    wanted, _ = rounds(None, engine)
    assert same_tensors(found.to_checkpoint()[0], wanted.to_checkpoint()[0])
    assert found.ledger == wanted.ledger
    assert lines[0].refused == {Fault.TWICE.value: {str(k): 1 for k in range(4)}}


def test_whoever_stands_twice_in_a_block_counts_once() -> None:
    def twice(outcome: Outcome) -> list[Outcome]:
        outcome.clients = [outcome.clients[0]] * len(outcome.clients)
        return [outcome]

    _, lines = rounds(twice, "vector", 1)
    assert lines[0].refused == {Fault.TWICE.value: {"0": 1, "2": 1}}
    assert lines[0].clients == 2


@each_engine
def test_whoever_sent_what_was_refused_may_send_again(engine: str) -> None:
    def again(outcome: Outcome) -> list[Outcome]:
        spoilt = outcome.of(np.arange(len(outcome.clients)))
        return [*spoiling(1, "model", "", NAN)(spoilt), outcome.of(np.array([outcome.clients.index(1)]))]

    def only_one(outcome: Outcome) -> list[Outcome]:
        return again(outcome) if 1 in outcome.clients else [outcome]

    _, lines = rounds(only_one, engine, 1)
    assert lines[0].clients == 4
    assert lines[0].refused == {Fault.NOT_FINITE.value: {"1": 1}}


@pytest.mark.parametrize(("name", "told"), [(10**9, "unknown"), (-1, "unknown")])
def test_whoever_was_not_asked_is_refused(name: int, told: str) -> None:
    """One that there is not has no name in the record, which would grow with every one that is made up."""

    def renamed(outcome: Outcome) -> list[Outcome]:
        return [replace(outcome, clients=[name])] if outcome.clients == [2] else [outcome]

    _, lines = rounds(renamed, "loop", 1)
    assert lines[0].refused == {Fault.UNASKED.value: {told: 1}}


def test_whoever_takes_no_part_in_the_round_is_refused() -> None:
    asked: list[int] = []

    def other(outcome: Outcome) -> list[Outcome]:
        asked.extend(outcome.clients)
        return [replace(outcome, clients=[next(k for k in range(4) if k not in asked)])]

    _, (line,) = rounds(other, "loop", 1, participation=0.25)
    assert list(line.refused) == [Fault.UNASKED.value]
    assert line.clients == 0


# --- Everybody ----------------------------------------------------------------------------------------------------


def everybody(outcome: Outcome) -> list[Outcome]:
    for upload in (outcome.model, outcome.prototypes):
        for value in () if upload is None else upload.content.values():
            value.fill_(NAN if value.is_floating_point() else -1)
    return [outcome]


@each_engine
@pytest.mark.parametrize("settings", [{}, {"server_optimizer": "adam", "server_lr": 0.1}], ids=["plain", "adam"])
def test_a_round_in_which_all_are_refused_changes_nothing(engine: str, settings: dict[str, Any]) -> None:
    made = runner(**ENGINES[engine], **settings)
    before, _ = made.step(initial_state(made.federation), Stop())
    made.trainer = Meddler(made.trainer, everybody)
    after, line = made.step(before, Stop())
    assert same_tensors(after.to_checkpoint()[0], before.to_checkpoint()[0])
    assert (after.ledger.up, after.online, after.samples) == (before.ledger.up, before.online, before.samples)
    assert (line.clients, line.train_loss, line.bytes_up) == (0, None, 0)
    assert line.refused == {Fault.NOT_FINITE.value: {str(k): 1 for k in range(4)}}


@pytest.fixture
def meddle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Meddle], None]:
    """Return a function that puts somebody between all engines and the server."""
    make = run_module.make_trainer

    def put(who: Meddle) -> None:
        monkeypatch.setattr(run_module, "make_trainer", lambda *arguments: Meddler(make(*arguments), who))

    return put


def test_the_record_says_who_was_refused_and_warns_where_all_were(meddle: Callable[[Meddle], None]) -> None:
    honest = finish(**EVERYTHING).result
    assert (honest.refused, [said for said in run_warnings(honest) if "refused" in said]) == ({}, [])
    assert "refused" not in dict(run_rows(honest))
    seen: list[int] = []

    def mostly(outcome: Outcome) -> list[Outcome]:
        seen.append(1)
        return everybody(outcome) if len(seen) <= 4 else spoiling(2, "model", "", 1e9)(outcome)[:]  # type: ignore[index]

    meddle(mostly)
    result = finish(**EVERYTHING, engine="loop").result
    assert result.refused == {
        Fault.NOT_FINITE.value: {"0": 1, "1": 1, "2": 1, "3": 1},
        Fault.TOO_FAR.value: {"2": 2},
    }
    assert dict(run_rows(result))["refused"] == (
        "6 uploads of 4 clients. 4 times: Its message holds numbers that are not finite. "
        "2 times: Its message holds numbers beyond the bound on norms."
    )
    (said,) = [said for said in run_warnings(result) if "refused" in said]
    assert said == (
        "All uploads of a round were refused (1 of 3 rounds: Its message holds numbers that are not finite.): such a "
        "round changes nothing; where numbers are too large, lower --lr, or raise --norm-bound."
    )


def test_the_bound_on_norms_is_in_norms_of_the_model() -> None:
    """By hand: with a model of norm 2 and a bound of 3 it is 6; a model of norm .1 counts as one of norm 1."""
    made = runner(engine="loop", norm_bound=3.0)
    asked = [0, 1, 2, 3]
    assert made._gate({"w": torch.tensor([1.2, 1.6])}, asked).check.bound == pytest.approx(6)
    assert made._gate({"w": torch.tensor([0.1])}, asked).check.bound == 3
