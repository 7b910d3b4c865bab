"""What nodes and servers do wrong, in one process: they are late, away, killed, or strange."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from grids import FakeGrid, again, begun, bits, grid_of, loop, nodes, served
from meddling import same_tensors
from people import configured, people

from motet.config import Config
from motet.data.dataset import ArrayDataset
from motet.engine.flower import board, deployment, fleet, gather
from motet.engine.flower.board import Board
from motet.engine.flower.cohort import Share
from motet.engine.flower.deployment import Deployment
from motet.engine.flower.gather import Gathering
from motet.engine.flower.hearing import AWAY, BUSY, NO_ANSWER
from motet.engine.flower.letter import Letter
from motet.engine.flower.mail import Mail
from motet.engine.flower.node import Node
from motet.engine.flower.plan import Plan
from motet.errors import Interrupted, MotetError
from motet.record.folder import Memory

CHAIN: dict[str, Any] = {"recipe": "fedmchain", "upload": "topk+memory", "missing_rate": 0.3, "engine": "loop"}
"""A run in which clients keep something from round to round."""
EVER = 1e6
"""A deadline that no test waits for."""
OF_2 = {"2": 1, "3": 1}
"""The clients of the second of two nodes, once each."""


class Held:
    """Holds back what nodes answer to be trained, as long as one says so."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def __call__(self, name: str, letter: Letter) -> Letter | None:
        return None if name in self.names and "account" in letter.header else letter


def test_a_quorum_ends_a_round_and_a_late_answer_is_counted(tmp_path: Path) -> None:
    data, held = people(), Held("node2")
    grid = grid_of(tmp_path / "nodes", data, meddle=held)
    run = begun(tmp_path / "run", configured(), grid, data, deadline=EVER, quorum=0.5)
    line = run.step()
    assert (line.clients, line.refused) == (2, {NO_ANSWER: OF_2})
    assert run.line("node2").state == "late"
    held.names.clear()
    line = run.step()
    assert (line.clients, line.refused) == (2, {BUSY: OF_2})
    assert run.line("node2").late == 1
    never = grid_of(tmp_path / "same", data, meddle=Held("node2"))
    other = begun(tmp_path / "other", configured(), never, data, deadline=EVER, quorum=0.5)
    other.step()
    other.step()
    for kind, tensors in run.state.shared.items():  # the late answer was not used
        assert all(torch.equal(value, other.state.shared[kind][name]) for name, value in tensors.items())


def test_a_deadline_ends_a_round_and_the_node_is_asked_again(tmp_path: Path) -> None:
    data, held = people(), Held("node2")
    run = begun(tmp_path / "run", configured(), grid_of(tmp_path / "nodes", data, meddle=held), data, deadline=1.0)
    line = run.step()
    assert (line.clients, line.refused) == (2, {NO_ANSWER: OF_2})
    held.names.clear()
    line = run.step()
    assert (line.clients, line.refused) == (4, {})
    assert run.line("node2").late == 1


def test_a_round_in_which_nobody_answers_is_asked_for_again(tmp_path: Path) -> None:
    data, held = people(), Held("node1", "node2")
    grid = grid_of(tmp_path / "nodes", data, meddle=held)
    run = begun(tmp_path / "run", configured(), grid, data, deadline=0.5)
    hear, times = run.deployment.fleet._hear, 0

    def counted(*arguments: Any, **how: Any) -> Any:
        nonlocal times
        times += 1
        if times == 3:
            held.names.clear()
        return hear(*arguments, **how)

    run.deployment.fleet._hear = counted  # type: ignore[method-assign]
    assert run.step().clients == 4
    assert times == 3


def test_a_node_that_is_away_is_not_waited_for_and_may_come_back(tmp_path: Path) -> None:
    data = people()
    grid = grid_of(tmp_path / "nodes", data)
    run = begun(tmp_path / "run", configured(), grid, data, deadline=EVER)
    assert run.step().refused == {}
    node = grid.nodes.pop(1)
    line = run.step()
    assert (line.clients, line.refused) == (2, {AWAY: OF_2})
    assert run.line("node2").state == "away"
    grid.add(1, again(node))
    line = run.step()
    assert (line.clients, line.refused) == (4, {})


