"""What a client's message may hold: everything else is refused before it is used, for one client as for many."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motet.config import DataSettings, RecipeSettings
from motet.data.dataset import Modality
from motet.learn import prototypes as proto
from motet.learn.method import build_method
from motet.stream.message import Summary, write
from motet.stream.moments import Moments
from motet.wire.check import Check
from motet.wire.codec import Coding
from motet.wire.expected import Expected, Field
from motet.wire.fault import FAULTS, FINE, Fault
from motet.wire.message import encode
from motet.wire.told import NOTHING, encode_summaries
from motet.wire.upload import contributions, uploads

State = dict[str, Tensor]

MODALITIES = {"move": Modality("move", "signal", (2, 8), 10.0), "body": Modality("body", "vector", (3,))}
METHOD = build_method(DataSettings(features=4, encoder="mlp"), RecipeSettings(missing="prototype"), MODALITIES, 3, 0)
EXPECTED = Expected(METHOD, MODALITIES, torch.float32)
CHECK = Check(EXPECTED, samples=20, bound=100.0)
MODEL = {name: torch.full_like(value, 0.5) for name, value in METHOD.network.state().items()}
FIRST = next(iter(MODEL))
NAN = float("nan")


def fault(place: int) -> Fault | None:
    return None if place == FINE else FAULTS[place]


def judged(kind: str, message: bytes) -> Fault | None:
    """Return what is found wrong with one message."""
    if kind == "quality":
        return fault(int(CHECK.told(EXPECTED.received_told(message))[0]))
    if kind == "prototypes":
        return fault(int(CHECK.prototypes(EXPECTED.received_prototypes(message))[0]))
    if kind == "scores":
        return fault(int(CHECK.scores(EXPECTED.received(kind, message))[0]))
    return fault(int(CHECK.changes(kind, EXPECTED.received(kind, message))[0]))


def prototypes(classes: int = 3, features: int = 4) -> State:
    """Return one client's message about move: two classes, with 4 and 5 samples."""
    return {
        "mean/move": torch.ones(2, features),
        "count/move": torch.tensor([4, 0, 5] + [0] * (classes - 3), dtype=torch.int32),
        "variance/move": torch.tensor(0.25),
    }


def quality() -> State:
    """Return what one client tells of body: two sets of samples."""
    parts = Moments(np.array([3.0, 2.0]), np.ones((2, 6)), np.stack([np.eye(6), 2 * np.eye(6)]))
    summary = Summary(
        np.array([0, 2]), np.array([True, False]), parts, np.zeros(2, dtype=np.int64), np.ones((1, 65), int)
    )
    summary.distances[:, 5:] = 0
    return {name: torch.from_numpy(array) for name, array in write("body", summary).items()}


SCORES = {"confidence/move": torch.tensor(2.5), "count/move": torch.tensor(5.0)}
HONEST = {"model": MODEL, "drift": MODEL, "prototypes": prototypes(), "quality": quality(), "scores": SCORES}
each_kind = pytest.mark.parametrize("kind", HONEST)


def with_(content: State, **changes: Any) -> State:
    """Return a message with other tensors; None takes one out."""
    found = {**content, **{name.replace("__", "/"): value for name, value in changes.items()}}
    return {name: value for name, value in found.items() if value is not None}


# --- Honest messages ----------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("coding", [{}, {"bits": 8}, {"sparse": True}, {"bits": 1, "sparse": True, "deflate": True}])
def test_what_is_honest_passes_however_it_is_written(kind: str, coding: dict[str, Any]) -> None:
    message = encode(HONEST[kind], **coding, by_row=kind == "prototypes")
    assert len(message) <= EXPECTED.most[kind]
    assert judged(kind, message) is None


@each_kind
def test_a_client_may_send_of_one_modality_alone(kind: str) -> None:
    """A device without a microphone sends no encoder of sound."""
    own = {name: value for name, value in HONEST[kind].items() if "body" not in name or kind == "quality"}
    assert judged(kind, encode(own)) is None


def test_whoever_has_nothing_to_tell_sends_nothing() -> None:
    empty = Moments(np.zeros(0), np.zeros((0, 6)), np.zeros((0, 6, 6)))
    nobody = Summary(
        np.zeros(0, np.int64), np.zeros(0, bool), empty, np.zeros(0, np.int64), np.zeros((1, 65), np.int64)
    )
    assert CHECK.told(NOTHING._replace(summaries={"body": nobody})).tolist() == [FINE]
    assert EXPECTED.received_told(encode_summaries({})) == NOTHING
    assert judged("quality", b"") is None


