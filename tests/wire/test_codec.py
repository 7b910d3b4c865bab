"""How numbers become bytes and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from motet.errors import InputError
from motet.wire.codec import EXACT, Coding, dequantise, pack, parse, quantise, unpack

BITS = st.integers(1, 16)


def matrices(dtype: type[np.floating[Any]]) -> st.SearchStrategy[NDArray[np.floating[Any]]]:
    numbers = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)
    return arrays.arrays(dtype, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12), elements=numbers)


def there_and_back(rows: NDArray[np.floating[Any]], bits: int) -> NDArray[np.floating[Any]]:
    """Return what arrives of rows that go through bytes."""
    values = torch.from_numpy(rows)
    ranges, codes = quantise(values, bits)
    packed = pack(codes, bits)
    assert len(packed) == -(-rows.size * bits // 8)
    read = unpack(packed, rows.size, bits).reshape(rows.shape)
    assert torch.equal(read, codes.double())
    found = dequantise(ranges, read, bits, values.dtype)
    assert torch.equal(found, dequantise(ranges, codes, bits, values.dtype))
    return np.asarray(found.numpy())


@settings(max_examples=200, deadline=None)
@given(matrices(np.float32) | matrices(np.float64), BITS)
def test_no_number_moves_by_more_than_half_a_step(rows: NDArray[np.floating[Any]], bits: int) -> None:
    found = there_and_back(rows, bits)
    assert found.shape == rows.shape
    assert found.dtype == rows.dtype
    step = (rows.max(1).astype(np.float64) - rows.min(1)) / (2**bits - 1)
    rounding = step * 2.0 ** (bits - 21) + 2.0**-22 * np.abs(rows).max(1) + 1e-40
    assert (np.abs(found.astype(np.float64) - rows) <= (step / 2 + rounding)[:, None]).all()


@given(st.integers(2, 16))  # at one bit the step is the range, which float32 cannot say: it is refused
def test_a_range_wider_than_float32_has_numbers_of_float32(bits: int) -> None:
    rows = np.array([[-3e38, 3e38, 0, 1e38], [0, 1, 2, 3]], dtype=np.float32)
    found = there_and_back(rows, bits).astype(np.float64)
    steps = np.array([6e38, 3]) / (2**bits - 1)
    assert (np.abs(found - rows) <= (steps * (0.5 + 1e-3) + [1e32, 0])[:, None]).all()
    alone = there_and_back(rows[1:], bits)
    assert np.array_equal(found[1:], alone)  # a row's neighbours change nothing


@given(st.lists(st.integers(0, 100), min_size=2, max_size=20), BITS)
def test_subnormal_numbers_stay_among_themselves(numbers: list[int], bits: int) -> None:
    rows = np.array([numbers], dtype=np.float32) * np.float32(1e-45)
    found = there_and_back(rows, bits).astype(np.float64)
    step = (float(rows.max()) - float(rows.min())) / (2**bits - 1)
    assert (np.abs(found - rows) <= step / 2 + 2**bits * 1.5e-45).all()  # the step is a whole number of the smallest


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5), BITS)
def test_constant_rows_are_exact(values: list[float], bits: int) -> None:
    rows = np.repeat(np.array(values, dtype=np.float32)[:, None], 7, axis=1)
    assert np.array_equal(there_and_back(rows, bits), rows)


@given(st.integers(1, 16), st.integers(1, 40), st.integers(1, 4))
def test_the_lowest_and_the_highest_number_of_a_row_are_kept(bits: int, width: int, count: int) -> None:
    rows = np.random.default_rng(width).integers(-1000, 1000, (count, width)).astype(np.float32)
    found = there_and_back(rows, bits)
    assert np.array_equal(found.min(1), rows.min(1))
    np.testing.assert_allclose(found.max(1), rows.max(1), rtol=1e-6, atol=1e-4)


def test_each_row_has_a_range_of_its_own() -> None:
    ranges, _ = quantise(torch.tensor([[0.0, 15, 7], [-300, 0, -20]]), 4)
    assert ranges.tolist() == [[0, 1], [-300, 20]]
    assert ranges.dtype == torch.float32


def test_only_what_is_kept_counts_for_a_range() -> None:
    kept = torch.tensor([[False, True, True], [False, False, False]])
    ranges, codes = quantise(torch.tensor([[0.0, 1, 4], [0, 0, 0]]), 2, kept)
    assert ranges.tolist() == [[1, 1], [0, 0]]
    assert codes[0, 1:].tolist() == [0, 3]


def test_codes_are_packed_from_the_lowest_bit_on_and_were_from_the_highest() -> None:
    codes = torch.tensor([1.0, 2, 3, 0])
    assert pack(codes, 2) == bytes([0b00111001])
    assert unpack(bytes([0b00111001]), 4, 2).tolist() == codes.tolist()
    assert unpack(bytes([0b10011100]), 4, 2, highest_first=True).tolist() == codes.tolist()
    assert unpack(bytes([0b10000000]), 1, 8, highest_first=True).tolist() == [1]


def test_numbers_on_the_grid_come_back_exactly() -> None:
    for bits in range(1, 17):
        rows = np.arange(2**bits, dtype=np.float32)[None] - 5
        assert np.array_equal(there_and_back(rows, bits), rows)


def test_numbers_far_from_zero_keep_their_differences() -> None:
    rows = (1e6 + np.arange(16) / 16).astype(np.float32)[None]
    assert np.array_equal(there_and_back(rows, 4), rows)


def test_dense_is_exact() -> None:
    assert parse("dense") == Coding(bits=32) == Coding(EXACT, share=1.0, memory=False)


@pytest.mark.parametrize("bits", range(1, 17))
def test_q_gives_its_bits(bits: int) -> None:
    assert parse(f"q{bits}") == Coding(bits=bits)


@pytest.mark.parametrize(
    ("upload", "share", "memory"),
    [
        ("topk", 0.2, False),
        ("topk+memory", 0.2, True),
        ("topk:share=0.05", 0.05, False),
        ("topk+memory:share=1", 1, False),
    ],
)
def test_topk_sends_a_share_and_may_keep_the_rest(upload: str, share: float, memory: bool) -> None:
    assert parse(upload) == Coding(EXACT, share, memory)


@pytest.mark.parametrize(
    ("upload", "coding"),
    [
        ("topk+q8", Coding(8, 0.2)),
        ("topk+memory+q4+deflate:share=0.05", Coding(4, 0.05, memory=True, deflate=True)),
        ("topk+deflate", Coding(share=0.2, deflate=True)),
        ("q8+deflate", Coding(8, deflate=True)),
        ("dense+deflate", Coding(deflate=True)),
    ],
)
def test_steps_make_a_chain(upload: str, coding: Coding) -> None:
    assert parse(upload) == coding


@pytest.mark.parametrize(
    "upload",
    [
        "",
        "topk+q17",
        "topk+q8+memory",
        "deflate",
        "q8:share=0.5",
        "dense+q8",
        "memory+topk",
        "q",
        "q0",
        "q17",
        "q32",
        "q-1",
        "q8.0",
        "8",
        "Q8",
        " q8",
        "q8\n",
        "q８",
        "dense8",
        "q" + "9" * 5000,
        "topk:",
        "topk:share=0",
        "topk:share=1.1",
        "topk:share=.",
        "topk:0.5",
        "topk+",
        "ternary+q8",
        "ternary+memory",
        "topk+ternary",
        "ternary:share=0.5",
        "ternary:gradient=both",
        "q8:gradient=exact",
        "dense:gradient=exact",
    ],
)
def test_another_upload_is_refused(upload: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(upload)
    assert "use dense, q1 to q16 such as q8, topk or topk+memory" in str(caught.value)
    assert str(caught.value).startswith("unknown --upload ")


@pytest.mark.parametrize(
    ("upload", "coding"),
    [
        ("ternary", Coding(gradient="positive")),
        ("ternary:gradient=positive", Coding(gradient="positive")),
        ("ternary:gradient=exact", Coding(gradient="exact")),
        ("ternary+deflate", Coding(deflate=True, gradient="positive")),
        ("ternary+deflate:gradient=exact", Coding(deflate=True, gradient="exact")),
    ],
)
def test_ternary_says_how_scales_learn(upload: str, coding: Coding) -> None:
    assert parse(upload) == coding
    assert coding.ternary
    assert not Coding().ternary
