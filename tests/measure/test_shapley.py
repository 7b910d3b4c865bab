"""Shapley values: by hand, and the axioms that no other division keeps to."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.measure.shapley import every_subset, shapley

Value = dict[frozenset[str], float]
seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 5)


def named(**reached: float) -> Value:
    """Name subsets by their letters; ``o`` is the empty one."""
    return {frozenset(letters if letters != "o" else ""): value for letters, value in reached.items()}


def drawn(seed: int, count: int) -> tuple[list[str], Value]:
    names = list("abcde"[:count])
    rng = np.random.default_rng(seed)
    return names, {kept: float(rng.normal()) for kept in every_subset(names)}


# --- By hand -----------------------------------------------------------------------------------------------------


def test_two_players() -> None:
    # a adds .6 - .2 = .4 when first and .9 - .5 = .4 when second; b adds .3 and .3
    assert shapley(["a", "b"], named(o=0.2, a=0.6, b=0.5, ab=0.9)) == pytest.approx({"a": 0.4, "b": 0.3})


def test_three_players_and_a_pair_of_gloves() -> None:
    # a has a left glove, b and c a right one each; a pair is worth 1. a adds 1 unless first, which is in two of three
    # places: 2 / 3; b completes the pair only in the order a b c: 1 / 6
    gloves = named(o=0, a=0, b=0, c=0, ab=1, ac=1, bc=0, abc=1)
    assert shapley(["a", "b", "c"], gloves) == pytest.approx({"a": 2 / 3, "b": 1 / 6, "c": 1 / 6})


def test_one_player_gets_it_all() -> None:
    assert shapley(["a"], named(o=0.25, a=1)) == {"a": 0.75}


def test_many_games_at_once() -> None:
    one, other = named(o=0.2, a=0.6, b=0.5, ab=0.9), named(o=0.0, a=1.0, b=0.0, ab=1.0)
    found = shapley(["a", "b"], {kept: [one[kept], other[kept]] for kept in one})
    assert found["a"] == pytest.approx([0.4, 1.0])
    assert found["b"] == pytest.approx([0.3, 0.0])


def test_all_subsets_each_once() -> None:
    assert [sorted(kept) for kept in every_subset("abc")] == [
        [], ["a"], ["b"], ["c"], ["a", "b"], ["a", "c"], ["b", "c"], ["a", "b", "c"]
    ]  # fmt: skip


def test_what_has_no_values() -> None:
    with pytest.raises(ValueError, match="8 players at most, not 9"):
        shapley("abcdefghi", {})
    with pytest.raises(ValueError, match=r"no value for \['b'\]"):
        shapley("ab", named(o=0, a=1, ab=1))


# --- Axioms ------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(seeds, counts)
def test_values_add_up(seed: int, count: int) -> None:
    names, value = drawn(seed, count)
    total = value[frozenset(names)] - value[frozenset()]
    assert sum(map(float, shapley(names, value).values())) == pytest.approx(total)


@settings(deadline=None)
@given(seeds, counts)
def test_it_is_the_mean_over_all_orders_of_coming(seed: int, count: int) -> None:
    names, value = drawn(seed, count)
    orders = list(permutations(names))
    for name, worth in shapley(names, value).items():
        before = [frozenset(order[: order.index(name)]) for order in orders]
        assert worth == pytest.approx(np.mean([value[came | {name}] - value[came] for came in before]))


@settings(deadline=None)
@given(seeds, counts)
def test_who_adds_nothing_is_worth_nothing(seed: int, count: int) -> None:
    names, value = drawn(seed, count)
    value |= {kept | {"idle"}: reached for kept, reached in value.items()}
    assert shapley([*names, "idle"], value)["idle"] == 0


@settings(deadline=None)
@given(seeds, counts)
def test_names_and_their_order_do_not_matter(seed: int, count: int) -> None:
    names, value = drawn(seed, count)
    again = dict(zip(names, [*names[1:], names[0]], strict=True))
    renamed = {frozenset(again[name] for name in kept): reached for kept, reached in value.items()}
    found = shapley([again[name] for name in reversed(names)], renamed)
    for name, worth in shapley(names, value).items():
        assert found[again[name]] == pytest.approx(worth)
