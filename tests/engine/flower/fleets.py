"""Fleets of real processes on this machine, over TLS with keys, and ways to hurt them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'flower' is not installed")

from people import people
from typer.testing import CliRunner

from motet.cli.main import app
from motet.data.archive import save
from motet.engine.flower.board import Board, read
from motet.engine.flower.processes import descendants, end, free_port, started
from motet.engine.runs import load_result
from motet.record import checkpoint
from motet.record.result import Round

MOTET = (sys.executable, "-m", "motet")
SMALL = ("--features", "4", "--batch-size", "8", "--lr", "0.05", "--threads", "1", "--engine", "loop")
"""Options of a small run."""
PATIENCE_S = 240.0
"""For anything to happen, on a machine that is busy."""
UNDER_WAY_S = 2.0
"""For an answer that was sent to show on the board."""


def until(happens: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait until something has happened."""
    last = time.monotonic() + within_s
    while not happens():
        assert time.monotonic() < last, f"in vain for {within_s:g} s: {what}"
        time.sleep(0.1)


def archive(folder: Path, clients: int = 4) -> Path:
    """Write samples of some people to a file."""
    path = folder / "people.npz"
    save(people(clients=clients), path)
    return path


class Command:
    """A command of Motet's, as a process.

    Parameters
    ----------
    folder : Path
        Where it runs; gets what it says on standard output and error.
    """

    def __init__(self, folder: Path, *arguments: object, settings: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.said = folder / f"said{len(list(folder.glob('said*')))}"
        with open(self.said, "wb") as out:
            self.process = subprocess.Popen(
                [*MOTET, *map(str, arguments)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1", **(settings or {})},
            )

    @property
    def family(self) -> list[int]:
        """Return its process and all that it has started."""
        return [self.process.pid, *descendants(self.process.pid)]

    def ended(self, within_s: float = PATIENCE_S) -> int:
        """Wait for its end, and return its exit status."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.said.read_text()) from None

    def kill(self) -> None:
        """Kill it and all that it has started, at once, as if there were no more power."""
        for pid in self.family:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(30)

    def kill_alone(self) -> None:
        """Kill its process, and wait until what it had started has noticed."""
        family = started(self.family)
        self.process.kill()
        self.process.wait(30)
        until(lambda: not set(started(pid for pid, _ in family)) & set(family), "what was killed leaves nothing")

    def child(self, words: str) -> int:
        """Return the process among those that it has started whose command holds these words."""
        found = [pid for pid in self.family if words in command_of(pid)]
        assert len(found) == 1, [command_of(pid) for pid in self.family]
        return found[0]

    def stop(self) -> None:
        """End it, and all that it has started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            end(self.process.pid, 20)
            self.process.wait(30)


def command_of(pid: int) -> str:
    """Return the command line of a process; nothing where it has ended."""
    done = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


class Run:
    """A run that is served, and its nodes; `fleet` starts one.

    Attributes
    ----------
    folder : Path
        Of the run.
    server : Command
    nodes : dict of str to Command
    """

    def __init__(self, here: Path) -> None:
        self.here, self.folder, self.keys, self.port = here, here / "run", here / "keys", free_port()
        self.server: Command
        self.nodes: dict[str, Command] = {}
        self.others: list[Command] = []

    def serve(self, data: Path, nodes: int, *options: object, others: tuple[str, ...] = ()) -> None:
        """Make keys for the nodes, and for others, and start the server."""
        self.data, self.count = data, nodes
        named = [word for name in (*self.names(), *others) for word in ("--node", name)]
        assert Command(self.here / "keygen", "keys", self.keys, *named).ended() == 0
        where = ("--port", self.port, "--keys", self.keys, "--nodes", nodes, "--out", self.folder, "--quiet")
        self.server = Command(self.here / "server", "serve", "--data", data, *SMALL, *options, *where)

    def names(self) -> list[str]:
        """Return the names of the nodes."""
        return [f"node{n}" for n in range(1, self.count + 1)]

    def join_all(self) -> None:
        """Start the nodes."""
        for name in self.names():
            self.join(name)

    def join(self, name: str) -> None:
        """Start a node with its share, or start it again."""
        share = f"{name.removeprefix('node')}/{self.count}"
        kept = self.here / name / "kept"
        self.nodes[name] = self.join_with(name, share, self.keys / "ca.crt", self.keys / f"{name}.key", kept)

    def join_with(self, name: str, share: str, ca: Path, key: Path | None, kept: Path, **settings: str) -> Command:
        """Start a node of any kind."""
        options = ["--data", self.data, "--share", share, "--ca", ca, "--folder", kept, "--name", name]
        options += [] if key is None else ["--key", key]
        self.others.append(Command(self.here / name, "join", f"127.0.0.1:{self.port}", *options, settings=settings))
        return self.others[-1]

    def resume(self) -> None:
        """Go on with the run."""
        self.server = Command(self.here / "server", "resume", self.folder, "--quiet")

    @property
    def board(self) -> Board:
        """What is going on."""
        return read(self.folder) or Board()

    def state(self, name: str) -> str:
        """Return what a node is doing."""
        line = self.board.nodes.get(name)
        return "" if line is None else line.state

    def in_round(self, number: int, *names: str) -> bool:
        """Return whether these nodes are at work in a round."""
        board = self.board
        return board.round == number - 1 and all(
            name in board.nodes and board.nodes[name].state == "at work" for name in names
        )

    def wait_for_round(self, number: int, *names: str) -> None:
        """Wait until nodes are at work in a round."""
        until(lambda: self.in_round(number, *names), f"{names} at work in round {number}; {self.board}")

    def heard_after(self, number: int, *names: str) -> bool:
        """Return whether nodes have answered in a round after this one."""
        nodes = self.board.nodes
        return all(name in nodes and nodes[name].state == "done" and nodes[name].round > number for name in names)

    def lose_round(
        self, number: int, deadline: float, killers: Mapping[str, Callable[[Command], None]]
    ) -> tuple[int, int]:
        """Kill nodes at work in a round, the one asked for or one soon after; see it end in time, and start them again.

        Returns
        -------
        tuple of int
            That round, and one in which they take part again.
        """
        while not self._caught_in(number, *killers):
            number = max(number, self.board.round) + 1
        for name, kill in killers.items():
            kill(self.nodes[name])
        for name in killers:
            self.join(name)
        until(lambda: self.board.round >= number, f"round {number} ends by its deadline", deadline + 30)
        until(lambda: self.heard_after(number, *killers), f"{set(killers)} take part again; {self.board}")
        return number, max(self.board.nodes[name].round for name in killers)

    def _caught_in(self, number: int, *names: str) -> bool:
        """Halt nodes that are at work in a round; if one had answered already, all go on."""
        self.wait_for_round(number, *names)
        for name in names:
            self.nodes[name].process.send_signal(signal.SIGSTOP)
        time.sleep(UNDER_WAY_S)
        if self.in_round(number, *names):
            return True
        for name in names:
            self.nodes[name].process.send_signal(signal.SIGCONT)
        return False

    def history(self) -> list[Round]:
        """Return the rounds that are over."""
        path = self.folder / "history.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [Round.model_validate_json(line) for line in lines if line.endswith("\n")]

    def stop(self) -> None:
        """End all processes."""
        for command in (*self.others, self.server):
            command.stop()


@contextmanager
def served(here: Path) -> Iterator[Run]:
    """Make room for a run; in the end its processes are ended."""
    run = Run(here)
    try:
        yield run
    finally:
        run.stop()


def motet(*arguments: object) -> None:
    """Run a command in this process."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def shared(folder: Path) -> dict[str, bytes]:
    """Return the parameters, and all else that the server shares, at the end of a run."""
    tensors, _ = checkpoint.load(checkpoint.found(folder)[0])
    return {name: value.numpy().tobytes() for name, value in tensors.items() if name.startswith("shared/")}


def check_same(there: Path, here: Path, rounds: int) -> None:
    """Fail unless a run over a network ended with the bits and the figures of the loop."""
    one, other = load_result(there), load_result(here)
    assert shared(there) == shared(here)
    assert one.tail == other.tail
    assert one.bytes.up_by_kind == other.bytes.up_by_kind
    assert [line.round for line in one.history] == list(range(1, rounds + 1))
    assert [line.clients for line in one.history] == [line.clients for line in other.history]
    assert not one.refused
