"""Nodes that answer rubbish: no answer stops the server; what is wrong is left out, named, and moves nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import DAMAGE
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from grids import FakeGrid, Stepped, begun, grid_of
from meddling import EVERYTHING, same_tensors
from people import configured, people

from motet.data.dataset import ArrayDataset
from motet.engine.flower import deployment
from motet.engine.flower.hearing import FAILED
from motet.engine.flower.letter import Letter
from motet.engine.flower.plan import Plan
from motet.engine.flower.records import BYTES, HEADER, MESSAGES
from motet.engine.flower.roster import Greeting, missing
from motet.engine.interrupt import Stop
from motet.engine.outcome import Outcome
from motet.engine.state import Broadcast
from motet.errors import MotetError
from motet.wire.fault import Fault
from motet.wire.message import decode, encode

HONEST, OTHERS = {0, 1}, {2, 3}
"""Clients of the node that is honest, and of the other."""

JUNK: list[Any] = [
    None, True, -1, 0, 1, 2**53 + 1, 10**400, 1.5, float("nan"), float("inf"), -1e308, "", "x", "\ud800", "a\nb\x1b[2J",
    "x" * 5000, [], {}, [[]], [None], [1, "x"], {"": None}, [0] * 50, "NaN", [float("inf")] * 2, [[0, 0, 0, 2**62]],
]  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where in JSON values there is anything."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, own in inside:
        yield (*at, key)
        yield from places(own, (*at, key))


def changed(header: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Put something else in one place of a header, leave it out, or add to it."""
    header = copy.deepcopy(header)
    found = list(places(header))
    depths = {len(at) for at in found}
    wanted = rng.choice(sorted(depths))  # or else it would nearly always be a number deep in a list
    *way, last = [at for at in found if len(at) == wanted][int(rng.integers(sum(len(at) == wanted for at in found)))]
    inner: Any = header
    for key in way:
        inner = inner[key]
    match int(rng.integers(6)):
        case 0:
            del inner[last]
        case 1 if isinstance(inner, list):
            inner.append(copy.deepcopy(inner[last]))
        case 1:
            inner["more"] = inner[last]
        case _:
            inner[last] = copy.deepcopy(JUNK[rng.integers(len(JUNK))])
    return header


def torn(letter: Letter, rng: np.random.Generator) -> RecordDict:
    """Damage what a letter is written as: its text, its bytes, or the records that Flower carries."""
    header, body = letter.head(), letter.body()
    text = bytearray(header.encode())
    match int(rng.integers(5)):
        case 0:
            for place in rng.integers(0, len(text), rng.integers(1, 5)):
                text[place] = int(rng.integers(256))
        case 1:
            text = text[: rng.integers(len(text))]
        case 2:
            body = body[: rng.integers(len(body) + 1)] if rng.random() < 0.5 else body + rng.bytes(7)
        case 3:
            text = bytearray(b"[" * int(rng.integers(1, 100_000)))
        case _:
            changes = {"protocol": JUNK[rng.integers(len(JUNK))], "lengths": JUNK[rng.integers(len(JUNK))]}
            text = bytearray(json.dumps({**json.loads(header), **changes}).encode())
    array = Array(dtype="uint8", shape=(len(body),), stype=BYTES if rng.random() < 0.9 else "x", data=body)
    records = RecordDict(
        {HEADER: ConfigRecord({HEADER: text.decode(errors="replace")}), MESSAGES: ArrayRecord({MESSAGES: array})}
    )
    if rng.random() < 0.1:
        del records[(HEADER, MESSAGES)[rng.integers(2)]]
    return records


def spoilt(letter: Letter, rng: np.random.Generator) -> Letter:
    """Damage a message, leave it out, or call it otherwise."""
    messages = dict(letter.messages)
    name = list(messages)[rng.integers(len(messages))]
    match int(rng.integers(8)):
        case 0:
            del messages[name]
        case 1:
            messages[str(rng.choice(["0/model", "3/x", "", "model", "2/modelx", "99/model"]))] = messages.pop(name)
        case _:
            messages[name] = DAMAGE[rng.integers(len(DAMAGE))](messages[name], rng)
    return letter._replace(messages=messages)


