"""Which samples a device holds in which round, against a device that keeps its lists."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.config import StreamSettings
from motet.data.dataset import ArrayDataset, Indices
from motet.stream.arrivals import Stream, arrival_order


class Device:
    """A device as the interface describes it, with an explicit buffer and an explicit pool.

    First fill = min(buffer, floor(n/2)) of the share in its order, the rest is the pool; each round min(arrivals, pool)
    samples enter and the oldest leave beyond the buffer; an exhausted pool restarts over the whole share, reshuffled.
    A sample is known by the number of its pool and its place there, and kept with the round of its arrival.
    """

    def __init__(self, n: int, buffer: int, arrivals: int) -> None:
        self.n, self.size, self.per_round = n, buffer, arrivals
        first = min(buffer, n // 2)
        self.buffer = [(0, place, 0) for place in range(first)]
        self.pool = [(0, place) for place in range(first, n)]
        self.pools = 0
        self.round = 0

    def next_round(self) -> int:
        """Let a round's samples arrive; return how many did."""
        self.round += 1
        if not self.pool:
            self.pools += 1
            self.pool = [(self.pools, place) for place in range(self.n)]
        count = min(self.per_round, len(self.pool))
        for _ in range(count):
            pool, place = self.pool.pop(0)
            self.buffer.append((pool, place, self.round))
            if len(self.buffer) > self.size:
                self.buffer.pop(0)
        return count


def stream(n: int, buffer: int | Literal["all"], arrivals: int = 20, seed: int = 0, client: int = 0) -> Stream:
    share = np.random.default_rng(n).permutation(1000 + np.arange(n))
    return Stream(share, StreamSettings(buffer=buffer, arrivals=arrivals), seed, client)


@settings(max_examples=200, deadline=None)
@given(n=st.integers(1, 40), buffer=st.integers(1, 60), arrivals=st.integers(1, 60), rounds=st.integers(1, 30))
def test_a_stream_is_the_device_of_the_interface(n: int, buffer: int, arrivals: int, rounds: int) -> None:
    device, found = Device(n, buffer, arrivals), stream(n, buffer, arrivals)
    entered = len(device.buffer)
    assert found.online
    assert found.entered(0) == found.first_fill == entered
    assert found.buffer(0).tolist() == list(range(entered))
    for number in range(1, rounds + 1):
        arrived = device.next_round()
        entered += arrived
        assert found.entered(number) == entered
        assert found.arrived(number) == arrived
        serials = found.buffer(number)
        assert serials.tolist() == [pool * n + place for pool, place, _ in device.buffer]
        assert found.round_of(serials, number).tolist() == [came for _, _, came in device.buffer]
        assert len(serials) <= buffer
    # a stream has no state: any round can be asked for on its own, in any order
    assert stream(n, buffer, arrivals).buffer(rounds).tolist() == found.buffer(rounds).tolist()


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 40), pools=st.integers(1, 5), seed=st.integers(0, 99), client=st.integers(0, 99))
def test_each_pool_is_the_whole_share_once_and_the_first_in_its_order(
    n: int, pools: int, seed: int, client: int
) -> None:
    found = stream(n, 10, 3, seed, client)
    assert found.index(np.arange(n)).tolist() == found.share.tolist()
    for pool in range(pools):
        assert sorted(found.index(pool * n + np.arange(n)).tolist()) == sorted(found.share.tolist())


def test_pools_after_the_first_are_reshuffled_each_in_its_own_way() -> None:
    found = stream(50, 10, 3)
    pools = [tuple(found.index(pool * 50 + np.arange(50)).tolist()) for pool in range(6)]
    assert len(set(pools)) == 6


def test_reshuffles_depend_on_seed_and_client() -> None:
    orders = {
        tuple(stream(50, 10, 3, seed, client).index(50 + np.arange(50)).tolist())
        for seed in (0, 1)
        for client in (0, 1)
    }
    assert len(orders) == 4
    again = [stream(50, 10, 3, 1, 1).index(50 + np.arange(50)).tolist() for _ in range(2)]
    assert again[0] == again[1]


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 30), serials=st.lists(st.integers(0, 200), max_size=30))
def test_indices_of_many_are_the_indices_of_each(n: int, serials: list[int]) -> None:
    found = stream(n, 10, 3)
    together = found.index(np.array(serials, dtype=np.int64))
    assert together.tolist() == [int(found.index(np.array([serial]))[0]) for serial in serials]


