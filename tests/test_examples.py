"""The examples, run as a reader would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def test_a_member_of_one_s_own_needs_less_than_60_lines_and_runs() -> None:
    script = EXAMPLES / "own_member.py"
    assert len(script.read_text().splitlines()) < 60
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, _ in rows] == ["partial", "mean-feature"]
    assert all(0 < float(accuracy) <= 1 for _, accuracy in rows)
