"""`motet demo`: the first thing that anyone runs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from commands import Here, motet

from motet.cli import demo
from motet.cli.demo import SETTING
from motet.learn.recipe import resolve

pytestmark = pytest.mark.slow  # whole processes, stopped and killed


def test_its_setting_is_valid() -> None:
    for recipe in ("fedavg", "partial", "pmm", "qqr"):
        resolve({**SETTING, "recipe": recipe})


@pytest.mark.slow
def test_a_short_demo(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SETTING, "rounds", 6)
    monkeypatch.setitem(SETTING, "clients", 4)
    for folder in ("demo", "demo-2"):
        ran = here("demo")
        assert (ran.status, ran.err) == (0, "")
        out = Path("runs") / folder
        compared = json.loads((out / "compare.json").read_text())
        assert compared["recipes"] == ["fedavg", "partial", "pmm", "qqr"]
        assert "<html" in (out / "report.html").read_text()
        assert all(run["online"] and run["history"][-1]["accuracy"] for run in compared["runs"])
        assert f"report: {out / 'report.html'}" in ran.out
    assert demo.SETTING is SETTING


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_demo(tmp_path: Path) -> None:
    began = time.monotonic()
    ran = motet("demo", cwd=tmp_path, timeout=800)
    print(f"the demo took {time.monotonic() - began:.0f} s")
    assert (ran.status, ran.err.count("\n") < 10) == (0, True), ran.err
    compared = json.loads((tmp_path / "runs" / "demo" / "compare.json").read_text())
    accuracy = {row["recipe"]: row["accuracy_mean"] for row in compared["summary"]}
    assert max(accuracy, key=lambda recipe: accuracy[recipe]) == "qqr"
