"""The plan of a round: cycles, phases, epochs, and each client's own order of samples in each of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.config import TrainingSettings
from motet.engine.steps import plan
from motet.learn.objective import Phase
from motet.random import permutation

FIRST, SECOND = Phase("first", frozenset({"encoder.a"})), Phase("second", frozenset({"encoder.b"}))


@settings(max_examples=60, deadline=None)
@given(
    clients=st.dictionaries(st.integers(0, 40), st.integers(1, 30), min_size=1, max_size=6),
    phases=st.sampled_from([(Phase(),), (FIRST, SECOND)]),
    cycles=st.integers(1, 3),
    epochs=st.integers(1, 3),
    round_=st.integers(1, 9),
    seed=st.integers(0, 9),
)
def test_each_epoch_has_each_client_s_own_permutation(
    clients: dict[int, int], phases: tuple[Phase, ...], cycles: int, epochs: int, round_: int, seed: int
) -> None:
    training = TrainingSettings(local_cycles=cycles, local_epochs=epochs)
    found = list(plan(training, phases, seed, round_, list(clients), list(clients.values())))
    assert len(found) == cycles * len(phases) * epochs
    for number, epoch in enumerate(found):
        assert len(epoch.orders) == len(clients)
        for (k, n), order in zip(clients.items(), epoch.orders, strict=True):
            expected = permutation(seed, f"minibatch/{number}", n, round=round_, client=k)
            assert order.dtype == np.int64
            assert order.tolist() == expected.tolist()


def test_phases_follow_each_other_in_every_cycle_and_epochs_within_a_phase() -> None:
    found = plan(TrainingSettings(local_cycles=2, local_epochs=3), (FIRST, SECOND), 0, 1, [0], [4])
    names = [epoch.phase.name for epoch in found]
    assert names == [*["first"] * 3, *["second"] * 3] * 2


@pytest.mark.parametrize("others", [[], [7], [2, 9, 11]])
def test_a_client_s_orders_do_not_depend_on_who_is_planned_with_it(others: list[int]) -> None:
    training = TrainingSettings(local_epochs=2)
    alone = plan(training, (Phase(),), 3, 5, [4], [10])
    among = plan(training, (Phase(),), 3, 5, [4, *others], [10, *(30 + k for k in others)])
    assert [epoch.orders[0].tolist() for epoch in among] == [epoch.orders[0].tolist() for epoch in alone]


def test_orders_differ_by_epoch_client_round_and_seed() -> None:
    training = TrainingSettings(local_epochs=2)
    orders = [
        tuple(order.tolist())
        for seed in (0, 1)
        for round_ in (1, 2)
        for epoch in plan(training, (Phase(),), seed, round_, [0, 1], [12, 12])
        for order in epoch.orders
    ]
    assert len(set(orders)) == len(orders) == 16
    assert all(sorted(order) == list(range(12)) for order in orders)
