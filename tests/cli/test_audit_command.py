"""`motet audit`: what it says and writes, and the folders that it cannot tell anything of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import ROUGH, SMALL, Here, content, refused

from motet.record import checkpoint

FEW = ("--clients", "2", "--steps", "2")


def finished(here: Here, data: Path, out: Path, *more: str) -> Path:
    assert here("run", "--data", data, *SMALL, *ROUGH, *more, "--quiet", "--out", out).status == 0
    return out


def test_it_says_and_writes_what_is_recovered(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    before = content(out)
    ran = here("audit", out, *FEW)
    assert (ran.status, ran.err) == (0, "")
    words = " ".join(ran.out.split())
    for part in (
        "as it is",
        "2 bits",
        "noise 0.01",
        "nearest",
        "inversion 8",
        "Mean ± standard deviation over 2 clients",
    ):
        assert part in words
    assert f"report: {out / 'report.html'}" in ran.out
    after = content(out)
    assert set(after) - set(before) == {"audit.json"}
    assert {name for name in before if after[name] != before[name]} == {"report.html"}
    record = json.loads((out / "audit.json").read_text())
    assert (len(record["clients"]), record["steps"], record["round"]) == (2, 2, 4)
    assert "What messages give away" in (out / "report.html").read_text()


def test_the_report_keeps_the_figure(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    assert here("audit", out, *FEW, "--quiet").out == ""
    audited = content(out)
    assert here("report", out).status == 0
    assert content(out) == audited
    (out / "audit.json").write_text("{}")
    refused(here("report", out), "audit.json")


@pytest.mark.usefixtures("no_figures")
def test_json_prints_what_is_written(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    ran = here("audit", out, *FEW, "--json")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (out / "audit.json").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--recipe", "local"), "Clients keep their models to themselves, so there is no update to invert."),
        (("--recipe", "fedavg"), "Recipe fedavg sends no prototypes, so none are attacked."),
    ],
)
def test_other_runs(here: Here, data: Path, tmp_path: Path, options: tuple[str, str], words: str) -> None:
    ran = here("audit", finished(here, data, tmp_path / "run", *options), *FEW)
    assert ran.status == 0
    assert words in " ".join(ran.out.split())


@pytest.mark.usefixtures("no_figures")
def test_folders_that_it_cannot_tell_anything_of(here: Here, data: Path, tmp_path: Path) -> None:
    refused(here("audit", tmp_path / "nowhere"), f"{tmp_path / 'nowhere'} holds no finished run")
    out = finished(here, data, tmp_path / "several" / "qqr-seed0")
    refused(here("audit", tmp_path / "several"), "holds several runs: name one of them, such as", str(out))
    for path in checkpoint.found(out):
        path.unlink()
    refused(here("audit", out), f"{out} has no checkpoint of its last round (4): run it again elsewhere")
    (out / "result.json").unlink()
    refused(here("audit", out), f"{out} holds no finished run", f"motet resume {out}")


@pytest.mark.parametrize("option", ["--clients", "--steps"])
def test_there_must_be_clients_and_steps(here: Here, tmp_path: Path, option: str) -> None:
    refused(here("audit", tmp_path, option, "0"), option)
