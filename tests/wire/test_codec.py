"""How numbers become bytes and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from motet.errors import InputError
from motet.wire.codec import EXACT, Coding, dequantise, parse, quantise

BITS = st.integers(1, 16)


def matrices(dtype: type[np.floating[Any]]) -> st.SearchStrategy[NDArray[np.floating[Any]]]:
    numbers = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)
    return arrays.arrays(dtype, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12), elements=numbers)


@settings(max_examples=200, deadline=None)
@given(matrices(np.float32) | matrices(np.float64), BITS)
def test_no_number_moves_by_more_than_half_a_step(rows: NDArray[np.floating[Any]], bits: int) -> None:
    ranges, packed = quantise(rows, bits)
    found = dequantise(ranges, packed, rows.shape[1], bits)
    assert found.shape == rows.shape
    step = (rows.max(1).astype(np.float64) - rows.min(1)) / (2**bits - 1)
    rounding = step * 2.0 ** (bits - 21) + 2.0**-23 * np.abs(rows).max(1) * (rows.dtype == np.float64) + 1e-40
    assert (np.abs(found - rows) <= (step / 2 + rounding)[:, None]).all()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5), BITS)
def test_constant_rows_are_exact(values: list[float], bits: int) -> None:
    rows = np.repeat(np.array(values, dtype=np.float32)[:, None], 7, axis=1)
    ranges, packed = quantise(rows, bits)
    assert np.array_equal(dequantise(ranges, packed, 7, bits), rows)


@given(st.integers(1, 16), st.integers(1, 40), st.integers(1, 4))
def test_the_lowest_and_the_highest_number_of_a_row_are_kept(bits: int, width: int, count: int) -> None:
    rows = np.random.default_rng(width).integers(-1000, 1000, (count, width)).astype(np.float32)
    ranges, packed = quantise(rows, bits)
    found = dequantise(ranges, packed, width, bits)
    assert np.array_equal(found.min(1), rows.min(1))
    np.testing.assert_allclose(found.max(1), rows.max(1), rtol=1e-6, atol=1e-4)


def test_each_row_has_a_range_of_its_own() -> None:
    rows = np.array([[0, 15, 7], [-300, 0, -20]], dtype=np.float32)
    ranges, _ = quantise(rows, 4)
    assert ranges.tolist() == [[0, 1], [-300, 20]]
    assert ranges.dtype == np.float32


@given(st.integers(1, 5), st.integers(1, 30), BITS)
def test_codes_are_packed_without_gaps(rows: int, width: int, bits: int) -> None:
    _, packed = quantise(np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32), bits)
    assert packed.dtype == np.uint8
    assert len(packed) == -(-rows * width * bits // 8)


def test_numbers_on_the_grid_come_back_exactly() -> None:
    for bits in range(1, 17):
        rows = np.arange(2**bits, dtype=np.float32)[None] - 5
        assert np.array_equal(dequantise(*quantise(rows, bits), 2**bits, bits), rows)


def test_numbers_far_from_zero_keep_their_differences() -> None:
    rows = (1e6 + np.arange(16) / 16).astype(np.float32)[None]
    assert np.array_equal(dequantise(*quantise(rows, 4), 16, 4), rows)


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
    "upload",
    [
        "",
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
        "topk+q8",
    ],
)
def test_another_upload_is_refused(upload: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(upload)
    assert "use dense, q1 to q16 such as q8, or topk" in str(caught.value)
    assert str(caught.value).startswith("unknown --upload ")
