"""Servers and nodes are killed, hang, or may not take part: the run goes on, and what was done is kept."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from fleets import SMALL, Command, archive, check_same, served, until

from motet.engine.flower.hearing import NO_ANSWER
from motet.engine.flower.keys import make_certificates, make_node_key
from motet.engine.runs import load_result
from motet.record.result import Round

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHAIN = ("--recipe", "fedmchain", "--upload", "topk+memory", "--missing-rate", "0.3")
"""A run in which clients keep something from round to round."""
FOREIGN = "import motet.engine.flower.letter as letter\nletter.PROTOCOL += 1\n"
"""A node of another version, as Python's start-up hook."""


def unbroken(folder: Path, data: Path, *options: object) -> Path:
    """Carry out a run that nobody disturbs."""
    out = folder / "whole"
    assert Command(folder / "loop", "run", "--data", data, *SMALL, *options, "--out", out, "--quiet").ended() == 0
    return out


def unheard(line: Round) -> set[str]:
    """Return the clients that were asked in a round and not heard."""
    return {k for own in line.refused.values() for k in own}


def test_nodes_are_killed_and_come_back(tmp_path: Path) -> None:
    """One without power; then two, of one of which the process that trains alone."""
    data, deadline = archive(tmp_path), 40
    with served(tmp_path) as run:
        run.serve(data, 4, "--recipe", "fedavg", "--rounds", 14, "--deadline", deadline)
        run.join_all()
        one, again = run.lose_round(2, deadline, {"node1": Command.kill})
        two, _ = run.lose_round(again + 1, deadline, {"node2": Command.kill, "node3": Command.kill_alone})
        assert run.server.ended() == 0, run.server.said.read_text()
    result = load_result(run.folder)
    assert [line.round for line in result.history] == list(range(1, 15))
    assert all(line.clients == 4 - len(unheard(line)) > 0 for line in result.history)
    assert "0" in unheard(result.history[one - 1])
    assert {"1", "2"} <= unheard(result.history[two - 1])
    assert {NO_ANSWER} <= result.refused.keys()


def test_the_server_is_killed_three_times(tmp_path: Path) -> None:
    data, options = archive(tmp_path), (*CHAIN, "--rounds", 8)
    with served(tmp_path) as run:
        run.serve(data, 2, *options)
        run.join_all()
        whole = unbroken(tmp_path, data, *options)
        run.wait_for_round(2, "node1", "node2")
        os.kill(run.server.child("flwr-serverapp"), signal.SIGKILL)
        run.wait_for_round(4, "node1", "node2")
        os.kill(run.server.child("flower.child superlink"), signal.SIGKILL)
        run.wait_for_round(6, "node1", "node2")
        run.server.kill_alone()
        run.resume()
        assert run.server.ended(400) == 0, run.server.said.read_text()
    check_same(run.folder, whole, 8)


def test_everything_is_killed_at_once(tmp_path: Path) -> None:
    data, options = archive(tmp_path), (*CHAIN, "--rounds", 4)
    with served(tmp_path) as run:
        run.server = Command(
            tmp_path / "server", "fleet", "--nodes", 2, "--data", data, *SMALL, *options, "--out", run.folder, "--quiet"
        )
        whole = unbroken(tmp_path, data, *options)
        run.wait_for_round(3, "node1", "node2")
        run.server.kill()
        run.resume()
        assert run.server.ended(400) == 0, run.server.said.read_text()
    check_same(run.folder, whole, 4)
    kept = [list((run.folder / "nodes" / name).glob("*/checkpoint-*")) for name in ("node1", "node2")]
    assert all(kept)


def test_who_may_not_take_part_is_told_why(tmp_path: Path) -> None:
    data, options = archive(tmp_path), ("--recipe", "fedavg", "--rounds", 2)
    others = make_certificates(tmp_path / "others")
    stranger = make_node_key(tmp_path / "others", "stranger")
    with served(tmp_path) as run:
        run.serve(data, 2, *options, others=("foreign",))
        whole = unbroken(tmp_path, data, *options)
        until(lambda: run.board.expected, "the server waits for nodes")
        ca, key = run.keys / "ca.crt", run.keys / "node1.key"
        refused = {
            "give this one its key": run.join_with("keyless", "1/2", ca, None, tmp_path / "a"),
            "does not know the key": run.join_with("unknown", "1/2", ca, stranger.private, tmp_path / "b"),
            "no certificate for this address": run.join_with("mistaken", "1/2", others.ca, key, tmp_path / "c"),
        }
        for sentence, command in refused.items():
            assert command.ended() == 2, command.said.read_text()
            said = [line for line in command.said.read_text().splitlines() if line.startswith("motet: ")]
            assert len(said) == 1
            assert sentence in said[0]
            assert "Traceback" not in command.said.read_text()
        (tmp_path / "hook").mkdir()
        (tmp_path / "hook" / "sitecustomize.py").write_text(FOREIGN)
        hooked = os.pathsep.join([str(tmp_path / "hook"), os.environ.get("PYTHONPATH", "")])
        run.join_with("foreign", "1/2", ca, run.keys / "foreign.key", tmp_path / "d", PYTHONPATH=hooked)
        log = run.folder / "server.log"
        until(lambda: "protocol 2 is not spoken here (this is 1)" in log.read_text(), "the foreign node is refused")
        assert "protocol 2 is not spoken here" in run.board.why
        run.join_all()
        assert run.server.ended() == 0, run.server.said.read_text()
    check_same(run.folder, whole, 2)


def test_a_node_hangs_for_a_while(tmp_path: Path) -> None:
    data, deadline = archive(tmp_path), 30
    with served(tmp_path) as run:
        run.serve(data, 2, "--recipe", "fedavg", "--rounds", 6, "--deadline", deadline)
        run.join_all()
        run.wait_for_round(2, "node2")
        hangs, late = run.nodes["node2"].process, run.board.nodes["node2"].late
        hangs.send_signal(signal.SIGSTOP)
        until(lambda: run.state("node2") == "late", "its round ends without it", deadline + 60)
        hangs.send_signal(signal.SIGCONT)
        until(lambda: run.board.nodes["node2"].late > late, "its answer comes too late")
        until(lambda: run.heard_after(2, "node2"), "it takes part again")
        assert run.server.ended() == 0, run.server.said.read_text()
    history = load_result(run.folder).history
    theirs = {"2", "3"}
    assert theirs <= set(history[1].refused[NO_ANSWER])
    assert all(line.clients == 4 - len(unheard(line)) for line in history)
    assert any(not theirs & unheard(line) for line in history[2:])
