"""A mapping of names to tensors as bytes, and back."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from motet.errors import MotetError
from motet.wire.message import decode, encode, sparse_lengths

TYPES: dict[torch.dtype, type[np.generic]] = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.int32: np.int32,
    torch.int64: np.int64,
    torch.uint8: np.uint8,
    torch.bool: np.bool_,
}
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
NAMES = st.text(max_size=12)


def tensors(types: list[torch.dtype]) -> st.SearchStrategy[Tensor]:
    """Tensors of any shape, from no dimensions to none inside, with any bits."""
    return (
        st.sampled_from(types)
        .flatmap(lambda dtype: arrays.arrays(TYPES[dtype], SHAPES))
        .map(lambda array: torch.from_numpy(np.array(array)))
    )


def same_bits(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return list(one) == list(other) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
        for a, b in zip(one.values(), other.values(), strict=True)
    )


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, tensors(list(TYPES)), max_size=4), st.booleans())
def test_at_32_bits_nothing_is_lost(mapping: dict[str, Tensor], by_row: bool) -> None:
    assert same_bits(decode(encode(mapping, 32, by_row)), mapping)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(NAMES, tensors([torch.int32, torch.int64, torch.uint8, torch.bool]), max_size=4), st.integers(1, 16)
)
def test_integers_are_exact_at_any_number_of_bits(mapping: dict[str, Tensor], bits: int) -> None:
    assert same_bits(decode(encode(mapping, bits)), mapping)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bits", [1, 8, 32])
def test_single_numbers_and_empty_tensors_are_exact_at_any_number_of_bits(dtype: torch.dtype, bits: int) -> None:
    mapping = {
        "single": torch.tensor(0.1, dtype=dtype),
        "empty": torch.zeros(0, dtype=dtype),
        "flat": torch.zeros(3, 0, 2, dtype=dtype),
        "wide": torch.zeros(0, 1000, dtype=dtype),
    }
    assert same_bits(decode(encode(mapping, bits, by_row=True)), mapping)


def test_what_is_not_a_number_survives_at_32_bits() -> None:
    mapping = {"a": torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45])}
    assert same_bits(decode(encode(mapping)), mapping)


@settings(max_examples=150, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64]),
        arrays.array_shapes(min_dims=1, max_dims=3, max_side=6),
        elements=st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False),
    ),
    st.integers(1, 16),
    st.booleans(),
)
def test_quantised_numbers_move_by_half_a_step_at_most(values: Any, bits: int, by_row: bool) -> None:
    found = decode(encode({"w": torch.from_numpy(values)}, bits, by_row))["w"]
    assert found.dtype == torch.from_numpy(values).dtype
    assert found.shape == values.shape
    rows = values.reshape(-1, values.shape[-1]) if by_row else values.reshape(1, -1)
    step = (rows.max(1).astype(np.float64) - rows.min(1)) / (2**bits - 1)
    rounding = step * 2.0 ** (bits - 21) + 2.0**-23 * np.abs(rows).max(1) + 1e-40
    moved = np.abs(found.numpy().reshape(rows.shape).astype(np.float64) - rows)
    assert (moved <= (step / 2 + rounding)[:, None]).all()


@pytest.mark.parametrize("bits", [17, 20, 24, 31])
def test_more_than_16_bits_are_refused_or_kept(bits: int) -> None:
    values = torch.linspace(0, 1, 5)
    try:
        found = decode(encode({"w": values}, bits))["w"]
    except MotetError:
        return
    assert (found - values).abs().max() < 2**-bits + 1e-6


def test_by_row_gives_each_vector_its_own_range() -> None:
    wide = torch.tensor([[0.0, 1.0, 2.0, 3.0], [0.0, 1000.0, 2000.0, 3000.0]])
    assert torch.equal(decode(encode({"w": wide}, 2, by_row=True))["w"], wide)
    assert not torch.equal(decode(encode({"w": wide}, 2))["w"][0], wide[0])


def test_constant_rows_are_exact_at_one_bit() -> None:
    rows = torch.tensor([[0.1] * 5, [-7.3] * 5, [0.0] * 5])
    assert torch.equal(decode(encode({"w": rows}, 1, by_row=True))["w"], rows)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(list(TYPES)), SHAPES), max_size=4), st.integers(1, 16))
def test_a_message_is_as_long_as_its_layout_says(content: dict[str, Any], bits: int) -> None:
    mapping = {name: torch.ones(shape, dtype=dtype) for name, (dtype, shape) in content.items()}
    for kept, by_row in ((32, False), (bits, False), (bits, True)):
        length = 8
        for name, (dtype, shape) in content.items():
            size, width = int(np.prod(shape)), shape[-1] if shape else 0
            length += 2 + len(name.encode()) + 4 + 4 * len(shape)
            if kept < 32 and dtype.is_floating_point and shape and size:
                rows = size // width if by_row else 1
                length += 4 + 8 * rows + -(-size * bits // 8)
            else:
                length += size * np.dtype(TYPES[dtype]).itemsize
        assert len(encode(mapping, kept, by_row)) == length


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, tensors(list(TYPES)), max_size=4), st.floats(0, 1), st.integers(0, 99))
def test_zeros_may_be_left_out(mapping: dict[str, Tensor], share: float, seed: int) -> None:
    """Every number comes back, a negative zero as a zero; and it is never longer than the whole."""
    rng = np.random.default_rng(seed)
    thin = {
        n: t * torch.from_numpy(np.asarray(rng.random(tuple(t.shape)) < share)).to(t.dtype) for n, t in mapping.items()
    }
    thin = {name: torch.where(torch.isnan(value), 1, value).to(mapping[name].dtype) for name, value in thin.items()}
    message = encode(thin, sparse=True)
    assert len(message) <= len(encode(thin))
    found = decode(message)
    assert list(found) == list(thin)
    for name, value in thin.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


def test_a_sparse_message_is_as_long_as_its_layout_says() -> None:
    few, many = torch.zeros(30, 10), torch.zeros(30, 10)
    few[3, 4], few[29, 9] = 1.5, -2.0
    many[:, :4] = torch.arange(1.0, 121).reshape(30, 4)
    gaps, bitmap = encode({"w": few}, sparse=True), encode({"w": many}, sparse=True)
    entry = 2 + 1 + 4 + 8
    assert len(gaps) == 8 + entry + (4 + 1 + 2) + 2 * 4  # 34 zeros before the first fit in a byte, 264 need two
    assert len(bitmap) == 8 + entry + 38 + 120 * 4
    assert len(encode({"w": few})) == 8 + entry + 1200
    found, kept = sparse_lengths("w", torch.stack([few, many, torch.ones(30, 10)]))
    assert found.tolist() == [len(gaps) - 8, len(bitmap) - 8, entry + 1200]
    assert kept.sum(1).tolist() == [2, 120, 300]


def test_quantised_numbers_without_their_zeros_have_a_range_of_their_own() -> None:
    values = torch.zeros(100)
    values[3:7] = torch.tensor([5.0, 6, 7, 8])
    message = encode({"w": values}, 2, sparse=True)
    assert torch.equal(decode(message)["w"], values)  # four levels from 5 to 8
    assert len(message) == 8 + (2 + 1 + 4 + 4) + (4 + 4) + (4 + 8 + 1)  # gaps; a range, and four codes in a byte
    found, _ = sparse_lengths("w", values[None], 2)
    assert found.tolist() == [len(message) - 8]


def test_nothing_but_zeros_has_no_range() -> None:
    message = encode({"w": torch.zeros(100)}, 8, sparse=True)
    assert len(message) == 8 + (2 + 1 + 4 + 4) + 4 + 4
    assert torch.equal(decode(message)["w"], torch.zeros(100))


@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(np.float32, st.integers(0, 3000), elements=st.floats(-4, 4, width=32)),
    st.floats(0, 1),
    st.sampled_from([32, 16, 8, 5, 4, 1]),
    st.booleans(),
)
def test_deflating_changes_nothing_but_the_length(values: Any, share: float, bits: int, sparse: bool) -> None:
    values[np.random.default_rng(0).random(len(values)) > share] = 0
    content = {"w": torch.from_numpy(values)}
    plain, deflated = encode(content, bits, sparse=sparse), encode(content, bits, sparse=sparse, deflate=True)
    assert same_bits(decode(deflated), decode(plain))
    assert len(deflated) <= len(plain)
    if share < 0.5 and len(plain) > 1000 and bits < 32:
        assert len(deflated) < len(plain)


def test_what_inflates_to_more_than_it_may_is_refused_before_it_does() -> None:
    bomb, gaps = encode({"w": torch.zeros(2**22)}, deflate=True), encode({"w": torch.zeros(2**22)}, sparse=True)
    assert len(bomb) < 2**22
    assert len(gaps) < 50
    tracemalloc.start()
    with pytest.raises(MotetError, match=r"16,777,2.. bytes: at most 1,000,000"):
        decode(bomb, most=10**6)
    lying = bomb[:8] + struct.pack("<I", 1000) + bomb[12:]
    with pytest.raises(MotetError, match="does not have the length that it says"):
        decode(lying)
    with pytest.raises(MotetError, match=r"4,194,304 numbers in a message: more than 1,000,000 bytes"):
        decode(gaps, most=10**6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23  # of the 2**24 bytes that they stand for


@pytest.mark.parametrize("coding", [{"sparse": True}, {"bits": 1}, {"bits": 1, "sparse": True}], ids=str)
def test_many_tensors_of_few_bytes_are_refused_before_they_are_made(coding: dict[str, Any]) -> None:
    """A hundred tensors of 400,000 bytes each, which alone might pass."""
    few = {"bits": 32, "sparse": False, **coding}
    message = encode({str(number): torch.zeros(100_000) for number in range(100)}, **few)
    assert decode(encode({"0": torch.zeros(100_000)}, **few), most=10**6)
    tracemalloc.start()
    with pytest.raises(MotetError, match=r"100,000 numbers in a message: more than 1,000,000 bytes"):
        decode(message, most=10**6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7


def test_a_flag_is_true_or_false_whatever_byte_it_is() -> None:
    message = encode({"flags": torch.tensor([False, True, True])})
    found = decode(message[:-3] + bytes([0, 1, 2]))["flags"]
    assert found.numpy().tobytes() == bytes([0, 1, 1])


def test_tensors_may_be_views_and_may_want_gradients() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    mapping = {"turned": base.T, "strided": base[:, ::2], "learning": base.clone().requires_grad_()}
    found = decode(encode(mapping))
    assert all(torch.equal(found[name], value) for name, value in mapping.items())


def test_what_was_decoded_may_be_changed_and_is_nobody_elses() -> None:
    message = encode({"w": torch.zeros(3), "b": torch.zeros(1, dtype=torch.uint8)})
    one, other = decode(message), decode(message)
    assert all(one[name].data_ptr() != other[name].data_ptr() for name in one)  # Python shares bytes of length 1
    for value in one.values():
        value += 1
    assert same_bits(decode(message), other)


# The encoding of version 1, for ever: messages as they were written when it was fixed.
EXACT_MESSAGE = bytes.fromhex(
    "4d4f54540108001200656e636f6465722e6163632e77656967687400200202000000030000000000003f0000a0bf00004040"
    "0000004000000000000000be06007363616c617201200000000000000004400500636f756e74032001030000000100000000"
    "000000feffffffffffffff030000000000000005007374657073022002020000000100000007000000f8ffffff0500627974"
    "65730420010200000000ff0500666c616773052001030000000100010500656d70747900200200000000040000000200cea9"
    "002001010000000000803f"
)
EXACT_CONTENT = {
    "encoder.acc.weight": torch.tensor([[0.5, -1.25, 3.0], [2.0, 0.0, -0.125]]),
    "scalar": torch.tensor(2.5, dtype=torch.float64),
    "count": torch.tensor([1, -2, 3]),
    "steps": torch.tensor([[7], [-8]], dtype=torch.int32),
    "bytes": torch.tensor([0, 255], dtype=torch.uint8),
    "flags": torch.tensor([True, False, True]),
    "empty": torch.zeros(0, 4),
    "Ω": torch.tensor([1.0]),
}
BY_ROW_MESSAGE = bytes.fromhex(
    "4d4f54540102000d0070726f746f747970652f616363000402030000000400000003000000000000000000803f000080bf00"
    "0000000000f0c100000040084f00000fe701006e03200103000000040000000000000000000000000000000900000000000000"
)
WHOLE_MESSAGE = bytes.fromhex(
    "4d4f54540102000d0070726f746f747970652f6163630004020300000004000000010000000000f0c10000404055df555505"
    "a901006e03200103000000040000000000000000000000000000000900000000000000"
)
QUANTISED_CONTENT = {
    "prototype/acc": torch.tensor([[0.0, 1, 2, 15], [-1, -1, -1, -1], [-30, 0, -16, -2]]),
    "n": torch.tensor([4, 0, 9]),
}
QUANTISED_AS_A_WHOLE = torch.tensor([[0.0, 0, 3, 15], [0, 0, 0, 0], [-30, 0, -15, -3]])


def test_version_1_decodes_for_ever() -> None:
    assert same_bits(decode(EXACT_MESSAGE), EXACT_CONTENT)
    assert same_bits(decode(BY_ROW_MESSAGE), QUANTISED_CONTENT)
    assert same_bits(decode(WHOLE_MESSAGE), {**QUANTISED_CONTENT, "prototype/acc": QUANTISED_AS_A_WHOLE})


SPARSE_CONTENT = {
    "bitmap": torch.tensor([0.0, 1.5, 0, 0, -2, 3, 0, 0, 0.5, 0]),
    "gaps": torch.zeros(200).scatter(0, torch.tensor([3, 150]), torch.tensor([1.0, 4.0])),
}
DEFLATED_CONTENT = {"w": torch.cat([torch.zeros(300), torch.arange(256.0)])}
VERSION_2 = {
    "exact": bytes.fromhex(
        "4d4f5454020008001200656e636f6465722e6163632e7765696768740020000202000000030000000000003f0000a0bf0000"
        "40400000004000000000000000be06007363616c61720120000000000000000004400500636f756e74032000010300000001"
        "00000000000000feffffffffffffff03000000000000000500737465707302200002020000000100000007000000f8ffffff"
        "05006279746573042000010200000000ff0500666c61677305200001030000000100010500656d7074790020000200000000"
        "040000000200cea900200001010000000000803f"
    ),
    "by row": bytes.fromhex(
        "4d4f5454020002000d0070726f746f747970652f61636300040002030000000400000003000000000000000000803f000080"
        "bf000000000000f0c10000004010f20000f0e701006e03200001030000000400000000000000000000000000000009000000"
        "00000000"
    ),
    "whole": bytes.fromhex(
        "4d4f5454020002000d0070726f746f747970652f616363000400020300000004000000010000000000f0c100004040aafbaa"
        "aaa09501006e0320000103000000040000000000000000000000000000000900000000000000"
    ),
    "sparse": bytes.fromhex(
        "4d4f54540200020006006269746d6170002001010a0000004c800000c03f000000c0000040400000003f0400676170730020"
        "0201c8000000020000000392010000803f00008040"
    ),
    "quantised": bytes.fromhex(
        "4d4f54540200020006006269746d6170000801010a0000004c8001000000000000c0a1a0a03cb200ff7f0400676170730008"
        "0201c800000002000000039201010000000000803fc1c0403c00ff"
    ),
    "deflated": bytes.fromhex(
        "4d4f5454020101004302000005c1038015060000d0f72f5db66d5db6b15ab66d7be16a195bdbaa852ddbb66ddb762dbb96f1"
        "5e40a86081902002000615030000000000000000000000000000000000000000000000000000000000000000000000000081"
        "a03061c3858f101c3152e42851a3458f113356ec3871e3c54f903051e2244993254f913255ea3469d3a5cf903153e6902c59"
        "b365cf913357ee3c79f3e52f50b050e122458b152f51f2a752a57f2e53b65cf90a152b55ae52b55af51a356bd5ae53b75efd"
        "060d1b356ed2b459f3162d5bb56ed3b65dfb0e1d3b75eed2b5db2fdd7bf4ec15dabbcfaf7dfbf51f3070d0e0214387fdf6fb"
        "f03ffefc6bc4c8517f8f1e3376dc3fff8e9f3071d2e42953a74d9f3173d6ec3973e7cd5fb070d1e2254b972d5fb172d5ea35"
        "6bd7addfb071d3e62d5bb76ddfb173d7ee3d7bf7ed3f70f0d0e123478f1d3f71f2d4e93367cf9dbf70f1d2e52b57af5dbf71"
        "f3d6ed3b77efddffefc1c3478f9f3c7df6fcc5cb57afdfbc7df7fffb0f1f3f7dfef2f5dbf71f"
    ),
}


def encoded() -> dict[str, bytes]:
    """Return messages of every layout."""
    return {
        "exact": encode(EXACT_CONTENT),
        "by row": encode(QUANTISED_CONTENT, 4, by_row=True),
        "whole": encode(QUANTISED_CONTENT, 4),
        "sparse": encode(SPARSE_CONTENT, sparse=True),
        "quantised": encode(SPARSE_CONTENT, 8, sparse=True),
        "deflated": encode(DEFLATED_CONTENT, 8, deflate=True),
    }


def test_version_2_decodes_for_ever() -> None:
    assert same_bits(decode(VERSION_2["exact"]), EXACT_CONTENT)
    assert same_bits(decode(VERSION_2["by row"]), QUANTISED_CONTENT)
    assert same_bits(decode(VERSION_2["whole"]), {**QUANTISED_CONTENT, "prototype/acc": QUANTISED_AS_A_WHOLE})
    assert same_bits(decode(VERSION_2["sparse"]), SPARSE_CONTENT)
    assert same_bits(decode(VERSION_2["deflated"]), DEFLATED_CONTENT)
    found = decode(VERSION_2["quantised"])
    assert torch.equal(found["gaps"], SPARSE_CONTENT["gaps"])  # the two ends of its range
    assert (found["bitmap"] - SPARSE_CONTENT["bitmap"]).abs().max() <= 2.5 / 255


def test_version_2_encodes_as_it_did() -> None:
    """Deflated bytes depend on the library that makes them; what they inflate to does not."""
    found = encoded()
    assert {name: message for name, message in found.items() if name != "deflated"} == {
        name: message for name, message in VERSION_2.items() if name != "deflated"
    }


def header(entries: int = 1, version: int = 1) -> bytes:
    return b"MOTT" + struct.pack("<BH", version, entries)


def entry(
    shape: tuple[int, ...],
    body: bytes,
    kind: int = 0,
    bits: int = 32,
    name: bytes = b"w",
    dimensions: int | None = None,
) -> bytes:
    """Write an entry as the layout says, whether it makes sense or not."""
    count = len(shape) if dimensions is None else dimensions
    start = struct.pack("<H", len(name)) + name + struct.pack("<BBB", kind, bits, count)
    return start + struct.pack(f"<{len(shape)}I", *shape) + body


def quantised(*ranges: tuple[float, float], codes: bytes = b"", rows: int | None = None) -> bytes:
    count = len(ranges) if rows is None else rows
    return struct.pack("<I", count) + b"".join(struct.pack("<ff", *pair) for pair in ranges) + codes


def refusal(message: bytes) -> str:
    """Return what decode says to a broken message, having checked that it took no memory to say it."""
    tracemalloc.start()
    try:
        with pytest.raises(MotetError) as caught:
            decode(message)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_layout_written_by_hand_decodes() -> None:
    plain = header(2) + entry((2,), struct.pack("<2f", 1.5, -2)) + entry((), struct.pack("<q", 7), kind=3, name=b"n")
    assert same_bits(decode(plain), {"w": torch.tensor([1.5, -2]), "n": torch.tensor(7)})
    packed = header() + entry((2, 4), quantised((10, 1), (0, 0.5), codes=bytes([0b01011010])), bits=1)
    assert decode(packed)["w"].tolist() == [[10, 11, 10, 11], [0.5, 0, 0.5, 0]]


WHOLE_MESSAGES = [EXACT_MESSAGE, BY_ROW_MESSAGE, WHOLE_MESSAGE, *VERSION_2.values()]


@pytest.mark.parametrize("message", WHOLE_MESSAGES)
def test_a_message_cut_short_anywhere_is_refused(message: bytes) -> None:
    for length in range(len(message)):
        with pytest.raises(MotetError, match=r"cut short|deflated"):
            decode(message[:length])


@pytest.mark.parametrize("rest", [b"\0", b"MOTT", EXACT_MESSAGE])
def test_bytes_after_the_end_are_refused(rest: bytes) -> None:
    assert refusal(EXACT_MESSAGE + rest) == f"{len(rest)} bytes too many at the end of a message"


@pytest.mark.parametrize("message", [b"ABCD" + EXACT_MESSAGE[4:], b"\x80\x04\x95\x00\x00", b"PK\x03\x04" * 10])
def test_foreign_bytes_are_refused(message: bytes) -> None:
    assert refusal(message) == "not a Motet message"


@pytest.mark.parametrize("version", [0, 3, 255])
def test_another_version_is_refused(version: int) -> None:
    sentence = refusal(EXACT_MESSAGE[:4] + bytes([version]) + EXACT_MESSAGE[5:])
    assert sentence == f"message version {version} is not known here (this is version 2)"


def test_an_unknown_number_type_is_refused() -> None:
    assert refusal(header() + entry((1,), b"0000", kind=6)) == "unknown number type 6 in a message"


BROKEN = {
    "a name that is not UTF-8": entry((1,), b"0000", name=b"\xff\xfe"),
    "no bits": entry((10_000_000,), quantised((0, 1)), bits=0),
    "33 bits": entry((8,), quantised((0, 1), codes=bytes(33)), bits=33),
    "255 bits": entry((8,), quantised((0, 1), codes=bytes(255)), bits=255),
    "quantised integers": entry((8,), quantised((0, 1), codes=bytes(8)), kind=3, bits=8),
    "quantised flags": entry((8,), quantised((0, 1), codes=bytes(8)), kind=5, bits=8),
    "no rows for numbers": entry((4,), quantised(codes=bytes(4)), bits=8),
    "rows that do not divide the numbers": entry((4,), quantised((0, 1), (0, 1), (0, 1), codes=bytes(4)), bits=8),
    "more rows than numbers": entry((2,), quantised((0, 1), (0, 1), (0, 1), codes=bytes(2)), bits=8),
    "more rows than bytes": entry((4,), quantised((0, 1), codes=bytes(4), rows=2**32 - 1), bits=8),
    "a range from nowhere": entry((4,), quantised((float("nan"), 1), codes=bytes(4)), bits=8),
    "a range without end": entry((4,), quantised((0, float("inf")), codes=bytes(4)), bits=8),
    "a range of infinities": entry((4,), quantised((float("inf"), -float("inf")), codes=bytes(4)), bits=8),
    "a signalling NaN": entry((4,), struct.pack("<I", 1) + bytes.fromhex("0000a07f0000803f") + bytes(4), bits=8),
    "a range too wide": entry((4,), quantised((3e38, 3e38), codes=b"\xff" * 4), bits=8),
    "more numbers than bytes": entry((2**31, 2), b"0000"),
    "more numbers than can be counted": entry((2**32 - 1, 2**32 - 1, 2**32 - 1), b"0000"),
    "a number of numbers that wraps below 0": entry((2**32 - 1, 2**32 - 1), b"", kind=4),
    "a number of numbers that wraps to 0": entry((2**31, 2**31, 4), b"", kind=4),
    "wrapping quantised numbers": entry((2**32 - 1, 2**32 - 1), quantised((0, 1)), bits=8),
    "no numbers in a huge shape": entry((0, 2**32 - 1, 2**32 - 1, 2**32 - 1), b"", kind=4),
    "65 dimensions": entry((1,) * 65, b"0", kind=4),
    "255 dimensions": entry((1,) * 255, b"0", kind=4),
    "more dimensions than bytes": entry((1, 1), b"", kind=4, dimensions=255),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_entry_is_refused_in_a_sentence_and_takes_no_memory(name: str) -> None:
    refusal(header() + BROKEN[name])


def test_a_message_of_more_entries_than_bytes_is_refused() -> None:
    assert "cut short" in refusal(header(65_535) + entry((1,), b"0000"))


def test_a_name_given_twice_is_refused() -> None:
    refusal(header(2) + entry((1,), b"0000") + entry((1,), b"1111"))


def survives(message: bytes) -> None:
    """Check that a message decodes or is refused, and nothing else."""
    try:
        found = decode(message)
    except MotetError:
        return
    assert all(isinstance(value, Tensor) for value in found.values())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.booleans())
def test_random_bytes_decode_or_are_refused(rest: bytes, with_header: bool) -> None:
    survives(header() + rest if with_header else rest)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(WHOLE_MESSAGES),
    st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_damaged_messages_decode_or_are_refused(message: bytes, damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(message)
    for place, value in damage:
        damaged[place % len(message)] = value
    survives(bytes(damaged))


SIZES = st.sampled_from([0, 1, 2, 3, 4, 255, 2**16, 2**31, 2**32 - 1])


@settings(max_examples=500, deadline=None)
@given(
    st.lists(SIZES, max_size=5).map(tuple),
    st.integers(0, 6),
    st.sampled_from([1, 2, 8, 15, 16, 17, 31, 32, 33, 64, 255]),
    st.none() | SIZES,
    st.binary(max_size=64),
)
@example(shape=(2, 4), kind=0, bits=1, rows=2, body=bytes(17))
def test_entries_of_any_shape_decode_or_are_refused(
    shape: tuple[int, ...], kind: int, bits: int, rows: int | None, body: bytes
) -> None:
    survives(header() + entry(shape, (b"" if rows is None else struct.pack("<I", rows)) + body, kind, bits))
