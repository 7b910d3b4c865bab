"""Counter-based random numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from motet import random
from motet.random import generator, permutation, permutations, philox, uniform

WORDS = st.integers(0, 2**64 - 1)
PLACES = st.integers(0, 2**40)
ALL_ONES = 2**64 - 1

# key, counter, block: the vectors that the authors of Philox publish with Random123
KNOWN = [
    (
        (0, 0),
        (0, 0, 0, 0),
        (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    ),
    (
        (ALL_ONES, ALL_ONES),
        (ALL_ONES, ALL_ONES, ALL_ONES, ALL_ONES),
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    (
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]


def numpys_block(key: tuple[int, int], counter: tuple[int, int, int, int]) -> list[int]:
    """Ask numpy for the block at a counter; it increments the counter before its first block."""
    whole = sum(word << (64 * place) for place, word in enumerate(counter))
    before = (whole - 1) % 2**256
    words = [(before >> (64 * place)) & ALL_ONES for place in range(4)]
    generator_of_bits = np.random.Philox(key=np.array(key, dtype=np.uint64), counter=np.array(words, dtype=np.uint64))
    return [int(word) for word in generator_of_bits.random_raw(4)]


@pytest.mark.parametrize(("key", "counter", "block"), KNOWN)
def test_philox_gives_the_published_answers(
    key: tuple[int, int], counter: tuple[int, int, int, int], block: tuple[int, int, int, int]
) -> None:
    assert tuple(int(word) for word in philox(key, counter)) == block


@given(st.tuples(WORDS, WORDS), st.tuples(WORDS, WORDS, WORDS, WORDS))
def test_philox_is_numpys(key: tuple[int, int], counter: tuple[int, int, int, int]) -> None:
    assert [int(word) for word in philox(key, counter)] == numpys_block(key, counter)


def test_philox_broadcasts_its_counters() -> None:
    words = philox((5, 6), (0, np.arange(3)[:, None], np.arange(4), 7))
    assert [word.shape for word in words] == [(3, 4)] * 4
    for i, j in itertools.product(range(3), range(4)):
        assert [int(word[i, j]) for word in words] == numpys_block((5, 6), (0, i, j, 7))


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**63 - 1),
    rounds=st.lists(PLACES, min_size=1, max_size=3),
    clients=st.lists(PLACES, min_size=1, max_size=3),
    items=st.lists(PLACES, min_size=1, max_size=3),
)
def test_draws_at_once_are_the_draws_one_by_one(
    seed: int, rounds: list[int], clients: list[int], items: list[int]
) -> None:
    at_once = uniform(
        seed,
        "arrivals",
        round=np.array(rounds)[:, None, None],
        client=np.array(clients)[:, None],
        item=np.array(items),
    )
    assert at_once.shape == (len(rounds), len(clients), len(items))
    for (i, r), (j, c), (k, n) in itertools.product(enumerate(rounds), enumerate(clients), enumerate(items)):
        assert at_once[i, j, k] == uniform(seed, "arrivals", round=r, client=c, item=n)


def test_draws_are_the_same_for_ever() -> None:
    draws = uniform(7, "missing/hit", round=np.array([0, 1, 1]), client=np.array([0, 2, 3]), item=np.array([0, 0, 5]))
    written_down = ["0x1.9615535e6e870p-3", "0x1.8f948e2c83935p-1", "0x1.928273d69c980p-3"]
    assert [float(draw).hex() for draw in draws] == written_down
    assert permutation(7, "reshuffle", 10, round=2, client=3).tolist() == [1, 2, 4, 8, 9, 0, 6, 7, 3, 5]
    words = generator(7, "noise/acc", round=1, client=2, item=3).bit_generator.random_raw(2)
    assert words.tolist() == [11122989747807343227, 16906967073190645081]


def test_uniform_is_uniform() -> None:
    draws = uniform(0, "test", client=np.arange(50)[:, None], item=np.arange(2000)).ravel()
    assert draws.min() >= 0
    assert draws.max() < 1
    assert stats.kstest(draws, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(("word", "number"), [(0, 0.0), (2**63, 0.5), (ALL_ONES, 1 - 2.0**-53)])
def test_uniform_reaches_zero_but_never_one(monkeypatch: pytest.MonkeyPatch, word: int, number: float) -> None:
    monkeypatch.setattr(random, "philox", lambda key, counter: (np.array([word], dtype=np.uint64),) * 4)
    assert uniform(0, "test").tolist() == [number]


KEYS = [
    ({}, {"seed": 1}),
    ({}, {"seed": 2**62}),
    ({}, {"purpose": "degraded/hit"}),
    ({}, {"purpose": "missing/hit "}),
    ({}, {"round": 1}),
    ({}, {"client": 1}),
    ({"round": 1}, {"client": 1}),
    ({"round": 2, "client": 1}, {"round": 1, "client": 2}),
]


@pytest.mark.parametrize(("one", "other"), KEYS)
def test_draws_under_different_keys_are_independent(one: dict[str, int], other: dict[str, int]) -> None:
    count = 20_000
    common = {"seed": 0, "purpose": "missing/hit", "item": np.arange(count)}
    a, b = uniform(**{**common, **one}), uniform(**{**common, **other})  # type: ignore[arg-type]
    assert not np.intersect1d(a, b).size
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(count)


def test_neighbouring_items_are_independent() -> None:
    draws = uniform(0, "test", item=np.arange(50_001))
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 4 / np.sqrt(50_000)


@given(st.integers(0, 2**63 - 1), st.integers(0, 60), PLACES, PLACES)
def test_a_permutation_holds_everything_once(seed: int, n: int, round: int, client: int) -> None:  # noqa: A002
    order = permutation(seed, "order", n, round=round, client=client)
    assert sorted(order.tolist()) == list(range(n))
    assert order.tolist() == permutation(seed, "order", n, round=round, client=client).tolist()


def test_all_permutations_are_equally_likely() -> None:
    drawn = [tuple(permutation(3, "order", 4, client=client).tolist()) for client in range(4800)]
    counts = [drawn.count(order) for order in itertools.permutations(range(4))]
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("change", [{"seed": 1}, {"purpose": "order"}, {"round": 1}, {"client": 1}])
def test_a_permutation_depends_on_its_whole_key(change: dict[str, int]) -> None:
    common = {"seed": 0, "purpose": "reshuffle", "n": 50}
    assert permutation(**common).tolist() != permutation(**{**common, **change}).tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"seed": 1}, {"purpose": "noise/gyro"}, {"round": 1}, {"client": 1}, {"item": 1}])
def test_a_generator_depends_on_its_whole_key_and_on_nothing_else(change: dict[str, int]) -> None:
    common = {"seed": 0, "purpose": "noise/acc", "round": 3, "client": 4, "item": 5}
    same = [generator(**common).standard_normal(100) for _ in range(2)]  # type: ignore[arg-type]
    other = generator(**{**common, **change}).standard_normal(100)  # type: ignore[arg-type]
    assert np.array_equal(*same)
    assert not np.intersect1d(same[0], other).size


def test_a_generator_never_repeats_the_words_of_uniform() -> None:
    draws = uniform(0, "test", item=np.arange(2000))
    for item in range(20):
        bulk = (generator(0, "test", item=item).bit_generator.random_raw(400) >> np.uint64(11)) * 2.0**-53
        assert not np.intersect1d(bulk, draws).size


def test_the_bulk_draws_of_neighbouring_items_share_nothing() -> None:
    words = np.concatenate([generator(0, "test", item=item).bit_generator.random_raw(1000) for item in range(20)])
    assert len(np.unique(words)) == len(words)


def test_a_generators_first_draw_is_independent_of_uniform() -> None:
    count = 4000
    first = [generator(0, "test", item=item).random() for item in range(count)]
    assert abs(np.corrcoef(first, uniform(0, "test", item=np.arange(count)))[0, 1]) < 4 / np.sqrt(count)


@given(st.lists(st.tuples(PLACES, st.integers(0, 30)), max_size=5), PLACES)
def test_orders_at_once_are_the_orders_one_by_one(clients: list[tuple[int, int]], round: int) -> None:  # noqa: A002
    names, sizes = [k for k, _ in clients], [n for _, n in clients]
    at_once = permutations(7, "minibatch", sizes, names, round=round)
    one_by_one = [permutation(7, "minibatch", n, round=round, client=k) for k, n in clients]
    assert [order.tolist() for order in at_once] == [order.tolist() for order in one_by_one]
