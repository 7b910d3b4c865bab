"""The examples, run as a reader would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from motet.cli import main as entry
from motet.cli.options import read_toml
from motet.engine.flower.deployment import fitted
from motet.engine.runs import find_data
from motet.learn.recipe import resolve
from motet.record import report

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SETTINGS = sorted(EXAMPLES.glob("*.toml"))


def said(script: str, *arguments: str | Path) -> list[str]:
    """Run an example that complains of nothing, and return the lines that it prints."""
    command = [sys.executable, EXAMPLES / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("script", ["own_member.py", "own_modality.py"])
def test_something_of_one_s_own_needs_less_than_60_lines(script: str) -> None:
    assert len((EXAMPLES / script).read_text().splitlines()) < 60


def test_a_member_of_one_s_own() -> None:
    rows = [line.split() for line in said("own_member.py")]
    assert [name for name, _ in rows] == ["partial", "mean-feature"]
    assert all(0 < float(accuracy) <= 1 for _, accuracy in rows)


def test_modalities_of_one_s_own(tmp_path: Path) -> None:
    *rows, last = said("own_modality.py", tmp_path / "run")
    assert last == f"report: {tmp_path / 'run'}/report.html"
    found = {sensors: float(accuracy) for accuracy, sensors in (line.split("  ") for line in rows)}
    everything = max(found, key=len).split("+")
    assert len(everything) == 6
    assert {"+".join(everything), *everything} < set(found)
    assert max(found.values()) > 1 / 3  # chance
    kept = json.loads((tmp_path / "run" / "result.json").read_text())
    assert {own["kind"] for own in kept["data"]["modalities"].values()} == {"signal", "image", "tokens", "vector"}
    assert kept["data"]["clients"] == 6
    assert "<html" in (tmp_path / "run" / "report.html").read_text()


def test_a_script() -> None:
    first, second, whole, *without = said("script.py")
    assert first.startswith("fedavg   accuracy 0.")
    assert second.startswith("partial  accuracy 0.")
    assert "with all sensors 0." in whole
    assert [line.split()[2] for line in without] == ["acc", "gyro", "heart"]


def notebook() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / "first_steps.ipynb").read_text())
    return found


def test_the_notebook_is_kept_without_outputs() -> None:
    own = notebook()
    assert (own["nbformat"], own["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in own["cells"]}) == len(own["cells"])
    for cell in own["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    cells = ["".join(cell["source"]) for cell in notebook()["cells"] if cell["cell_type"] == "code"]
    (tmp_path / "cells.py").write_text("import matplotlib\nmatplotlib.use('agg')\n" + "\n".join(cells))
    lines = said(str(tmp_path / "cells.py"))
    assert lines[0].split()[:2] == ["acc", "signal"]
    for words in ("accuracy 0.", "  acc+gyro+heart", "right: 0.", "late ", "fedavg minus partial: ", "heart  "):
        assert any(words in line for line in lines), words


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda path: path.stem)
def test_each_configuration_runs(settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = read_toml(settings)
    built_in = own.get("data") == "wearables"
    monkeypatch.setattr(report, "run_report", lambda *_: "<html></html>\n")
    small = ["--rounds", "2", "--features", "4", "--threads", "1", "--evaluate-every", "2", "--quiet"]
    other = [] if built_in else ["--data", "wearables", "--modalities", "acc,gyro"]
    monkeypatch.setattr(sys, "argv", ["motet", "run", str(settings), *small, *other, "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as left:
        entry.main()
    assert left.value.code in (0, None)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    ours = {key: value for key, value in own.items() if built_in or key != "modalities"}
    assert config.items() >= ({**ours, "rounds": 2}).items()


def test_the_configuration_of_a_fleet_is_one_of_a_fleet() -> None:
    config = resolve(read_toml(EXAMPLES / "fleet.toml"))
    fitted(config, find_data(config))


def test_each_configuration_says_how_to_run_it() -> None:
    for path in SETTINGS:
        assert f"examples/{path.name}" in path.read_text()
