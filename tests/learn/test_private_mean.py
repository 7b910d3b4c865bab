"""The mean in which no client shows, by hand, and how far one client moves it."""

from __future__ import annotations

import pytest
import torch
from folding import Update, doubles, drawn, folded
from hypothesis import given
from hypothesis import strategies as st

from motet.learn.privacy.mean import PrivateMean

MODEL = {"a": doubles([1.0, 1.0]), "b": doubles([0.0])}


def test_clipped_summed_noised_and_divided_by_what_was_expected() -> None:
    """Of length 5 and bound 1: (.6, .8); of length .5 as it is; the third has b alone. Noise (1, 0), -.5; 2 and 4."""
    updates: list[Update] = [
        ({"a": doubles([3.0, 4.0]), "b": doubles([0.0])}, 1.0),
        ({"a": doubles([0.3, 0.4]), "b": doubles([0.0])}, 9.0),
        ({"b": doubles([2.0])}, 1.0),
    ]
    noise = {"a": doubles([1.0, 0.0]), "b": doubles([-0.5])}
    found = folded(PrivateMean({"a": 2.0, "b": 4.0}, 1.0, noise), MODEL, updates)
    torch.testing.assert_close(found, {"a": doubles([1 + 1.9 / 2, 1 + 1.2 / 2]), "b": doubles([0.5 / 4])})


def test_where_nobody_is_there_noise_alone_moves_the_model() -> None:
    noise = {"a": doubles([2.0, -2.0]), "b": doubles([4.0])}
    found = folded(PrivateMean({"a": 2.0, "b": 4.0}, 1.0, noise), MODEL, [])
    assert [value.tolist() for value in found.values()] == [[2, 0], [1]]


def test_without_a_bound_updates_are_taken_as_they_come() -> None:
    found = folded(PrivateMean({"a": 1.0, "b": 1.0}, None, {}), MODEL, [({"a": doubles([30.0, 40.0])}, 1.0)])
    assert [value.tolist() for value in found.values()] == [[31, 41], [0]]


@given(clients=st.integers(1, 5), left=st.integers(0, 4), bound=st.floats(0.01, 10), seed=st.integers(0, 99))
def test_one_client_moves_the_sum_by_no_more_than_the_bound(clients: int, left: int, bound: float, seed: int) -> None:
    model, updates = drawn(clients, 1.0, 0.7, seed)
    rest = [update for place, update in enumerate(updates) if place != left % clients]
    joins = PrivateMean(dict.fromkeys(model, 1.0), bound, {})
    whole, without = (folded(joins, {n: v.double() for n, v in model.items()}, own) for own in (updates, rest))
    moved = torch.cat([(whole[name] - without[name]).flatten() for name in model])
    assert float(moved.norm()) <= bound * (1 + 1e-9)


@pytest.mark.parametrize("sizes", [(2, 2), (4,), ()])
def test_blocks_of_clients_are_clients(sizes: tuple[int, ...]) -> None:
    model, updates = drawn(4, 1.0, 0.7, 3)
    joins = PrivateMean(dict.fromkeys(model, 2.0), 0.5, {})
    torch.testing.assert_close(folded(joins, model, updates, sizes=sizes), folded(joins, model, updates))
