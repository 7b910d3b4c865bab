"""Matrices of -s, 0 and s: two bits a number, without loss; any other tensor as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from motet.wire.codec import Coding
from motet.wire.message import decode, encode, ternary_lengths
from motet.wire.upload import received, uploads


def matrix(scale: float, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return four rows of five."""
    pattern = torch.arange(20).reshape(4, 5) % 3 - 1
    return torch.where(pattern == 0, 0.0, pattern * torch.tensor(scale, dtype=torch.float32).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_matrix_takes_two_bits_a_number_and_its_scale(dtype: torch.dtype) -> None:
    value = matrix(0.3, dtype)
    message = encode({"w": value}, ternary=True)
    # header 8; name 2 + 1, kind 4, two dimensions 8; rows 4, range 8, forty bits 5
    assert len(message) == 8 + 15 + 17
    assert message[-5:][0] == 0b00_10_01_00  # codes 0, 1, 2, 0, the lowest bits first: -s, 0, s, -s
    assert torch.equal(decode(message)["w"], value)
    assert ternary_lengths("w", value[None]).tolist() == [len(message) - 8]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (torch.tensor([[0.1, -0.1, 0.2, 0.0]]), "two sizes"),
        (torch.where(torch.arange(20).reshape(4, 5) == 0, -0.29999998, matrix(0.3)), "sizes that hardly differ"),
        (matrix(0.3)[0], "one dimension"),
        (matrix(0.3)[:1, :3], "longer than 12 bytes"),
        (matrix(0.3).double() + matrix(1e-12).double(), "a scale that float32 cannot say"),
        (matrix(3e38), "a step beyond float32"),
        (matrix(1.0).to(torch.int64), "whole numbers"),
        (torch.full((4, 5), float("nan")), "no numbers"),
        (torch.full((4, 5), float("inf")), "no end"),
        (torch.zeros(0, 5), "nothing"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_is_no_such_matrix_is_sent_as_it_is(value: Tensor, why: str) -> None:
    assert encode({"w": value}, ternary=True) == encode({"w": value}), why
    assert ternary_lengths("w", value[None]).tolist() == [len(encode({"w": value})) - 8]


@settings(max_examples=200, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    scale=st.floats(0, 2.0**126, width=32, allow_subnormal=False),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    deflate=st.booleans(),
    seed=st.integers(0, 999),
)
def test_a_matrix_comes_back_to_the_bit(
    shape: list[int], scale: float, dtype: torch.dtype, deflate: bool, seed: int
) -> None:
    pattern = torch.from_numpy(np.random.default_rng(seed).integers(-1, 2, shape))
    value = torch.where(pattern == 0, 0.0, pattern * torch.tensor(scale, dtype=dtype))
    found = decode(encode({"w": value}, ternary=True, deflate=deflate))["w"]
    assert found.dtype == dtype
    assert torch.equal(found, value)


@settings(max_examples=100, deadline=None)
@given(
    clients=st.integers(1, 4),
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    deflate=st.booleans(),
    seed=st.integers(0, 999),
)
def test_uploads_arrive_as_if_each_client_had_encoded_its_own(
    clients: int, shape: list[int], dtype: torch.dtype, deflate: bool, seed: int
) -> None:
    rng, coding = np.random.default_rng(seed), Coding(deflate=deflate, gradient="positive")
    pattern = torch.from_numpy(rng.integers(-1, 2, (clients, *shape)))
    scales = torch.from_numpy(rng.random((clients, *[1] * len(shape)))).float().to(dtype)
    odd = torch.from_numpy(rng.random((clients, *[1] * len(shape))) < 0.3)  # some clients' are no such matrix
    value = torch.where(pattern == 0, odd.to(dtype) * 0.01, pattern * scales)
    held = {"w": torch.from_numpy(rng.random(clients) < 0.8), "b": torch.ones(clients, dtype=torch.bool)}
    content = {"w": value, "b": torch.from_numpy(rng.normal(size=(clients, 3)))}
    found = uploads(content, held, coding)
    for k in range(clients):
        own = {name: rows[k] for name, rows in content.items() if held[name][k]}
        read = received(encode(own, deflate=deflate, ternary=True))
        assert found.lengths[k] == read.lengths[0]
        for name, arrived in read.content.items():
            assert torch.equal(found.content[name][k], arrived[0])