@pytest.mark.parametrize(
    ("n", "buffer", "first_fill"),
    [(100, 30, 30), (100, 50, 50), (100, 51, 50), (101, 60, 50), (9, 100, 4), (1, 5, 0), (100, 1, 1)],
)
def test_the_first_fill_is_the_buffer_or_half_the_share(n: int, buffer: int, first_fill: int) -> None:
    assert stream(n, buffer).first_fill == first_fill


def test_the_last_arrivals_of_a_pool_are_what_is_left_of_it() -> None:
    found = stream(25, 10, 6)  # 10 at first, then 6 + 6 + 3, then 6 + 6 + 6 + 6 + 1 over and over
    assert [found.arrived(r) for r in range(1, 15)] == [6, 6, 3, 6, 6, 6, 6, 1, 6, 6, 6, 6, 1, 6]


def test_a_buffer_of_all_is_the_whole_share_every_round() -> None:
    found = stream(30, "all", 7)
    assert not found.online
    for number in (0, 1, 2, 50):
        serials = found.buffer(number)
        assert serials.tolist() == list(range(30))
        assert found.index(serials).tolist() == found.share.tolist()
        assert found.round_of(serials, number).tolist() == [0] * 30
    assert [found.arrived(number) for number in (1, 2, 50)] == [0, 0, 0]


def test_the_oldest_leave_first() -> None:
    found = stream(100, 10, 3)
    assert found.buffer(0).tolist() == list(range(10))
    assert found.buffer(1).tolist() == list(range(3, 13))
    assert found.buffer(2).tolist() == list(range(6, 16))


def test_round_of_takes_serials_in_any_order() -> None:
    found = stream(100, 10, 3)
    serials = found.buffer(2)
    assert found.round_of(serials, 2).tolist() == [0] * 4 + [1] * 3 + [2] * 3
    assert found.round_of(serials[::-1], 2).tolist() == [2] * 3 + [1] * 3 + [0] * 4
    assert found.round_of(serials[:0], 2).tolist() == []


def test_a_round_far_away_is_found_at_once() -> None:
    device, found = Device(37, 20, 5), stream(37, 20, 5)
    for _ in range(3000):
        device.next_round()
    serials = found.buffer(3000)
    assert serials.tolist() == [pool * 37 + place for pool, place, _ in device.buffer]
    assert found.round_of(serials, 3000).tolist() == [came for _, _, came in device.buffer]


def test_over_many_rounds_every_sample_arrives_equally_often() -> None:
    found = stream(23, 8, 5)
    counts = Counter(found.index(np.arange(found.entered(10_000))).tolist())
    assert max(counts.values()) - min(counts.values()) <= 1


def timed(time: list[float] | None, n: int = 0) -> ArrayDataset:
    """Return a dataset of times alone; the rest does not matter here."""
    n = n if time is None else len(time)
    return ArrayDataset(
        name="toy",
        modalities={},
        classes=("a", "b"),
        y=np.zeros(n, dtype=np.int64),
        split=np.zeros(n, dtype=np.uint8),
        x={},
        time=None if time is None else np.array(time),
    )


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50))
def test_samples_arrive_in_the_order_of_their_times(time: list[float]) -> None:
    share = np.arange(len(time))[::2]
    order = arrival_order(timed(time), share, StreamSettings(order="time"), 0, 0)
    assert sorted(order.tolist()) == share.tolist()
    times = [time[i] for i in order]
    assert times == sorted(times)


def test_samples_of_one_time_stay_in_their_order() -> None:
    order = arrival_order(timed([5.0, 1.0, 5.0, 1.0]), np.arange(4), StreamSettings(), 0, 0)
    assert order.tolist() == [1, 3, 0, 2]


def shuffled(dataset: ArrayDataset, order: Literal["time", "shuffled"], seed: int = 0, client: int = 0) -> Indices:
    return arrival_order(dataset, np.arange(100, 160), StreamSettings(order=order), seed, client)


def test_samples_are_shuffled_where_it_is_wished_or_no_time_is_known() -> None:
    for dataset, order in [(timed([float(t) for t in range(200)]), "shuffled"), (timed(None, 200), "time")]:
        found = shuffled(dataset, order)  # type: ignore[arg-type]
        assert sorted(found.tolist()) == list(range(100, 160))
        assert found.tolist() != list(range(100, 160))
        assert found.tolist() == shuffled(dataset, order).tolist()  # type: ignore[arg-type]
        others = [shuffled(dataset, order, seed=1), shuffled(dataset, order, client=1)]  # type: ignore[arg-type]
        assert all(found.tolist() != other.tolist() for other in others)
