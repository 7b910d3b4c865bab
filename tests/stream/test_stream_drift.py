"""What changes about a stream: whose classes come first, and which gain a sensor has, by the round alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_view import toy, views

from motet.config import StreamSettings
from motet.stream.arrivals import Stream
from motet.stream.drift import WIDEST, Gains, favoured

CLIENTS = np.arange(400)


def drifting(at: list[int], n: int = 60, client: int = 0, seed: int = 0) -> tuple[Stream, np.ndarray]:
    """Return a stream of samples whose numbers are their places, and their classes."""
    settings = StreamSettings(buffer=10, arrivals=4, drift_at=at, drift_kind="classes")
    y = np.random.default_rng(client).integers(0, 5, n)
    return Stream(np.arange(n), settings, seed, client, favoured(settings, y, 5, seed)), y


@given(
    at=st.lists(st.integers(1, 40), min_size=1, max_size=3), client=st.integers(0, 5), n=st.integers(8, 60)
)  # some of them after the share has come for the second time
def test_every_sample_still_arrives_once_and_what_has_arrived_stays(at: list[int], client: int, n: int) -> None:
    (found, _), (plain, _) = drifting(at, n, client), drifting([], n, client)
    before = found.entered(min(at) - 1)
    early = np.arange(before)
    assert np.array_equal(found.index(early), plain.index(early))
    for pool in range(4):
        assert sorted(found.index(np.arange(pool * n, (pool + 1) * n)).tolist()) == list(range(n))


@pytest.mark.parametrize("at", [1, 4, 12, 20, 33])
def test_half_of_the_classes_come_first_from_then_on(at: int) -> None:
    found, y = drifting([at])
    first = found.favoured[at]
    assert len(np.unique(y[first])) == 3  # of five
    start = found.entered(at - 1)
    end = (start // 60 + 1) * 60
    rest = first[found.index(np.arange(start, end))]
    assert not (np.diff(rest.astype(int)) > 0).any(), "one of the half came after one of the others"
    after = first[found.index(np.arange(end, end + 60))]
    assert not (np.diff(after.astype(int)) > 0).any()


def test_the_half_is_the_same_for_all_clients_and_drawn_anew_each_time() -> None:
    halves = []
    for client in (0, 1):
        found, y = drifting([3, 9, 15, 21], client=client)
        halves.append([tuple(np.unique(y[first])) for first in found.favoured.values()])
    assert halves[0] == halves[1]
    assert len(set(halves[0])) > 1


def test_the_order_does_not_hang_on_what_was_asked_before() -> None:
    one, other = (drifting([3, 17])[0] for _ in range(2))
    asked = [np.arange(k, k + 10) for k in range(0, 200, 10)]
    forth = [one.index(serials).tolist() for serials in asked]
    back = [other.index(serials).tolist() for serials in reversed(asked)][::-1]
    assert forth == back


def gains(at: list[int], owned: np.ndarray | None = None, seed: int = 0) -> Gains:
    return Gains(at, np.ones((len(CLIENTS), 3), dtype=bool) if owned is None else owned, seed)


def test_one_sensor_of_each_client_has_another_gain_each_time() -> None:
    found = np.stack([gains([5, 9]).of(k, np.array([0, 4, 5, 8, 9, 50])) for k in CLIENTS])
    assert (found[:, :2] == 1).all()
    assert ((found[:, 2] != 1).sum(-1) == 1).all()
    assert np.array_equal(found[:, 2], found[:, 3])
    assert np.array_equal(found[:, 4], found[:, 5])
    again = found[:, 4] / found[:, 2]
    assert ((again != 1).sum(-1) == 1).all()
    which = np.bincount((found[:, 2] != 1).argmax(-1), minlength=3)
    assert (np.abs(which - 400 / 3) < 4 * np.sqrt(400 * 2 / 9)).all()


def test_gains_are_log_uniform_between_a_half_and_two() -> None:
    found = np.log2(np.stack([gains([1]).of(k, np.array([1])) for k in CLIENTS]).prod((1, 2))) / np.log2(WIDEST)
    assert found.min() >= -1
    assert found.max() <= 1
    assert abs(found.mean()) < 4 / np.sqrt(3 * 400)
    assert abs((np.abs(found) < 0.5).mean() - 0.5) < 4 * 0.5 / np.sqrt(400)


def test_nobody_has_another_gain_of_what_they_do_not_own() -> None:
    owned = np.zeros((len(CLIENTS), 3), dtype=bool)
    owned[1::2, 1] = True
    for k in CLIENTS[:20]:
        found = gains([1, 2], owned).of(k, np.array([2]))
        assert (found[:, [0, 2]] == 1).all()
        assert (found[0, 1] != 1) == bool(k % 2)


def test_a_view_has_samples_with_the_gain_of_the_round_they_arrived_in() -> None:
    data = toy(["signal", "vector", "tokens"])
    plain = views(data, buffer=6, arrivals=2)
    found = views(data, buffer=6, arrivals=2, gains=[3, 6])
    found.gains.owned[:, 2] = False  # tokens have none
    seen = 0
    for number in (1, 2, 3, 4, 7, 11):
        one, two = plain.view(number, 0, 1, 2), found.view(number, 0, 1, 2)
        arrived = [s.round_of(s.buffer(number), number) for s in found.streams.values()]
        gain = np.concatenate([found.gains.of(k, rounds) for k, rounds in enumerate(arrived)])
        for i, m in enumerate(data.modalities):
            factor = gain[:, i].reshape((-1,) + (1,) * (one.x[m].ndim - 1))
            assert np.allclose(two.x[m], one.x[m] * factor, rtol=1e-6)
            assert two.x[m].dtype == one.x[m].dtype
            seen += int((gain[:, i] != 1).any() and (gain[:, i] == 1).any())
    assert seen > 0