class Again:
    """Yields what clients have left before, of some of them."""

    def __init__(self, outcomes: list[Outcome], clients: set[int]) -> None:
        self.outcomes = [own for own in outcomes if own.clients[0] in clients]

    def train(self, *_: object) -> Iterator[Outcome]:
        """Yield outcomes in client order."""
        yield from self.outcomes


@dataclass
class Scene:
    """A server that carries out its first round over and over; somebody meddles with what one of two nodes answers."""

    grid: FakeGrid
    run: Stepped
    outcomes: list[Outcome]

    @classmethod
    def of(cls, folder: Path, data: ArrayDataset, **settings: Any) -> Scene:
        grid = grid_of(folder / "nodes", data)
        run = begun(folder / "run", configured(**settings), grid, data, deadline=600)
        broadcast: Broadcast = run.deployment.server.broadcast(run.state)
        outcomes = list(run.deployment.fleet.train(1, [0, 1, 2, 3], broadcast, {}))
        assert [own.clients for own in outcomes] == [[0], [1], [2], [3]]
        return cls(grid, run, outcomes)

    def round(self, meddle: Callable[[Letter], Any]) -> tuple[dict[str, Any], dict[str, set[str]]]:
        """Carry out the round with answers of the second node that were meddled with; return state and who is out."""
        self.grid.meddle = lambda name, own: meddle(own) if name == "node2" and "account" in own.header else own
        after, line = self.run.look()
        line.model_dump_json()
        self.run.deployment.fleet.board.model_dump_json()
        assert all(len(reason) <= 400 for reason in line.refused)
        return after.to_checkpoint()[0], {why: set(own) for why, own in line.refused.items()}

    def without(self, lost: set[int]) -> dict[str, Any]:
        """Return the state after the round if some clients had taken no part."""
        deployment = self.run.deployment
        whole, deployment.trainer = deployment.trainer, Again(self.outcomes, (HONEST | OTHERS) - lost)
        try:
            return deployment.step(self.run.state, Stop())[0].to_checkpoint()[0]
        finally:
            deployment.trainer = whole


def fuzz(scene: Scene, damage: Callable[[Letter, np.random.Generator], Any], count: int, seed: int) -> int:
    """Damage so many answers, and return how many were refused, in part or as a whole."""
    rng = np.random.default_rng(seed)
    without = scene.without(OTHERS)
    refused = 0
    for _ in range(count):
        after, lost = scene.round(lambda letter: damage(letter, rng))
        clients = {int(k) for own in lost.values() for k in own}
        assert clients <= OTHERS
        refused += bool(clients)
        if clients == OTHERS:
            assert same_tensors(after, without)
        assert all(bool(value.isfinite().all()) for value in after.values() if value.is_floating_point())
    return refused


