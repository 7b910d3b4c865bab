"""What clients tell of quality: many clients at once are as many messages, in content and in length."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from motet.stream.message import Summary, as_sent
from motet.stream.moments import Moments
from motet.wire import upload
from motet.wire.told import encode_summaries, of_one, told

MODALITIES = {"sound": 3, "heart rate": 2}


def summary(sets: list[int], s: int, rng: np.random.Generator) -> Summary:
    """Return what clients tell that have so many sets each."""
    r = sum(sets)
    scatter = rng.normal(size=(r, s, s))
    parts = Moments(rng.integers(1, 9, r).astype(float), rng.normal(size=(r, s)), scatter + np.swapaxes(scatter, 1, 2))
    group = np.repeat(np.arange(len(sets)), sets)
    counts = rng.integers(0, 9, (len(sets), 65)) * (np.array(sets) > 0)[:, None]
    return Summary(rng.integers(-1, 5, r), rng.random(r) < 0.5, as_sent(parts), group, counts)


def alone(summary: Summary, k: int) -> Summary:
    """Return one client's part."""
    own = summary.group == k
    parts = Moments(*(column[own] for column in summary.parts))
    return Summary(summary.label[own], summary.good[own], parts, 0 * summary.group[own], summary.distances[k : k + 1])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4), st.integers(0, 99))
@example([(0, 0)], 0)
@example([(0, 2), (0, 0), (3, 1)], 0)
def test_many_clients_at_once_are_as_many_messages(sets: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    summaries = {m: summary([own[i] for own in sets], s, rng) for i, (m, s) in enumerate(MODALITIES.items())}
    found = told(summaries, len(sets))
    for k, own in enumerate(sets):
        message = encode_summaries({m: alone(s, k) for m, s in summaries.items()})
        assert found.lengths[k] == len(message)
        assert found.message is not None
        assert found.message(k) == message
        one = of_one(upload.received(message), MODALITIES) if message else told({}, 1)
        assert one.lengths.tolist() == [len(message)]
        assert set(one.summaries) == {m for m, n in zip(MODALITIES, own, strict=True) if n}
        for m, summary_ in one.summaries.items():
            same(summary_, alone(summaries[m], k))


def same(found: Summary, wanted: Summary) -> None:
    for one, other in zip((*found, *found.parts), (*wanted, *wanted.parts), strict=True):
        if not isinstance(one, Moments):
            np.testing.assert_array_equal(one, other)


def test_where_nothing_is_assessed_nothing_is_sent() -> None:
    assert encode_summaries({}) == b""
    assert told({}, 2).lengths.tolist() == [0, 0]