def test_a_node_that_comes_back_in_a_round_takes_part_in_it(tmp_path: Path) -> None:
    data, config = people(), configured(**CHAIN, rounds=3)
    died = []

    def die_once(name: str, letter: Letter) -> Letter | None:
        if name == "node2" and letter.header.get("round") == 2 and "account" in letter.header and not died:
            died.append(name)
            grid.add(1, again(grid.nodes[1]))
            return None
        return letter

    grid = grid_of(tmp_path / "nodes", data, meddle=die_once)
    there, here = served(tmp_path / "there", config, grid, data), loop(tmp_path / "here", config, data)
    assert died
    assert there.refused == {}
    assert there.tail == here.tail
    assert bits(tmp_path / "there") == bits(tmp_path / "here")


def test_a_node_that_flower_gave_up_may_come_back_in_the_same_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flower answers in its stead that it is gone, before the server has looked who is there."""
    monkeypatch.setattr(fleet, "LOOK_S", 0.2)
    data, gone = people(), list[Node]()

    def go(name: str, letter: Letter) -> Letter | None:
        trained = "account" in letter.header
        if name == "node2" and trained and not gone:
            gone.append(grid.nodes.pop(1))
            return None
        if name == "node1" and trained and 1 not in grid.nodes:
            if run.line("node2").state in ("lost", "away"):
                grid.add(1, again(gone[0]))
            return None
        return None if name == "node1" and trained and run.line("node2").state != "done" else letter

    grid = grid_of(tmp_path / "nodes", data, meddle=go)
    run = begun(tmp_path / "run", configured(), grid, data, deadline=60)
    line = run.step()
    assert (line.clients, line.refused) == (4, {})


def test_other_samples_under_a_known_name_are_refused(tmp_path: Path) -> None:
    data = people()
    grid = grid_of(tmp_path / "nodes", data)
    run = begun(tmp_path / "run", configured(), grid, data, deadline=EVER)
    run.step()
    node = grid.nodes[1]
    node.close()
    grid.add(1, Node("node2", node.folder, lambda config: people(seed=1), node.share))
    line = run.step()
    assert (line.clients, line.refused) == (2, {AWAY: OF_2})
    assert 1 in run.deployment.fleet.strangers


def test_a_name_that_another_node_has_is_refused_until_that_one_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "AGAIN_S", 0.0)
    data = people()
    grid = grid_of(tmp_path / "nodes", data)
    run = begun(tmp_path / "run", configured(), grid, data, deadline=EVER)
    run.step()
    twin = Node("node2", tmp_path / "twin", lambda config: data, Share(2, 2))
    grid.add(7, twin)
    assert run.step().clients == 4
    assert 7 in run.deployment.fleet.strangers
    grid.nodes.pop(1)
    line = run.step()
    assert (line.clients, line.refused) == (4, {})
    assert run.deployment.fleet.names == {0: "node1", 7: "node2"}


def test_two_nodes_of_one_name_are_one_too_many_to_begin_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "AGAIN_S", 0.0)
    data = people()
    grid = grid_of(tmp_path / "nodes", data)
    grid.nodes.pop(1)
    grid.add(5, Node("node1", tmp_path / "twin", lambda config: data, Share(2, 2)))

    def mend(board: Board) -> None:
        if "another node is called 'node1'" in board.why and 5 in grid.nodes:
            grid.nodes.pop(5)
            grid.add(1, Node("node2", tmp_path / "mended", lambda config: data, Share(2, 2)))

    assert gathered(grid, data, configured(), 2, mend) == {"node1", "node2"}


def test_a_stranger_changes_nothing(tmp_path: Path) -> None:
    data, config = people(), configured(rounds=3, engine="loop")
    grid = grid_of(tmp_path / "nodes", data)

    def come(name: str, letter: Letter) -> Letter:
        if letter.header.get("round") == 1 and 9 not in grid.nodes:
            grid.add(9, Node("stranger", tmp_path / "stranger", lambda config: people(seed=3)))
        return letter

    grid.meddle = come
    there = served(tmp_path / "there", config, grid, data)
    here = loop(tmp_path / "here", config, data)
    assert bits(tmp_path / "there") == bits(tmp_path / "here")
    assert there.refused == {}
    assert there.bytes.up_by_kind == here.bytes.up_by_kind


def gathered(grid: FakeGrid, data: ArrayDataset, config: Config, count: int, mend: Any) -> set[str]:
    """Wait for nodes, mending what the board says is wrong, and return their names."""
    shown = Board()
    plan = Plan(run="abcdef012345", nodes=count, deadline=1, quorum=1)
    greeting = deployment._greeting(plan, config, data)
    gathering = Gathering(Mail(grid), greeting, data.modalities, shown, lambda: mend(shown))  # type: ignore[arg-type]
    gathering.wait(count)
    return {own.name for own in gathering.heard.values()}


@pytest.mark.parametrize(
    ("share", "clients", "why"),
    [
        (Share(1, 2), 4, "give every node another --share"),
        (Share(2, 2), 6, "nodes take shares of different data"),
        (None, 4, "give all of them --share, or none"),
    ],
)
def test_shares_must_cover_all_clients_and_each_once(
    tmp_path: Path, share: Share | None, clients: int, why: str
) -> None:
    data, said = people(), list[str]()
    grid = grid_of(tmp_path / "nodes", data)
    grid.nodes.pop(1)
    grid.add(5, Node("node2", tmp_path / "wrong", lambda config: people(clients=clients), share))

    def mend(board: Board) -> None:
        if board.why and 5 in grid.nodes:
            said.append(board.why)
            grid.nodes.pop(5)
            grid.add(1, Node("node2", tmp_path / "mended", lambda config: data, Share(2, 2)))

    assert gathered(grid, data, configured(), 2, mend) == {"node1", "node2"}
    assert why in said[0]


def test_clients_that_live_on_no_node_are_waited_for(tmp_path: Path) -> None:
    data, said = people(), list[str]()
    grid = FakeGrid()
    every = nodes(tmp_path, 4, lambda config: data)
    for number in (0, 1):
        grid.add(number, every[number])

    def mend(board: Board) -> None:
        if "2 of 4 clients live on no node yet" in board.why and len(grid.nodes) == 2:
            said.append(board.why)
            grid.add(2, every[2])
            grid.add(3, every[3])

    assert len(gathered(grid, data, configured(), 2, mend)) == 4
    assert said


def test_a_node_that_lacks_a_modality_moves_no_bit_of_its_encoder(tmp_path: Path) -> None:
    """Nodes with archives of their own; of the first round only the one without `body` is heard."""
    data = people()
    own = [people(clients=2, seed=seed) for seed in (1, 2)] + [people(clients=2, seed=3).only(["move"])]
    grid = FakeGrid(meddle=Held("node1", "node2"))
    for number, each in enumerate(own, start=1):
        grid.add(number, Node(f"node{number}", tmp_path / f"{number}", lambda config, each=each: each))
    run = begun(tmp_path / "run", configured(), grid, data, nodes=3, deadline=1.0)
    before = run.state.shared["model"]
    line = run.step()
    after, blocks = run.state.shared["model"], run.deployment.federation.method.network.blocks
    assert line.clients == 2
    assert line.participation == {"move": 2, "body": 0}
    assert all(torch.equal(before[name], after[name]) for name in blocks["body"])
    assert not all(torch.equal(before[name], after[name]) for name in blocks["move"])
    grid.meddle = lambda name, letter: letter
    assert run.step().clients == 6
    assert not all(torch.equal(after[name], run.state.shared["model"][name]) for name in blocks["body"])


def test_nodes_that_are_started_again_after_every_answer_go_on_from_disk(tmp_path: Path) -> None:
    data, config = people(), configured(**CHAIN, rounds=4)
    due: set[int] = set()

    def restart(name: str, letter: Letter) -> Letter:
        if "account" in letter.header:
            due.add(int(name[-1]) - 1)
        return letter

    class Restarting(FakeGrid):
        def pull_messages(self, message_ids: Any) -> list[Any]:
            found = super().pull_messages(message_ids)
            for number in sorted(due):
                self.add(number, again(self.nodes[number]))
            due.clear()
            return found

    grid = Restarting(meddle=restart)
    for number, node in enumerate(nodes(tmp_path / "nodes", 2, lambda config: data)):
        grid.add(number, node)
    there, here = served(tmp_path / "there", config, grid, data), loop(tmp_path / "here", config, data)
    assert there.tail == here.tail
    assert bits(tmp_path / "there") == bits(tmp_path / "here")


class Killed(Exception):
    """Stands for the end of the server's process."""


