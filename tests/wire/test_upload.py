"""What many clients send, made at once: the content and the lengths of messages that each would encode by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from motet.errors import MotetError
from motet.learn import prototypes as proto
from motet.wire.codec import Coding
from motet.wire.message import decode, encode
from motet.wire.upload import Upload, contributions, received, through, uploads

State = dict[str, Tensor]

BITS = st.sampled_from([32, 16, 8, 4, 3, 1])
DTYPES = st.sampled_from([torch.float32, torch.float64])
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
CLIENTS = st.integers(1, 5)


def drawn(shape: tuple[int, ...], dtype: torch.dtype, rng: np.random.Generator) -> Tensor:
    """Return numbers of all sizes; some rows are constant, some zero."""
    values = torch.from_numpy(np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-6, 6)))
    if values.dim() and len(values):
        values[rng.random(len(values)) < 0.2] = float(rng.choice([0.0, -3.7]))
    return values.to(dtype)


def same(found: Tensor, expected: Tensor) -> bool:
    """Return whether two tensors are the same, bit for bit."""
    return (
        found.dtype == expected.dtype
        and found.shape == expected.shape
        and found.contiguous().numpy().tobytes() == expected.contiguous().numpy().tobytes()
    )


def made(found: Upload, client: int) -> bytes:
    """Return a client's message."""
    assert found.message is not None
    return found.message(client)


def check(found: Upload, messages: list[State | None]) -> None:
    """Check an upload against what each client's message was read as; None where there is none."""
    assert found.lengths.dtype == np.int64
    assert set(found.held) == set(found.content)
    for name, value in found.content.items():
        assert len(value) == len(messages)
        assert found.held[name].dtype == torch.bool
        assert found.held[name].tolist() == [message is not None and name in message for message in messages]
    for k, message in enumerate(messages):
        for name, wanted in (message or {}).items():
            assert same(found.content[name][k], wanted), (k, name)


def test_some_of_the_clients_keep_their_messages() -> None:
    content = {"w": torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])}
    found = uploads(content, {"w": torch.tensor([True, False, True])})
    kept = found.of(np.array([1, 2]))
    assert kept is not None
    assert [made(kept, place) for place in (0, 1)] == [b"", encode({"w": content["w"][2]})]


# --- One message -------------------------------------------------------------------------------------------------


def test_a_message_is_read_as_one_row() -> None:
    content = {"w": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(2.5)}
    message = encode(content)
    found = received(message)
    assert found.content["w"].tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert found.content["b"].tolist() == [2.5]
    assert {name: held.tolist() for name, held in found.held.items()} == {"w": [True], "b": [True]}
    assert found.lengths.tolist() == [len(message)]


# --- Updates -----------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    shapes=st.dictionaries(st.text(max_size=6), st.tuples(SHAPES, DTYPES), max_size=4),
    clients=CLIENTS,
    bits=BITS,
    seed=st.integers(0, 999),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    sparse=st.booleans(),
    deflate=st.booleans(),
)
@example(
    shapes={"Ω": ((), torch.float32), "empty": ((0, 3), torch.float64)},
    clients=3,
    bits=8,
    seed=0,
    share=0.5,
    sparse=True,
    deflate=False,
)
def test_updates_arrive_as_if_each_client_had_encoded_its_own(
    shapes: dict[str, tuple[tuple[int, ...], torch.dtype]],
    clients: int,
    bits: int,
    seed: int,
    share: float,
    sparse: bool,
    deflate: bool,
) -> None:
    rng = np.random.default_rng(seed)
    content = {name: drawn((clients, *shape), dtype, rng) for name, (shape, dtype) in shapes.items()}
    if sparse:  # clients differ in how much they send
        for value in content.values():
            there = rng.random(value.shape) < rng.random((clients, *[1] * (value.dim() - 1)))
            value[~torch.from_numpy(np.asarray(there))] = 0
    held = {name: torch.from_numpy(rng.random(clients) < share) for name in content}
    found = uploads(content, held, Coding(bits, 0.5 if sparse else 1.0, deflate=deflate))
    if not content:
        assert (found.content, len(found.lengths)) == ({}, 0)
        return
    messages: list[State | None] = []
    for k in range(clients):
        own = {name: value[k] for name, value in content.items() if held[name][k]}
        message = encode(own, bits, sparse=sparse, deflate=deflate) if own else b""
        assert made(found, k) == message
        read = received(message) if own else None
        assert int(found.lengths[k]) == (0 if read is None else int(read.lengths[0]))
        messages.append(None if read is None else {name: value[0] for name, value in read.content.items()})
    check(found, messages)


def test_whole_numbers_and_single_numbers_are_never_quantised() -> None:
    scale = torch.tensor([0.1, 0.3], dtype=torch.float64)
    content = {"steps": torch.tensor([[1000, -7, 2], [3, 12345, 8]]), "scale": scale}
    everyone = torch.ones(2, dtype=torch.bool)
    found = uploads(content, {"steps": everyone, "scale": everyone}, Coding(1))
    assert torch.equal(found.content["steps"], content["steps"])
    assert torch.equal(found.content["scale"], scale)
    assert torch.equal(found.content["scale"], content["scale"])
    assert found.lengths.tolist() == [len(encode({n: v[k] for n, v in content.items()}, 1)) for k in range(2)]


