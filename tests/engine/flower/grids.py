"""Flower's grid without processes: nodes that answer in this one, and faults on demand."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flwr", reason="the extra 'flower' is not installed")

from flwr.app import Error, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from motet.config import Config
from motet.data.dataset import ArrayDataset, Dataset
from motet.engine.flower.board import NodeLine
from motet.engine.flower.cohort import Share
from motet.engine.flower.deployment import Deployment, carry_out
from motet.engine.flower.letter import Letter
from motet.engine.flower.mail import Mail
from motet.engine.flower.node import Node
from motet.engine.flower.plan import Plan
from motet.engine.flower.records import from_records, to_records
from motet.engine.interrupt import Stop
from motet.engine.run import run
from motet.engine.state import ServerState
from motet.errors import MotetError
from motet.record import checkpoint
from motet.record.folder import RunFolder
from motet.record.result import Result, Round

TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1

Meddle = Callable[[str, Letter], "Letter | RecordDict | None"]
"""From a node's name and its answer to what comes of it; None: nothing, as long as it is asked."""


@dataclass
class Info:
    """What Flower tells of a node."""

    node_id: int
    last_activated_at: str


@dataclass
class FakeGrid:
    """A grid whose nodes answer when they are asked for answers.

    Attributes
    ----------
    nodes : dict of int to Node
        Those that are online.
    meddle : function
    carried : list of (str, Letter)
        All letters that were sent down or came up: ``down`` or ``up``, and the letter.
    """

    nodes: dict[int, Node] = field(default_factory=dict)
    meddle: Meddle = lambda name, letter: letter
    carried: list[tuple[str, Letter]] = field(default_factory=list)
    came: dict[int, str] = field(default_factory=dict)
    waiting: dict[str, Message] = field(default_factory=dict)
    numbers: Any = field(default_factory=itertools.count)

    def add(self, node_id: int, node: Node) -> None:
        """Let a node come, or come again."""
        self.nodes[node_id] = node
        self.came[node_id] = datetime.fromtimestamp(time.time() + next(self.numbers), UTC).isoformat()

    def get_nodes(self) -> list[Info]:
        """Return who is online."""
        return [Info(number, self.came[number]) for number in self.nodes]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Take messages."""
        found = []
        for message in messages:
            number = f"m{next(self.numbers)}"
            message.metadata.__dict__["_message_id"] = number
            self.waiting[number] = message
            self.carried.append(("down", from_records(message.content)))
            found.append(number)
        return found

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the answers that there are."""
        found = []
        for number in message_ids:
            message = self.waiting.get(number)
            if message is None:
                continue
            node = self.nodes.get(message.metadata.dst_node_id)
            if node is None:
                del self.waiting[number]
                found.append(Message(Error(code=3, reason="Node Unavailable"), reply_to=message))
                continue
            answer = self.meddle(node.name, node.answer(from_records(message.content)))
            if answer is not None:
                del self.waiting[number]
                records = to_records(answer) if isinstance(answer, Letter) else answer
                if isinstance(answer, Letter):
                    self.carried.append(("up", answer))
                found.append(Message(records, reply_to=message))
        return found


def nodes(
    folder: Path, count: int, data: Callable[[Config], Dataset], shares: bool = True, names: str = "node"
) -> list[Node]:
    """Make nodes that share a dataset."""
    return [
        Node(f"{names}{n}", folder / f"{names}{n}", data, Share(n, count) if shares else None)
        for n in range(1, count + 1)
    ]


def served(
    folder: Path,
    config: Config,
    grid: FakeGrid,
    data: ArrayDataset,
    nodes: int = 2,
    deadline: float = 30,
    quorum: float = 1,
) -> Result:
    """Serve a run to the nodes of a grid."""
    if not folder.exists():
        RunFolder.create(folder, config.flat()).close()
        Plan(run="abcdef012345", nodes=nodes, deadline=deadline, quorum=quorum).write(folder)
    return carry_out(Mail(grid), folder, data)  # type: ignore[arg-type]


def bits(folder: Path) -> dict[str, bytes]:
    """Return the shared state at the end."""
    tensors, _ = checkpoint.load(checkpoint.found(folder)[0])
    return {name: value.numpy().tobytes() for name, value in tensors.items() if name.startswith(("shared/", "memory/"))}


def begun(folder: Path, config: Config, grid: FakeGrid, data: ArrayDataset, **patience: Any) -> Stepped:
    """Serve a run, but for its rounds."""
    found: list[Stepped] = []

    def hold(deployment: Deployment, state: ServerState, keep: object) -> None:
        found.append(Stepped(deployment, state))
        raise MotetError("held back")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deployment, "go", hold)
        with pytest.raises(MotetError, match="held back"):
            served(folder, config, grid, data, **patience)
    return found[0]


@dataclass
class Stepped:
    """A server that carries out a round when it is told to."""

    deployment: Deployment
    state: ServerState

    def look(self) -> tuple[ServerState, Round]:
        """Carry out the next round, and return what would come of it."""
        return self.deployment.step(self.state, Stop())

    def step(self) -> Round:
        """Carry out the next round."""
        self.state, line = self.look()
        return line

    def line(self, name: str) -> NodeLine:
        """Return a node's line on the board."""
        return self.deployment.fleet.board.nodes[name]


def again(node: Node) -> Node:
    """Return a node as it is after its process was killed and started again."""
    node.close()
    return Node(node.name, node.folder, node.data, node.share)


def loop(folder: Path, config: Config, data: ArrayDataset) -> Result:
    """Carry out the same run here."""
    opened = RunFolder.create(folder, config.flat())
    result = run(config, data, opened).result
    opened.close()
    return result


def grid_of(folder: Path, data: ArrayDataset, count: int = 2, **changes: Any) -> FakeGrid:
    grid = FakeGrid(**changes)
    for number, node in enumerate(nodes(folder, count, lambda config: data)):
        grid.add(number, node)
    return grid