@pytest.mark.parametrize("bits", [1, 8, 16, 32])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("by_row", [False, True])
def test_a_field_takes_at_most_what_is_reckoned(bits: int, shape: tuple[int, ...], by_row: bool) -> None:
    value = torch.randn(shape)
    for sparse in (False, True):
        message = encode({"w": value}, bits, by_row=by_row, sparse=sparse)
        assert len(message) - 8 <= Field(shape, torch.float32).length("w")


# --- What cannot be read ------------------------------------------------------------------------------------------


@each_kind
def test_what_cannot_be_read_is_refused(kind: str) -> None:
    message = encode(HONEST[kind])
    assert judged(kind, message[:-1]) == Fault.UNREADABLE
    assert judged(kind, message[4:]) == Fault.UNREADABLE
    assert judged(kind, message[:4] + b"\x09" + message[5:]) == Fault.UNREADABLE  # a version to come
    assert judged(kind, b"?") == Fault.UNREADABLE


@each_kind
def test_a_message_longer_than_any_can_be_is_not_even_opened(kind: str) -> None:
    assert judged(kind, encode(HONEST[kind]) + bytes(EXPECTED.most[kind])) == Fault.TOO_LARGE
    assert judged(kind, bytes(EXPECTED.most[kind] + 1)) == Fault.TOO_LARGE
    assert judged(kind, bytes(EXPECTED.most[kind])) == Fault.UNREADABLE


@each_kind
def test_what_inflates_to_more_than_any_can_have_is_not_inflated(kind: str) -> None:
    bomb = encode({"w": torch.zeros(2**20)}, deflate=True)
    sparse = encode({"w": torch.zeros(2**20)}, sparse=True)
    for message in (bomb, sparse):
        assert judged(kind, message) in (Fault.UNREADABLE, Fault.TOO_LARGE)
    assert judged(kind, sparse) == Fault.UNREADABLE  # of a few bytes


# --- What does not belong there -----------------------------------------------------------------------------------

MISFITS: list[tuple[str, State, Fault]] = [
    ("model", with_(MODEL, strange=torch.ones(2)), Fault.NAMES),
    ("model", {**MODEL, FIRST: MODEL[FIRST].T.contiguous().flatten()}, Fault.SHAPES),
    ("model", {**MODEL, FIRST: MODEL[FIRST][:1]}, Fault.SHAPES),
    ("model", {FIRST: MODEL[FIRST].double()}, Fault.SHAPES),
    ("model", {**MODEL, FIRST: MODEL[FIRST].to(torch.int32)}, Fault.SHAPES),
    ("model", {**MODEL, FIRST: torch.tensor(1.0)}, Fault.SHAPES),
    ("model", {**MODEL, FIRST: MODEL[FIRST] * NAN}, Fault.NOT_FINITE),
    ("model", {**MODEL, FIRST: MODEL[FIRST] * 1e3}, Fault.TOO_FAR),
    ("drift", {**MODEL, FIRST: MODEL[FIRST] * 1e3}, Fault.TOO_FAR),
    ("prototypes", SCORES, Fault.NAMES),
    ("prototypes", with_(prototypes(), count__move=None), Fault.NAMES),
    ("prototypes", with_(prototypes(), variance__move=None), Fault.NAMES),
    ("prototypes", {name.replace("move", "sound"): value for name, value in prototypes().items()}, Fault.NAMES),
    ("prototypes", prototypes(classes=4), Fault.SHAPES),
    ("prototypes", prototypes(features=5), Fault.SHAPES),
    ("prototypes", with_(prototypes(), mean__move=torch.ones(3, 4)), Fault.SHAPES),  # of two classes
    ("prototypes", with_(prototypes(), mean__move=torch.ones(4)), Fault.SHAPES),
    ("prototypes", with_(prototypes(), mean__move=torch.tensor(1.0)), Fault.SHAPES),
    ("prototypes", with_(prototypes(), count__move=torch.tensor([4.0, 0, 5])), Fault.SHAPES),
    ("prototypes", with_(prototypes(), count__move=torch.tensor([4, -3, 5], dtype=torch.int32)), Fault.COUNTS),
    ("prototypes", with_(prototypes(), count__move=torch.tensor([16, 0, 5], dtype=torch.int32)), Fault.COUNTS),
    ("prototypes", with_(prototypes(), count__move=torch.tensor([2**31 - 1, 0, 2**31 - 1]).int()), Fault.COUNTS),
    ("prototypes", with_(prototypes(), mean__move=torch.full((2, 4), 51.0)), Fault.TOO_FAR),  # of norm 102
    ("prototypes", with_(prototypes(), variance__move=torch.tensor(1e4 + 1)), Fault.TOO_FAR),
    ("scores", with_(SCORES, count__move=None), Fault.NAMES),
    ("scores", with_(SCORES, count__move=torch.ones(1)), Fault.SHAPES),
    ("scores", with_(SCORES, confidence__move=torch.tensor(5.1)), Fault.COUNTS),
    ("scores", with_(SCORES, count__move=torch.tensor(21.0)), Fault.COUNTS),
    ("quality", with_(quality(), quality__body__good=None), Fault.NAMES),
    ("quality", with_(quality(), quality__body__label=torch.tensor([0], dtype=torch.int32)), Fault.SHAPES),
    ("quality", with_(quality(), quality__body__mean=torch.ones(2, 5)), Fault.SHAPES),
    ("quality", with_(quality(), quality__body__label=torch.tensor(1, dtype=torch.int32)), Fault.SHAPES),
    ("quality", {name: value[:0] if len(value) == 2 else value for name, value in quality().items()}, Fault.SHAPES),
    ("quality", with_(quality(), quality__body__number=torch.tensor([19.0, 2.0])), Fault.COUNTS),
    ("quality", with_(quality(), quality__body__number=torch.tensor([NAN, 2.0])), Fault.NOT_FINITE),
    ("quality", with_(quality(), quality__body__label=torch.tensor([0, 3], dtype=torch.int32)), Fault.COUNTS),
]


