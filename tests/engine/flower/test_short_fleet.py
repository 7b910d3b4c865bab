"""Two nodes over TLS, each with a key: a short run has the bits of the loop, and counts the bytes of the letters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fleets import SMALL, Command, archive, check_same

from motet.engine.runs import load_result

ROUNDS, CLIENTS, NODES = 2, 4, 2


@pytest.mark.timeout(420)
def test_a_short_run_is_that_of_the_loop(tmp_path: Path) -> None:
    data, here, there = archive(tmp_path, CLIENTS), tmp_path / "here", tmp_path / "there"
    settings = ("--data", data, "--recipe", "qqr", "--missing-rate", "0.5", "--rounds", ROUNDS, *SMALL)
    fleet = Command(tmp_path / "fleet", "fleet", "--nodes", NODES, *settings, "--out", there, "--quiet")
    try:
        assert Command(tmp_path / "loop", "run", *settings, "--out", here, "--quiet").ended() == 0
        assert fleet.ended(360) == 0, fleet.said.read_text()
    finally:
        fleet.stop()
    check_same(there, here, ROUNDS)
    one, other = load_result(there).bytes, load_result(here).bytes
    logs = [(there / "nodes" / f"node{number}" / "node.log").read_text() for number in range(1, NODES + 1)]
    answered = sum(int(size) for log in logs for size in re.findall(r"round \d+: .*, (\d+) bytes", log))
    assert one.up == answered + one.up_by_kind["scale"]
    assert one.down * CLIENTS == other.down * NODES  # a node is one receiver; the loop counts each client
