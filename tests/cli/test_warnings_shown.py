"""Warnings are shown after the table, on the page, and nowhere that a script would read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import SMALL, Here

WARNING = "Quality is assessed at a degraded rate of 0.9 without calibration"
UNFOUNDED = (*SMALL, "--flags", "assessed", "--degraded-rate", "0.9")


def test_a_run_warns(here: Here, data: Path, tmp_path: Path) -> None:
    ran = here("run", "--data", data, *UNFOUNDED, "--out", tmp_path / "run")
    assert (ran.status, ran.err) == (0, "")
    table, _, rest = ran.out.partition(f"warning: {WARNING}: ")
    assert "accuracy" in table
    assert f"report: {tmp_path / 'run' / 'report.html'}" in rest
    assert WARNING in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.usefixtures("no_figures")
def test_a_run_without_fault_does_not(here: Here, data: Path, tmp_path: Path) -> None:
    ran = here("run", "--data", data, *SMALL, "--recipe", "partial", "--out", tmp_path / "run")
    assert "warning" not in ran.out


@pytest.mark.usefixtures("no_figures")
def test_scripts_read_no_warning(here: Here, data: Path, tmp_path: Path) -> None:
    quiet = here("run", "--data", data, *UNFOUNDED, "--quiet", "--out", tmp_path / "quiet")
    assert (quiet.out, quiet.err) == ("", "")
    ran = here("run", "--data", data, *UNFOUNDED, "--json", "--out", tmp_path / "json")
    assert ran.err == ""
    assert json.loads(ran.out)["assessment"] is not None
    assert "warning" not in ran.out


@pytest.mark.slow
def test_a_comparison_warns_once_for_all_seeds(here: Here, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "compared"
    arguments = ("compare", "--data", data, *UNFOUNDED, "--recipes", "partial,qqr", "--seeds", "2")
    ran = here(*arguments, "--out", out)
    assert (ran.status, ran.err) == (0, "")
    said = " ".join(ran.out.split())
    assert said.count(WARNING) == 1
    assert f"warning: {WARNING} with partial (2 of 2 seeds) and qqr (2 of 2 seeds): " in said
    assert said.index("95 % interval") < said.index(WARNING) < said.index("report: ")
    assert f"{WARNING} with partial" in (out / "report.html").read_text()
    assert here("resume", out, "--quiet").out == ""
    assert "warning" not in here("resume", out, "--json").out