@pytest.mark.parametrize("saved", [False, True], ids=["before the round is saved", "after it"])
@pytest.mark.parametrize("nodes_too", [False, True], ids=["alone", "with its nodes"])
def test_a_server_that_is_killed_in_every_round_ends_with_the_same_bits(
    saved: bool, nodes_too: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, config = people(), configured(**CHAIN, rounds=3)
    killed, keep = set[int](), Deployment.keep

    def die(own: Deployment, into: Any, line: Any, state: Any) -> None:
        if saved or isinstance(into, Memory):
            keep(own, into, line, state)
        if line.round not in killed:
            killed.add(line.round)
            raise Killed
        if not saved:
            keep(own, into, line, state)

    monkeypatch.setattr(Deployment, "keep", die)
    grid = grid_of(tmp_path / "nodes", data)
    there = None
    while there is None:
        try:
            there = served(tmp_path / "there", config, grid, data)
        except Killed:
            for number, node in list(grid.nodes.items()) if nodes_too else ():
                grid.add(number, again(node))
    assert killed == {1, 2, 3}
    here = loop(tmp_path / "here", config, data)
    assert there.tail == here.tail
    assert bits(tmp_path / "there") == bits(tmp_path / "here")
    assert [line.round for line in there.history] == [1, 2, 3]
    assert [line.bytes_up for line in there.history] == [line.bytes_up for line in here.history]


def test_a_server_s_process_that_is_told_to_end_has_not_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower ends it when the SuperLink was killed; the run is then submitted again, and must not seem to be over."""

    def end(*_: object) -> None:
        raise Interrupted("stopped")

    monkeypatch.setattr(Deployment, "go", end)
    data = people()
    with pytest.raises(Interrupted):
        served(tmp_path / "run", configured(), grid_of(tmp_path / "nodes", data), data)
    found = board.read(tmp_path / "run")
    assert found is not None
    assert found.state == "running"


def test_the_same_question_has_the_same_answer(tmp_path: Path) -> None:
    data, config = people(), configured(**CHAIN, rounds=2)
    grid = grid_of(tmp_path / "nodes", data, count=1)
    served(tmp_path / "run", config, grid, data, nodes=1)
    asked = {letter.header["kind"]: letter for way, letter in grid.carried if way == "down"}
    answered = [letter for way, letter in grid.carried if way == "up"][-1]
    node = grid.nodes[0]
    assert node.answer(asked["train"]).messages == answered.messages
    fresh = again(node)
    for kind in ("greet", "begin"):
        assert fresh.answer(asked[kind]).error is None
    assert dict(fresh.answer(asked["train"]).messages) == dict(answered.messages)


def test_what_came_of_an_answer_that_was_refused_is_left_aside(tmp_path: Path) -> None:
    """A client whose update the gate refuses goes on from what it kept before, as in the loop."""
    data = people()
    config = configured(recipe="scaffold", optimizer="sgd", momentum=0.0, norm_bound=0.08, rounds=6, engine="loop")
    there = served(tmp_path / "there", config, grid_of(tmp_path / "nodes", data), data)
    here = loop(tmp_path / "here", config, data)
    assert there.refused
    assert there.refused == here.refused
    assert bits(tmp_path / "there") == bits(tmp_path / "here")


def test_what_came_of_an_answer_that_was_late_is_left_aside(tmp_path: Path) -> None:
    """The clients of a node that was late end the next round as if they had slept through the one before."""
    data, states = people(), []
    for name in ("late", "away"):
        held = Held("node2")
        grid = grid_of(tmp_path / name, data, meddle=held)
        run = begun(tmp_path / f"run-{name}", configured(**CHAIN), grid, data, deadline=1.0 if name == "late" else EVER)
        node = grid.nodes[1]
        if name == "away":
            run.deployment.fleet.started = True  # so that it is not waited for
            del grid.nodes[1]
        assert run.step().clients == 2
        held.names.clear()
        grid.nodes[1] = node
        assert run.step().clients == 4
        assert run.line("node2").late == (name == "late")
        states.append(run.state.to_checkpoint()[0])
    late, away = ({n: value for n, value in own.items() if n.startswith("shared/")} for own in states)
    assert same_tensors(late, away)


def test_a_run_that_diverges_ends(tmp_path: Path) -> None:
    data = people()
    run = begun(tmp_path / "run", configured(lr=1e30, rounds=3), grid_of(tmp_path / "nodes", data), data)
    with pytest.raises(MotetError, match=r"no node could train in round 1; node.*lower --lr"):
        run.step()