@pytest.mark.parametrize(("kind", "content", "wanted"), MISFITS)
def test_what_does_not_belong_there_is_refused(kind: str, content: State, wanted: Fault) -> None:
    assert judged(kind, encode(content)) == wanted


def test_a_class_that_there_is_not_cannot_be_named() -> None:
    """By hand: the rows of a message are those of the classes whose count is above nothing."""
    found = EXPECTED.received_prototypes(encode(with_(prototypes(), mean__move=torch.tensor([[1.0] * 4, [2.0] * 4]))))
    assert found.content["mean/move"][0].tolist() == [[1] * 4, [0] * 4, [2] * 4]


def test_a_number_that_signals_is_read_without_a_word() -> None:
    """Of the numbers that are none, some make numpy warn where they are taken for others."""
    message = encode(quality())
    place = message.index(struct.pack("<2f", 3, 2))
    signalling = message[:place] + bytes.fromhex("0100a07f") + message[place + 4 :]
    assert judged("quality", signalling) == Fault.NOT_FINITE


def test_covariances_are_those_of_samples() -> None:
    """By hand: two statistics with variances 1 and 4 may go together by 2 at most."""
    for together, wanted in ((1.99, None), (2.0, None), (-2.0, None), (2.01, Fault.MOMENTS), (-2.01, Fault.MOMENTS)):
        scatter = np.stack([np.eye(6)] * 2)
        scatter[0, 1, 1], scatter[0, 0, 1], scatter[0, 1, 0] = 4, together, together
        parts = Moments(np.array([1.0, 1.0]), np.zeros((2, 6)), scatter)
        summary = Summary(np.array([0, 1]), np.ones(2, bool), parts, np.zeros(2, np.int64), np.zeros((1, 65), np.int64))
        assert judged("quality", encode_summaries({"body": summary})) == wanted, together


# --- Many clients at once -----------------------------------------------------------------------------------------

NUMBERS = st.sampled_from([0.5, -3.0, 0.0, NAN, math.inf, -math.inf, 1e3, 1e25, -1.0])


