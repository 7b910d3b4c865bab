"""What a round does: who takes part, how long each trains and at what rate, what is evaluated and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from people import configured, federation, finish, people

from motet.engine.client import Client
from motet.engine.participants import participants
from motet.engine.training import Training
from motet.measure.accuracy import mean
from motet.stream.assessment import Assessor


@pytest.mark.parametrize(
    ("clients", "share", "count"),
    [(10, 1.0, 10), (10, 0.5, 5), (10, 0.24, 2), (10, 0.26, 3), (10, 0.01, 1), (1, 0.3, 1), (7, 0.99, 7), (3, 0.5, 2)],
)
def test_how_many_take_part(clients: int, share: float, count: int) -> None:
    config = configured(participation=share)
    for number in range(1, 20):
        chosen = participants(config, clients, number)
        assert len(chosen) == count
        assert chosen == sorted(set(chosen))
        assert set(chosen) <= set(range(clients))


def test_each_client_takes_part_as_often_as_any_other() -> None:
    config, rounds = configured(participation=0.3), 2000
    counts = np.bincount([k for r in range(1, rounds + 1) for k in participants(config, 10, r)], minlength=10)
    expected, deviation = 0.3 * rounds, np.sqrt(rounds * 0.3 * 0.7)
    assert np.abs(counts - expected).max() < 4 * deviation
    pairs = {tuple(participants(config, 10, r)) for r in range(1, rounds + 1)}
    assert len(pairs) == 120  # all of 10 choose 3


def test_the_seed_decides_who_takes_part() -> None:
    drawn = [[participants(configured(participation=0.3, seed=s), 10, r) for r in range(1, 9)] for s in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_others_neither_train_nor_send() -> None:
    all_of_them, half = finish(), finish(participation=0.5)
    for line, whole in zip(half.result.history, all_of_them.result.history, strict=True):
        assert (line.clients, whole.clients) == (2, 4)
        assert line.bytes_up * 2 == whole.bytes_up
        assert line.bytes_down * 2 == whole.bytes_down
    chosen = {k for r in (1, 2, 3) for k in participants(half.federation.config, 4, r)}
    own = finish(recipe="local", participation=0.5)
    assert set(own.state.private) == chosen
    assert own.result.bytes.up_by_kind.get("model", 0) == 0


def test_streams_advance_for_those_who_do_not_take_part() -> None:
    settings = {"buffer": 6, "arrivals": 3}
    whole, half = federation(**settings), federation(**settings, participation=0.25)
    for number in (1, 4):
        for client in range(4):
            one, other = whole.views.view(number, client), half.views.view(number, client)
            assert (one.x["move"] == other.x["move"]).all()
    first, later = half.views.view(1, 0), half.views.view(4, 0)
    assert not np.array_equal(first.x["move"], later.x["move"])


@pytest.mark.parametrize(
    ("rounds", "every", "evaluated"),
    [
        (4, 1, [1, 2, 3, 4]),
        (4, 100, [1, 2, 3, 4]),
        (13, 2, [2, *range(4, 14)]),
        (14, 3, [3, *range(5, 15)]),
        (12, 1, [*range(1, 13)]),
        (11, 100, [*range(2, 12)]),
    ],
)
def test_which_rounds_are_evaluated(rounds: int, every: int, evaluated: list[int]) -> None:
    finished = finish(rounds=rounds, evaluate_every=every)
    for figure in ("accuracy", "loss", "balanced_accuracy"):
        found = [line.round for line in finished.result.history if getattr(line, figure) is not None]
        assert found == evaluated
    assert len(finished.state.tail) == min(10, rounds)


def test_final_is_the_last_and_tail_the_mean_of_the_last_ten() -> None:
    finished = finish(rounds=12, evaluate_every=5)
    result = finished.result
    accuracy = [line.accuracy for line in result.history]
    assert result.final.accuracy == accuracy[-1]
    assert result.tail.accuracy == pytest.approx(float(np.mean([a for a in accuracy[-10:] if a is not None])))
    assert result.tail.model_dump() == mean(finished.state.tail)
    assert set(result.tail.accuracy_by_present) == {"move+body", "move", "body"}
    assert set(result.tail.accuracy_by_client) == {"0", "1", "2", "3"}


def test_how_often_one_evaluates_does_not_change_what_is_learnt() -> None:
    one, other = finish(rounds=12, evaluate_every=1), finish(rounds=12, evaluate_every=7)
    assert one.result.final == other.result.final
    for name, value in one.state.shared["model"].items():
        assert torch.equal(value, other.state.shared["model"][name])


def steps(**settings: Any) -> list[list[int]]:
    """Return the rows of each step of a client with 18 samples."""
    built = federation(**settings)
    client = Client(built.config, built.method, Assessor(built.dataset.modalities))
    size = built.config.training.batch_size
    orders = [epoch.orders[0].tolist() for epoch in client.plan(1, built.method.phases(), [0], [18])]
    return [order[low : low + size] for order in orders for low in range(0, 18, size)]


@pytest.mark.parametrize(("epochs", "cycles"), [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_epochs_and_cycles(epochs: int, cycles: int) -> None:
    settings = {"local_epochs": epochs, "local_cycles": cycles}
    found = steps(**settings, batch_size=8)
    assert [len(rows) for rows in found] == [8, 8, 2] * epochs * cycles
    passes = [[*found[i], *found[i + 1], *found[i + 2]] for i in range(0, len(found), 3)]
    assert all(sorted(one) == list(range(18)) for one in passes)  # every sample once
    assert len({tuple(one) for one in passes}) == epochs * cycles  # in an order of its own
    finished = finish(**settings)
    assert finished.state.samples == 4 * 18 * epochs * cycles * 2  # the first of three rounds left out
    assert finished.state.largest["trained"] == 4 * 18 * epochs * cycles * 3


def test_a_batch_larger_than_the_buffer_is_one_step() -> None:
    assert [len(rows) for rows in steps(batch_size=100)] == [18]
    assert [len(rows) for rows in steps(batch_size=18)] == [18]
    assert [len(rows) for rows in steps(batch_size=1)] == [1] * 18


class Rates:
    """Notes the rate of each optimiser that the engine loop makes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[float] = []
        made = Training._optimiser

        def note(training: Training, rate: float) -> torch.optim.Optimizer:
            self.seen.append(rate)
            return made(training, rate)

        monkeypatch.setattr(Training, "_optimiser", note)


