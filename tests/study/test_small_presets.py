"""Every small preset, carried out; and a study that is killed goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from people import people

from motet.data.archive import save
from motet.engine.watch import Watch
from motet.study import folder
from motet.study.design import Study
from motet.study.prepared import STUDIES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_a_small_preset_ends_in_a_figure_and_a_page(study: Study, tmp_path: Path) -> None:
    design = folder.plan(study, "small", None, {})
    found = folder.run(
        study, "small", design, f"motet study {study.name}", tmp_path / "out", tmp_path / "kept", Watch()
    )
    assert len(found.lines) == len(list(design.cells()))
    assert (tmp_path / "out" / "figure.svg").read_text().startswith("<?xml")
    page = (tmp_path / "out" / "study.md").read_text()
    assert "nan" not in page
    assert all(f"`{row}`" in page for row in found.rows)


def started(here: Path, data: Path, name: str) -> subprocess.Popen[bytes]:
    """Start a study in a process group of its own."""
    options = ["--rounds", "3", "--features", "4", "--seeds", "2", "--quiet", "--kept", f"kept-{name}", "--out", name]
    return subprocess.Popen(
        [sys.executable, "-m", "motet", "study", "participation", "--data", str(data), *options],
        cwd=here,
        start_new_session=True,
    )


def lines(path: Path) -> list[dict[str, Any]]:
    """Return a study's runs, without their times."""
    return [{k: v for k, v in json.loads(line).items() if k != "train_s"} for line in path.read_text().splitlines()[1:]]


def test_a_study_that_is_killed_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "people.npz"
    save(people(clients=6), data)
    began = time.monotonic()
    assert started(tmp_path, data, "whole").wait(600) == 0
    takes = time.monotonic() - began
    for share in (0.4, 0.6, 0.9):
        child = started(tmp_path, data, "killed")
        time.sleep(share * takes)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(30)
    assert started(tmp_path, data, "killed").wait(600) == 0
    assert lines(tmp_path / "killed" / "study.jsonl") == lines(tmp_path / "whole" / "study.jsonl")