def test_a_client_s_numbers_are_quantised_between_its_own_ends() -> None:
    """By hand: at 1 bit only the lowest and the highest number of each client are left."""
    content = {"w": torch.tensor([[0.0, 1.0, 10.0], [-4.0, 0.0, -1.0]])}
    found = uploads(content, {"w": torch.tensor([True, True])}, Coding(1))
    assert found.content["w"].tolist() == [[0, 0, 10], [-4, 0, 0]]
    # header 8; name 2 + 1, kind 4, dimension 4, rows 4, range 8, three bits in a byte
    assert found.lengths.tolist() == [32, 32]


def test_what_is_sent_is_not_written_over() -> None:
    content = {"w": torch.tensor([[0.0, 1.0, 10.0]])}
    uploads(content, {"w": torch.tensor([True])}, Coding(1))
    assert content["w"].tolist() == [[0, 1, 10]]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e300])
def test_an_update_without_end_is_refused_as_its_message_would_be(value: float) -> None:
    rows = torch.tensor([[0.0, value], [0.0, 1.0]], dtype=torch.float64)
    with pytest.raises(MotetError, match="a range without end"):
        received(encode({"w": rows[0]}, 8))
    with pytest.raises(MotetError, match="a range without end"):
        uploads({"w": rows}, {"w": torch.tensor([True, True])}, Coding(8))


# --- Prototypes --------------------------------------------------------------------------------------------------


def summary(
    clients: int,
    classes: int,
    features: int,
    modalities: int,
    dtype: torch.dtype,
    rng: np.random.Generator,
    seen: float,
) -> dict[str, dict[str, Tensor]]:
    """Return what clients' samples come to; a class without a sample has a mean of zero, as `summarise` says."""
    found: dict[str, dict[str, Tensor]] = {"mean": {}, "count": {}, "variance": {}}
    for m in (f"m{i}" for i in range(modalities)):
        count = rng.integers(1, 40, (clients, classes)) * (rng.random((clients, classes)) < seen)
        found["count"][m] = torch.from_numpy(count).to(dtype)
        mean = drawn((clients, classes, features), dtype, rng)
        found["mean"][m] = torch.where(found["count"][m][..., None] > 0, mean, 0)
        found["variance"][m] = torch.from_numpy(rng.random(clients) * count.any(1)).to(dtype)
    return found


def check_contributions(told: dict[str, dict[str, Tensor]], bits: int) -> None:
    found = contributions(told, bits)
    clients, classes = next(iter(told["count"].values())).shape
    messages: list[State | None] = []
    for k in range(clients):
        packed = proto.pack({what: {m: value[k] for m, value in every.items()} for what, every in told.items()})
        message = encode(packed, bits, by_row=True)
        assert int(found.lengths[k]) == (len(message) if packed else 0)
        assert made(found, k) == (message if packed else b"")
        messages.append(proto.unpack(decode(message), classes) if packed else None)
    check(found, messages)
    for m, count in told["count"].items():
        assert not found.content[f"count/{m}"][~count.any(1)].any()  # who has nothing counts for nothing


@settings(max_examples=150, deadline=None)
@given(
    clients=CLIENTS,
    classes=st.integers(1, 5),
    features=st.integers(1, 6),
    modalities=st.integers(1, 3),
    dtype=DTYPES,
    bits=st.sampled_from([32, 17, 8, 4, 3, 1]),
    seed=st.integers(0, 999),
    seen=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
)
def test_prototypes_arrive_as_if_each_client_had_encoded_its_own(
    clients: int,
    classes: int,
    features: int,
    modalities: int,
    dtype: torch.dtype,
    bits: int,
    seed: int,
    seen: float,
) -> None:
    rng = np.random.default_rng(seed)
    check_contributions(summary(clients, classes, features, modalities, dtype, rng, seen), bits)


@pytest.mark.parametrize("bits", [32, 4])
def test_a_client_without_any_good_sample_sends_no_prototypes(bits: int) -> None:
    told = summary(3, 4, 5, 2, torch.float32, np.random.default_rng(0), seen=1.0)
    for m in ("m0", "m1"):
        for what in ("mean", "count", "variance"):
            told[what][m][1] = 0
    told["count"]["m0"][2], told["mean"]["m0"][2], told["variance"]["m0"][2] = 0, 0, 0  # the last has m1 alone
    found = contributions(told, bits)
    assert [length > 0 for length in found.lengths] == [True, False, True]
    assert found.lengths[2] * 2 < found.lengths[0] + 10
    assert found.held["mean/m0"].tolist() == [True, False, False]
    assert found.held["mean/m1"].tolist() == [True, False, True]
    check_contributions(told, bits)


# --- Through a codec ---------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(rows=st.integers(1, 5), shape=SHAPES, dtype=DTYPES, bits=BITS, seed=st.integers(0, 999))
def test_numbers_go_through_row_by_row(
    rows: int, shape: tuple[int, ...], dtype: torch.dtype, bits: int, seed: int
) -> None:
    values = drawn((rows, *shape), dtype, np.random.default_rng(seed))
    found: Any = through(values, bits)
    for row, sent in zip(found, values, strict=True):
        assert same(row, decode(encode({"": sent}, bits))[""])