def test_the_rate_falls_to_its_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = Rates(monkeypatch)
    finish(rounds=6, lr=0.08, lr_decay=0.5, lr_min=0.01, engine="loop")
    expected = [0.08, 0.04, 0.02, 0.01, 0.01, 0.01]
    assert rates.seen == pytest.approx([rate for rate in expected for _ in range(4)])  # fresh for each client and round


def test_a_floor_above_the_rate_is_a_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = Rates(monkeypatch)
    finish(rounds=2, lr=0.001, lr_min=0.01, engine="loop")
    assert set(rates.seen) == {0.01}


def test_momentum_does_not_outlive_a_round() -> None:
    """One step per round, from a fresh optimiser: momentum has nothing to act on."""
    plain = finish(batch_size=100, momentum=0.0)
    for other in (finish(batch_size=100, momentum=0.9), finish(batch_size=8, momentum=0.9)):
        same = [torch.equal(v, other.state.shared["model"][n]) for n, v in plain.state.shared["model"].items()]
        assert all(same) == (other.federation.config.training.batch_size == 100)


def test_training_learns() -> None:
    result = finish(people(each=40, test=90), rounds=15, lr=0.1).result
    assert result.history[0].accuracy is not None
    assert result.final.accuracy > 0.8 > 0.4 > 1 / 3
    assert result.final.loss < (result.history[0].loss or 0)


def test_without_arrivals_there_is_nothing_online() -> None:
    result = finish().result
    assert result.online is None
    assert all(line.online_accuracy is None and line.online_loss is None for line in result.history)


def test_online_figures_are_sums_over_all_arrivals() -> None:
    result = finish(buffer=6, arrivals=3, rounds=5).result
    assert result.online is not None
    assert result.online.samples == 4 * (3 + 3 + 3 + 3 + 3)  # 12 are left of 18 after the first fill
    losses = [line.online_loss for line in result.history]
    assert result.online.loss == pytest.approx(float(np.mean([loss for loss in losses if loss is not None])))
    hits = [line.online_accuracy for line in result.history]
    assert result.online.accuracy == pytest.approx(float(np.mean([hit for hit in hits if hit is not None])))


def test_bytes_add_up() -> None:
    result = finish(recipe="qqr", missing_rate=0.5).result
    sent = result.bytes
    assert (sent.rounds, sent.up, sent.down) == (3, sum(sent.up_by_kind.values()), sum(sent.down_by_kind.values()))
    assert {"scale", "model", "prototypes"} <= set(sent.up_by_kind)
    assert sum(line.bytes_up for line in result.history) == sent.up - sent.up_by_kind["scale"]
    assert sum(line.bytes_down for line in result.history) == sent.down - sent.down_by_kind["scale"]


def test_a_run_in_memory_equals_itself() -> None:
    one, other = finish(recipe="qqr", missing_rate=0.5), finish(recipe="qqr", missing_rate=0.5)
    same = one.result.model_dump(exclude={"time"}), other.result.model_dump(exclude={"time"})
    assert same[0] == same[1]


def test_one_client_alone() -> None:
    result = finish(people(clients=1), recipe="qqr", missing_rate=0.9, degraded_rate=0.5).result
    assert result.data["clients"] == 1
    assert result.history[-1].clients == 1


def test_poisson_sampling_draws_each_client_by_itself() -> None:
    """Any number may be drawn, nobody among them, and one client says nothing of another."""
    config, rounds = configured(participation=0.3, sampling="poisson"), 2000
    drawn = np.zeros((rounds, 10))
    for number in range(1, rounds + 1):
        drawn[number - 1, participants(config, 10, number)] = 1
    assert np.abs(drawn.mean(0) - 0.3).max() < 4 * np.sqrt(0.3 * 0.7 / rounds)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(10)).max() < 4.5 / np.sqrt(rounds)
    assert {0, 6} <= {int(count) for count in drawn.sum(1)}
    assert drawn.sum(1).var() == pytest.approx(10 * 0.3 * 0.7, rel=0.2)


def test_with_certainty_poisson_sampling_draws_everybody() -> None:
    assert participants(configured(sampling="poisson"), 7, 3) == list(range(7))