@given(
    clients=st.integers(1, 4),
    damage=st.lists(st.tuples(st.integers(0, 3), st.integers(0, len(MODEL) - 1), NUMBERS), max_size=4),
    held=st.integers(0, 99),
    kind=st.sampled_from(["model", "drift"]),
)
def test_many_clients_updates_are_judged_as_their_messages(
    clients: int, damage: list[tuple[int, int, float]], held: int, kind: str
) -> None:
    """What stands in the rows of clients that do not hold a name is looked at by nobody."""
    names, rng = list(MODEL), np.random.default_rng(held)
    content = {n: torch.stack([value] * clients) for n, value in MODEL.items()}
    flags = {n: torch.from_numpy(rng.random(clients) < 0.7) for n in names}
    for client, place, number in damage:
        if client < clients:
            content[names[place]][client].flatten()[-1:] = number
    found = CHECK.changes(kind, uploads(content, flags, Coding()))
    for k in range(clients):
        own = {n: value[k] for n, value in content.items() if flags[n][k]}
        assert fault(int(found[k])) == judged(kind, encode(own))


@given(
    counts=st.lists(st.lists(st.sampled_from([0, 1, 4, 9, 21, -1]), min_size=3, max_size=3), min_size=1, max_size=4),
    numbers=st.lists(NUMBERS, min_size=4, max_size=4),
    variances=st.lists(st.sampled_from([0.0, 1.0, -1.0, NAN, 1e5]), min_size=4, max_size=4),
)
def test_many_clients_prototypes_are_judged_as_their_messages(
    counts: list[list[int]], numbers: list[float], variances: list[float]
) -> None:
    clients = len(counts)
    summary = {
        "mean": {"body": torch.stack([torch.full((3, 4), number) for number in numbers[:clients]])},
        "count": {"body": torch.tensor(counts, dtype=torch.float32)},
        "variance": {"body": torch.tensor(variances[:clients])},
    }
    found = CHECK.prototypes(contributions(summary, 32))
    for k in range(clients):
        packed = proto.pack({what: {m: value[k] for m, value in own.items()} for what, own in summary.items()})
        if packed:
            assert fault(int(found[k])) == judged("prototypes", encode(packed, by_row=True))


@given(
    told=st.lists(
        st.tuples(st.sampled_from([0.0, 2.0, 5.0, -1.0, NAN, math.inf]), st.sampled_from([0.0, 5.0, 21.0, -1.0, NAN])),
        min_size=1,
        max_size=4,
    )
)
def test_many_clients_scores_are_judged_as_their_messages(told: list[tuple[float, float]]) -> None:
    content = {"confidence/body": torch.tensor([c for c, _ in told]), "count/body": torch.tensor([n for _, n in told])}
    found = CHECK.scores(uploads(content, dict.fromkeys(content, torch.ones(len(told), dtype=torch.bool))))
    for k in range(len(told)):
        assert fault(int(found[k])) == judged("scores", encode({name: value[k] for name, value in content.items()}))


@given(
    sets=st.lists(st.integers(1, 2), min_size=1, max_size=4),
    number=st.sampled_from([1.0, 9.0, 11.0, 0.0, NAN, math.inf]),
    mean=st.sampled_from([0.0, 1e6, NAN]),
    scatter=st.sampled_from([1.0, 0.0, -1.0, math.inf]),
    label=st.integers(-2, 3),
    distance=st.sampled_from([0, 3, 21, -1]),
    who=st.integers(0, 3),
)
def test_what_many_clients_tell_is_judged_as_their_messages(
    sets: list[int], number: float, mean: float, scatter: float, label: int, distance: int, who: int
) -> None:
    """One client's first set is damaged, or is not."""
    group = np.repeat(np.arange(len(sets)), sets)
    r, first = len(group), int((group == who % len(sets)).argmax())
    parts = Moments(np.full(r, 2.0), np.zeros((r, 6)), np.stack([np.eye(6)] * r))
    parts.number[first], parts.mean[first, 2], parts.scatter[first, 3, 3] = number, mean, scatter
    summary = Summary(np.zeros(r, np.int64), np.ones(r, bool), parts, group, np.zeros((len(sets), 65), np.int64))
    summary.label[first], summary.distances[who % len(sets), 7] = label, distance
    found = CHECK.told(NOTHING._replace(summaries={"body": summary}, lengths=np.full(len(sets), 9)))
    for k in range(len(sets)):
        message = encode_summaries({"body": summary.of(np.array([k]))})
        assert fault(int(found[k])) == judged("quality", message)