@pytest.mark.parametrize("count", [30, pytest.param(600, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
@pytest.mark.parametrize("recipe", ["everything", "t-fedavg"])
def test_damaged_answers_change_nothing(recipe: str, count: int, tmp_path: Path) -> None:
    settings = EVERYTHING if recipe == "everything" else {"recipe": "t-fedavg"}
    scene = Scene.of(tmp_path, people(), **settings)
    assert fuzz(scene, lambda letter, rng: letter._replace(header=changed(letter.header, rng)), count, 0) > count / 5
    assert fuzz(scene, torn, count // 2, 1) > count / 3
    assert fuzz(scene, spoilt, count, 2) > count / 2


WRONG: dict[str, tuple[Callable[[Letter], Letter], str]] = {
    "of another round": (
        lambda own: own._replace(header={**own.header, "round": 2}),
        "it has answered another question",
    ),
    "of another client": (
        lambda own: own._replace(header={**own.header, "clients": [0, 1]}),
        "it has answered another question",
    ),
    "with another's messages": (
        lambda own: own._replace(messages={**own.messages, "0/model": own.messages["2/model"]}),
        "it has sent messages of clients, or of a kind, that it was not asked for",
    ),
    "of more samples than it has": (
        lambda own: own._replace(header={**own.header, "account": {**own.header["account"], "samples": [18, 19]}}),
        "what it tells for the record makes no sense",
    ),
    "of one client alone": (lambda own: own._replace(header={**own.header, "clients": [2]}), "another question"),
    "an error of any length": (lambda own: Letter({"error": "\ud800 \n" * 10**6}), "\N{REPLACEMENT CHARACTER}"),
}


def test_answers_that_are_another_s(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, people(), recipe="fedavg")
    expected = scene.without(OTHERS)
    for what, (meddle, why) in WRONG.items():
        after, lost = scene.round(meddle)
        assert lost == {FAILED: {"2", "3"}}, what
        assert why in scene.run.line("node2").why, what
        assert same_tensors(after, expected), what
    after, lost = scene.round(lambda letter: letter)
    assert not lost
    assert same_tensors(after, scene.without(set()))


def test_an_answer_that_comes_twice_counts_once(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, people(), recipe="fedavg")
    pull = scene.grid.pull_messages
    scene.grid.pull_messages = lambda numbers: [m for m in pull(numbers) for _ in range(2)]  # type: ignore[method-assign]
    after, lost = scene.round(lambda letter: letter)
    assert not lost
    assert same_tensors(after, scene.without(set()))


def test_damaged_greetings_are_refused_or_make_sense(tmp_path: Path) -> None:
    data, rng = people(), np.random.default_rng(0)
    config = configured()
    greeting = deployment._greeting(Plan(run="abcdef012345", nodes=2, deadline=1, quorum=1), config, data)
    asked = greeting._replace(header={**greeting.header, "sums": True})
    first, second = (node.answer(asked) for node in grid_of(tmp_path, data).nodes.values())
    other, refused = Greeting(first, data.modalities), 0
    for _ in range(400):
        letter = second._replace(header=changed(second.header, rng)) if rng.random() < 0.8 else spoilt(second, rng)
        try:
            found = Greeting(letter, data.modalities)
            if missing([other, found]) is not None:
                refused += 1
                continue
            roster = deployment._enter([other, found], data, config.clients)
        except MotetError:
            refused += 1
            continue
        deployment.Roster.model_validate_json(roster.model_dump_json())
    assert refused > 200


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "\ud800", "x" * 201, 7])
def test_names_that_cannot_be_shown_are_refused(name: Any, tmp_path: Path) -> None:
    data = people()
    greeting = deployment._greeting(Plan(run="abcdef012345", nodes=1, deadline=1, quorum=1), configured(), data)
    answered = grid_of(tmp_path, data).nodes[0].answer(greeting)
    assert Greeting(answered, data.modalities).name == "node1"
    with pytest.raises(MotetError, match="makes no sense"):
        Greeting(answered._replace(header={**answered.header, "name": name}), data.modalities)


def test_a_ternary_matrix_of_another_shape_is_refused(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, people(), recipe="t-fedavg")
    matrix = next(iter(scene.run.deployment.federation.method.ternary.scales))

    def reshape(letter: Letter) -> Letter:
        content = decode(letter.messages["2/model"])
        content[matrix] = content[matrix].reshape(-1)
        return letter._replace(messages={**letter.messages, "2/model": encode(content)})

    after, lost = scene.round(reshape)
    assert lost == {Fault.SHAPES: {"2"}}
    assert same_tensors(after, scene.without({2}))


def test_a_node_whose_greeting_is_damaged_is_left_out(tmp_path: Path) -> None:
    scene = Scene.of(tmp_path, people(), recipe="fedavg")
    rng, node, without = np.random.default_rng(1), scene.grid.nodes[1], scene.without(OTHERS)

    def meddle(name: str, letter: Letter) -> Letter | RecordDict:
        if name != "node2" or "origin" not in letter.header:
            return letter
        junk = letter._replace(header={**letter.header, "of": JUNK[rng.integers(len(JUNK))]})
        return torn(letter, rng) if rng.random() < 0.5 else junk

    scene.grid.meddle = meddle
    refused = 0
    for _ in range(40):
        scene.grid.add(1, node)
        after, line = scene.run.look()
        if line.clients == 2:
            refused += 1
            assert same_tensors(after.to_checkpoint()[0], without)
    assert refused > 30
