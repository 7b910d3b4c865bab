"""`motet worth`: what it says and writes, and the folders that it cannot tell anything of."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from commands import ROUGH, SMALL, Here, archive, content, gestures, refused

from motet.data.archive import save
from motet.record import checkpoint

pytestmark = pytest.mark.usefixtures("no_figures")


def finished(here: Here, data: Path, out: Path, *more: str) -> Path:
    assert here("run", "--data", data, *SMALL, *ROUGH, *more, "--quiet", "--out", out).status == 0
    return out


def test_it_says_and_writes_what_modalities_are_worth(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    before = content(out)
    ran = here("worth", out)
    assert (ran.status, ran.err) == (0, "")
    words = ran.out.split()
    assert {"move", "body", "wave", "point", "all"} <= set(words)
    assert "Chance (1 / number of classes, 50.0 %)" in " ".join(words)
    assert f"figure: {out / 'worth.svg'}" in ran.out
    after = content(out)
    assert set(after) - set(before) == {"worth.json", "worth.svg"}
    assert {name: after[name] for name in before} == before
    record = json.loads((out / "worth.json").read_text())
    result = json.loads((out / "result.json").read_text())
    assert record["reached"] == pytest.approx(result["final"]["accuracy_by_present"])
    assert sum(record["overall"]["worth"].values()) == pytest.approx(result["final"]["accuracy"] - 0.5)
    assert ET.parse(out / "worth.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_json_prints_what_is_written(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    ran = here("worth", out, "--json")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (out / "worth.json").read_text()
    assert here("worth", out, "--quiet").out == ""


@pytest.mark.parametrize("options", [("--recipe", "local"), ("--test-missing", "body"), ("--modalities", "move")])
def test_other_runs(here: Here, data: Path, tmp_path: Path, options: tuple[str, str]) -> None:
    out = finished(here, data, tmp_path / "run", *options)
    assert here("worth", out, "--quiet").status == 0
    assert here("worth", out).status == 0  # and again


@pytest.mark.parametrize("saved", ["in every round", "as seldom as can be"])
def test_the_last_round_has_a_checkpoint(
    here: Here, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: str
) -> None:
    monkeypatch.setattr("motet.record.folder.SAVING_SHARE", float("inf") if saved == "in every round" else 0.0)
    out = finished(here, data, tmp_path / "run")
    assert checkpoint.found(out)[0].name == "checkpoint-0000004.safetensors"
    assert here("worth", out, "--quiet").status == 0


def test_folders_without_a_finished_run(here: Here, data: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for place in (tmp_path / "notes", tmp_path / "nowhere"):
        refused(here("worth", place), f"{place} holds no finished run")
    out = finished(here, data, tmp_path / "several" / "qqr-seed0")
    refused(here("worth", tmp_path / "several"), "holds several runs: name one of them, such as", str(out))
    (out / "result.json").unlink()
    refused(here("worth", out), f"{out} holds no finished run", f"motet resume {out}")


def test_a_run_whose_last_checkpoint_is_gone(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    for path in checkpoint.found(out):
        path.unlink()
        before = content(out)
        refused(here("worth", out), f"{out} has no checkpoint of its last round (4): run it again elsewhere")
        assert content(out) == before


def test_data_that_changed_or_went_away(here: Here, tmp_path: Path) -> None:
    data = archive(tmp_path / "gestures.npz")
    out = finished(here, data, tmp_path / "run")
    before = content(out)
    save(gestures(seed=1), data)
    refused(here("worth", out), "data are not those that the run began with")
    save(gestures(client=np.arange(96) % 4), data)
    refused(here("worth", out), "data are not those that the run began with")
    data.unlink()
    refused(here("worth", out), "gestures.npz")
    assert content(out) == before
