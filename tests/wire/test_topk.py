"""The largest changes of each block."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motet.wire.topk import largest, sparsify

BLOCKS = {"acc": {"w": 4, "v": 2}, "head": {"b": 2}}


def rows(*values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def held(*flags: bool) -> Tensor:
    return torch.tensor(flags)


def test_the_largest_in_absolute_value_are_marked() -> None:
    assert largest(rows([1, -5, 2, 4]), 2).tolist() == [[False, True, False, True]]


def test_of_equal_numbers_at_the_threshold_the_first_are_marked() -> None:
    assert largest(rows([2, -3, 2, -2, 2]), 3).tolist() == [[True, True, True, False, False]]
    assert largest(rows([-2, 2, 2]), 1).tolist() == [[True, False, False]]


def test_each_row_has_a_threshold_of_its_own() -> None:
    assert largest(rows([9, 8, 1], [1, 8, 9]), 1).tolist() == [[True, False, False], [False, False, True]]


def test_a_zero_is_never_marked() -> None:
    assert largest(rows([0, 3, 0, 0]), 3).tolist() == [[False, True, False, False]]


@given(
    st.lists(
        st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, 3.5]), min_size=7, max_size=7), min_size=1, max_size=4
    ),
    st.integers(1, 9),
)
def test_it_is_what_a_stable_sort_would_choose(values: list[list[float]], count: int) -> None:
    for row, found in zip(values, largest(rows(*values), count).tolist(), strict=True):
        order = sorted(range(7), key=lambda i: (-abs(row[i]), i))[:count]
        assert found == [i in order and row[i] != 0 for i in range(7)]


def test_a_block_is_judged_as_a_whole() -> None:
    delta = {"w": rows([1, 2, 3, 4]), "v": rows([5, 0.5]), "b": rows([0.1, 0.2])}
    sent, left = sparsify(delta, dict.fromkeys(delta, held(True)), BLOCKS, 1 / 3, None)
    assert sent["w"].tolist() == [[0, 0, 0, 4]]  # two of the six numbers of acc
    assert sent["v"].tolist() == [[5, 0]]
    assert sent["b"].tolist() == [[0, 0.2]]  # one of two, however small
    assert left == {}


def test_what_is_left_over_is_sent_later() -> None:
    memory = {"w": rows([0, 0, 0, 0]), "v": rows([0, 0]), "b": rows([0, 0])}
    delta = {"w": rows([1, 2, 3, 4]), "v": rows([5, 0.5])}
    flags = dict.fromkeys(delta, held(True))
    sent, left = sparsify(delta, flags, BLOCKS, 1 / 3, memory)
    assert left["w"].tolist() == [[1, 2, 3, 0]]
    assert left["v"].tolist() == [[0, 0.5]]
    sent, left = sparsify(delta, flags, BLOCKS, 1 / 3, left)
    assert sent["w"].tolist() == [[0, 0, 6, 0]]  # 3 + 3; of 2, 4, 6, 4 and 5, 1
    assert sent["v"].tolist() == [[5, 0]]
    assert left["w"].tolist() == [[2, 4, 0, 4]]


def test_what_was_not_learnt_is_not_sent_and_its_memory_waits() -> None:
    memory = {"w": rows([9, 9, 9, 9], [0, 0, 0, 0]), "v": rows([0, 0], [0, 0]), "b": rows([1, 0], [0, 0])}
    delta = {"w": rows([0, 0, 0, 0], [1, 0, 0, 0]), "v": rows([1, 2], [3, 4])}
    sent, left = sparsify(delta, {"w": held(False, True), "v": held(True, True)}, BLOCKS, 1 / 3, memory)
    assert sent["w"].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]
    assert sent["v"].tolist() == [[1, 2], [3, 4]]
    assert left["w"].tolist() == [[9, 9, 9, 9], [1, 0, 0, 0]]
    assert left["b"].tolist() == memory["b"].tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(seed=st.integers(0, 99), share=st.sampled_from([0.05, 0.2, 0.5, 1.0]), clients=st.integers(1, 4))
def test_many_clients_send_what_each_would_alone(dtype: torch.dtype, seed: int, share: float, clients: int) -> None:
    """Bit for bit, though alone a client does not even know the names that it did not learn."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: size for sizes in BLOCKS.values() for name, size in sizes.items()}
    delta = {n: torch.randn(clients, size, generator=generator, dtype=dtype) for n, size in shapes.items()}
    memory = {n: torch.randn(clients, size, generator=generator, dtype=dtype) for n, size in shapes.items()}
    flags = {n: torch.rand(clients, generator=generator) < 0.6 for n in shapes}
    delta = {n: torch.where(flags[n][:, None], value, 0) for n, value in delta.items()}
    sent, left = sparsify(delta, flags, BLOCKS, share, memory)
    for k in range(clients):
        mine = {n: value[k : k + 1] for n, value in delta.items() if flags[n][k]}
        own = {n: value[k : k + 1] for n, value in memory.items()}
        alone, rest = sparsify(mine, dict.fromkeys(mine, held(True)), BLOCKS, share, own)
        for n in shapes:
            assert torch.equal(sent[n][k], alone[n][0] if n in alone else torch.zeros_like(sent[n][k]))
            assert torch.equal(left[n][k], rest[n][0])
    for n in shapes:
        learnt = torch.where(flags[n][:, None], delta[n] + memory[n], memory[n])
        assert torch.equal(sent[n] + left[n], learnt)  # nothing is lost
        assert (sent[n] != 0).sum() <= clients * math.ceil(share * 6)
