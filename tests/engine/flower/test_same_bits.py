"""Four nodes over TLS, each with a key, end with the parameters of the loop, bit for bit, on real data."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'flower' is not installed")


from fleets import motet, shared

from motet.engine.runs import load_result

DATA = os.environ.get("MOTET_DATA")
SETTINGS = ["--data", f"{DATA}/ucihar.npz", "--clients", "8", "--rounds", "10", "--threads", "1", "--engine", "loop"]
IMPAIRED = ["--missing-rate", "0.5", "--degraded-rate", "0.3"]
CASES = {
    "fedavg": ["--recipe", "fedavg", *IMPAIRED],
    "qqr": ["--recipe", "qqr", "--buffer", "60", "--arrivals", "15", *IMPAIRED],
    "fedmchain": ["--recipe", "fedmchain", "--upload", "topk+memory", *IMPAIRED],
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(DATA is None, reason="MOTET_DATA is not set")
@pytest.mark.parametrize("case", CASES)
def test_a_fleet_s_run_is_the_loop_s(case: str, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    motet("run", *SETTINGS, *CASES[case], "--out", here, "--quiet")
    motet("fleet", "--nodes", 4, *SETTINGS, *CASES[case], "--out", there, "--quiet")
    assert shared(there) == shared(here)
    one, other = load_result(there), load_result(here)
    assert one.tail == other.tail
    assert one.bytes.up_by_kind == other.bytes.up_by_kind
    logs = [(there / "nodes" / f"node{number}" / "node.log").read_text() for number in range(1, 5)]
    answered = sum(int(size) for log in logs for size in re.findall(r"round \d+: .*, (\d+) bytes", log))
    assert one.bytes.up == answered + one.bytes.up_by_kind["scale"]
    # down, a node is one receiver however many clients live on it, and the loop counts each client
    assert one.bytes.down * 8 == other.bytes.down * 4
