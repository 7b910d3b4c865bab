"""`motet data`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from motet.cli.data import app
from motet.data import catalogue
from motet.data.archive import load, save
from motet.data.dataset import ArrayDataset, Modality
from motet.data.progress import Progress
from motet.engine import watch
from motet.errors import InputError


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOTET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


def gestures() -> ArrayDataset:
    n = 20
    return ArrayDataset(
        name="gestures",
        modalities={"acc": Modality("acc", "signal", (3, 8), 50.0, "g"), "[red]": Modality("acc", "vector", (2,))},
        classes=("wave", "[bold]point"),
        y=np.arange(n) % 2,
        split=np.array([0] * 14 + [2] * 6, dtype=np.uint8),
        x={"acc": np.zeros((n, 3, 8), dtype=np.float32), "[red]": np.zeros((n, 2), dtype=np.float32)},
        client=np.arange(n) % 5,
        source="recorded at home",
        terms="[none]",
    ).only(["acc"])


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stderr == ""
    return result.stdout


def refused(*arguments: str | Path) -> str:
    """The sentence of the error, which is all that is said."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert isinstance(result.exception, InputError)
    assert result.output == ""
    return str(result.exception)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_list(own_home: Path) -> None:
    listed = {row[0]: row for row in rows(run("list")) if row}
    assert {"wearables", "digits", "ucihar", "mvsa_single"} <= set(listed)
    assert listed["wearables"][1:3] == ["built", "in"]
    assert listed["ucihar"][1:3] == ["fetch", "it"]
    assert listed["mvsa_single"][1:4] == ["ask", "for", "it"]
    save(gestures(), own_home / "ucihar.npz")
    assert next(row for row in rows(run("list")) if row[:1] == ["ucihar"])[1] == "yes"


def test_list_as_json(own_home: Path) -> None:
    listed = {entry["name"]: entry for entry in json.loads(run("list", "--json"))}
    assert listed["digits"]["here"] == "built in"
    assert listed["ucihar"]["here"] is None
    assert listed["ucihar"]["url"].startswith("https://archive.ics.uci.edu/")
    save(gestures(), own_home / "ucihar.npz")
    entry = next(e for e in json.loads(run("list", "--json")) if e["name"] == "ucihar")
    assert entry["here"] == str(own_home / "ucihar.npz")


def test_info_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "gestures.npz"
    save(gestures(), path)
    text = run("info", path)
    table = rows(text)
    assert ["samples", "train", "test", "all"] in table
    assert ["wave", "7", "3", "10"] in table
    assert ["[bold]point", "7", "3", "10"] in table
    assert ["together", "14", "6", "20"] in table
    assert ["acc", "signal", "3", "x", "8", "50", "Hz", "g", "100%"] in table
    assert "clients: 5 (5 in train, 0 in validation, 5 in test)" in text
    assert "source: recorded at home" in text
    assert "terms: [none]" in text


def test_info_of_what_is_built_in() -> None:
    text = run("info", "wearables")
    assert ["heart", "signal", "1", "x", "64", "32", "Hz", "beats/min", "100%"] in rows(text)
    assert "20 in train" in text
    summary = json.loads(run("info", "digits", "--json"))
    assert summary["samples"]["all"] == 1797
    assert summary["clients"] is None
    assert "clients: not known" in run("info", "digits")


def test_info_of_what_is_not_here() -> None:
    text = run("info", "mvsa_single")
    assert "not on this machine" in text
    assert "ask its authors" in text
    assert "research use only" in text
    assert json.loads(run("info", "ucihar", "--json"))["here"] is None
    assert "did you mean 'ucihar'" in refused("info", "ucihr")


def test_check(tmp_path: Path) -> None:
    path = tmp_path / "gestures.npz"
    save(gestures(), path)
    assert run("check", path) == f"{path}: valid, 20 samples (14 train, 0 validation, 6 test) of acc\n"
    summary = json.loads(run("check", path, "--json"))
    assert (summary["valid"], summary["file"], summary["samples"]["test"]) == (True, str(path), 6)


def test_check_notes_what_looks_odd(tmp_path: Path) -> None:
    save(replace(gestures(), classes=("wave", "point", "nod")), tmp_path / "odd.npz")
    assert "note: no training sample of nod" in run("check", tmp_path / "odd.npz")


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_check_of_a_bad_file(tmp_path: Path, json_too: tuple[str, ...]) -> None:
    path = tmp_path / "bad.npz"
    path.write_text("no archive")
    assert "not a zip file" in refused("check", path, *json_too)


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Converts any folder to the gestures; remembers which."""
    folders = []

    def convert(folder: Path, destination: Path, progress: Progress | None) -> None:
        assert progress is not None
        progress(1, 2)
        folders.append(folder)
        save(gestures(), destination)

    entry = replace(catalogue.CATALOGUE["ucihar"], convert=convert)
    monkeypatch.setitem(catalogue.CATALOGUE, "ucihar", entry)
    return folders


def test_make(tmp_path: Path, converter: list[Path]) -> None:
    assert f"wrote {tmp_path / 'own.npz'}" in run("make", "ucihar", tmp_path, "--to", tmp_path / "own.npz")
    assert converter == [tmp_path]
    assert load(tmp_path / "own.npz").name == "own"


def test_make_writes_where_data_looks(own_home: Path, tmp_path: Path, converter: list[Path]) -> None:
    run("make", "ucihar", tmp_path)
    assert (own_home / "ucihar.npz").is_file()
    assert "gestures" not in run("info", "ucihar")


def test_make_refuses(tmp_path: Path) -> None:
    assert "did you mean 'ucihar'" in refused("make", "uci_har", tmp_path)
    assert "choose one of: mvsa_single, ucihar" in refused("make", "digits", tmp_path)
    assert "ends in .npz" in refused("make", "ucihar", tmp_path, "--to", tmp_path / "thesis.tex")
    assert "is missing" in refused("make", "ucihar", tmp_path, "--to", tmp_path / "own.npz")


def test_fetch(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def obtain(name: str, progress: Any) -> catalogue.Fetched:
        calls.append(name)
        progress("download")(10, None)
        progress("download")(10, 20)
        save(gestures(), own_home / "ucihar.npz")
        return catalogue.Fetched(own_home / "ucihar.npz", "abc123")

    monkeypatch.setattr(catalogue, "obtain", obtain)
    text = run("fetch", "ucihar")
    assert f"wrote {own_home / 'ucihar.npz'}: use it with --data ucihar" in text
    assert "checksum of the download (SHA-256): abc123, noted beside it" in text
    assert "no commercial use" in text
    assert "here already" in run("fetch", "ucihar")
    assert calls == ["ucihar"]
    run("fetch", "ucihar", "--again")
    assert calls == ["ucihar", "ucihar"]


def test_a_long_conversion_is_told_of_in_lines(
    tmp_path: Path, converter: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LINE_EVERY_S", 0.0)
    result = CliRunner().invoke(app, ["make", "ucihar", str(tmp_path), "--to", str(tmp_path / "own.npz")])
    assert result.stderr == "convert: 50%\n"


def test_fetch_refuses() -> None:
    assert "ask its authors" in refused("fetch", "mvsa_single")
    assert "unknown data set" in refused("fetch", "cifar")
    assert "built in" in run("fetch", "digits")


@pytest.mark.parametrize("command", ["list", "info", "make", "fetch", "check"])
def test_help_shows_an_example(command: str) -> None:
    assert f"Example: motet data {command}" in run(command, "--help")


def test_help_is_quick() -> None:
    code = "import sys, motet.cli.data; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
