"""Runs that a tool follows: every round once, however often they are stopped, and not a bit of theirs is another."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from people import SMALL, people

import motet
from motet.engine import runs
from motet.engine.interrupt import Stop
from motet.engine.watch import Watch
from motet.errors import InputError, Interrupted
from motet.learn.recipe import resolve
from motet.record import report
from motet.record.result import Result, Round
from motet.record.track import Store, Track
from motet.record.track.store import Place

SETTINGS: dict[str, Any] = {**SMALL, "rounds": 4, "missing_rate": 0.5, "buffer": 8, "arrivals": 4}


class Notes(Store):
    """Keeps what it is told, of all runs; fails in the rounds of `broken`."""

    rounds: ClassVar[dict[str, list[int]]] = {}
    ends: ClassVar[dict[str, list[float]]] = {}
    broken: ClassVar[set[int]] = set()
    titles: ClassVar[list[str]] = []

    def __init__(self, place: Place, config: Mapping[str, Any]) -> None:
        self.key = place.key
        self.last = max(self.rounds.setdefault(self.key, []), default=0)
        self.titles.append(place.title)
        assert config["rounds"] == 4

    @staticmethod
    def check(path: str | None) -> None:
        if path == "/nowhere":
            raise OSError("no such place")

    @staticmethod
    def begin(place: Place) -> str:
        return f"run {len(Notes.rounds)}"

    def round(self, line: Round) -> None:
        if line.round in self.broken:
            raise ConnectionError("nobody answers.")
        self.rounds[self.key].append(line.round)
        self.last = line.round

    def finish(self, result: Result) -> None:
        self.ends.setdefault(self.key, []).append(result.final.accuracy)

    def close(self) -> None:
        self.titles.append("closed")


@pytest.fixture(autouse=True)
def notes(monkeypatch: pytest.MonkeyPatch) -> type[Notes]:
    """Follow runs in `Notes` in place of a tool, and write no page."""
    for name, empty in (("rounds", {}), ("ends", {}), ("broken", set()), ("titles", [])):
        monkeypatch.setattr(Notes, name, empty)
    monkeypatch.setattr(Track, "_tool", lambda self: Notes)
    monkeypatch.setattr(report, "run_report", lambda *_: "<html></html>\n")
    return Notes


class StoppedAfter(Watch):
    """Presses Ctrl-C when a round is done."""

    def __init__(self, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number, self.monkeypatch = number, monkeypatch

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        if number == self.number:
            self.monkeypatch.setattr(Stop, "elsewhere", staticmethod(lambda: True))


def start(folder: Path, watch: Watch | None = None, track: Track | None = None) -> Result:
    return runs.start(resolve({**SETTINGS, "recipe": "qqr"}), folder, watch or Watch(), people(), track)


def stopped(folder: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a run that is stopped after a round."""
    with pytest.raises(Interrupted):
        start(folder, StoppedAfter(after, monkeypatch), Track(tool="mlflow"))
    monkeypatch.setattr(Stop, "elsewhere", None)


def timeless(path: Path) -> str:
    return json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "time"})


def test_every_round_once_and_the_end(tmp_path: Path, notes: type[Notes]) -> None:
    result = start(tmp_path / "run", track=Track(tool="mlflow"))
    assert notes.rounds == {"run 0": [1, 2, 3, 4]}
    assert notes.ends == {"run 0": [result.final.accuracy]}
    assert notes.titles == ["run", "closed"]


def test_nothing_else_is_different(tmp_path: Path) -> None:
    start(tmp_path / "plain")
    start(tmp_path / "tracked", track=Track(tool="mlflow", path="/somewhere"))
    for name in ("config.json", "engine.json", "history.jsonl", "report.html"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "tracked" / name).read_bytes()
    assert timeless(tmp_path / "plain" / "result.json") == timeless(tmp_path / "tracked" / "result.json")
    names = [{path.name for path in (tmp_path / own).iterdir()} for own in ("plain", "tracked")]
    assert names[1] - names[0] == {"track.json"}
    assert names[0] <= names[1]


def test_a_resumed_run_is_followed_on(tmp_path: Path, notes: type[Notes], monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(tmp_path / "run", 2, monkeypatch)
    assert notes.rounds == {"run 0": [1, 2]}
    assert notes.titles[-1] == "closed"
    runs.resume(tmp_path / "run", Watch(), people())
    assert notes.rounds == {"run 0": [1, 2, 3, 4]}
    assert len(notes.ends["run 0"]) == 1


@pytest.mark.parametrize("known", [[], [1], [1, 2, 3]])
def test_what_a_killed_run_told_or_did_not_tell(
    tmp_path: Path, notes: type[Notes], monkeypatch: pytest.MonkeyPatch, known: list[int]
) -> None:
    stopped(tmp_path / "run", 2, monkeypatch)
    notes.rounds["run 0"] = list(known)
    runs.resume(tmp_path / "run", Watch(), people())
    assert notes.rounds == {"run 0": [1, 2, 3, 4]}


def test_a_tool_that_fails_stops_no_run(tmp_path: Path, notes: type[Notes], caplog: pytest.LogCaptureFixture) -> None:
    class Mended(Watch):
        def round(self, number: int, accuracy: float | None, title: str = "") -> None:
            if number == 4:
                notes.broken = set()

    notes.broken = {2}
    with caplog.at_level(logging.WARNING, "motet"):
        start(tmp_path / "run", Mended(), Track(tool="mlflow"))
    assert caplog.messages == ["the run is not tracked at the moment (nobody answers), and goes on"]
    assert notes.rounds == {"run 0": [1, 2, 3, 4]}  # made up for at the end
    assert "run 0" in notes.ends
    notes.broken = {3}
    start(tmp_path / "other", track=Track(tool="mlflow"))
    assert notes.rounds["run 1"] == [1, 2]
    assert (tmp_path / "other" / "result.json").exists()
    assert "run 1" not in notes.ends


def test_what_cannot_work_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--track mlflow:/nowhere: no such place; name another place"):
        start(tmp_path / "run", track=Track(tool="mlflow", path="/nowhere"))
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_gone_when_a_run_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(tmp_path / "run", 2, monkeypatch)

    def gone(*_: Any) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(Notes, "__init__", gone)
    with pytest.raises(
        InputError, match=r"tracked with mlflow, which fails \(nobody answers\): .* remove .*track\.json"
    ):
        runs.resume(tmp_path / "run", Watch(), people())
    (tmp_path / "run" / "track.json").unlink()
    runs.resume(tmp_path / "run", Watch(), people())
    assert (tmp_path / "run" / "result.json").exists()


def test_from_python(tmp_path: Path, notes: type[Notes]) -> None:
    with pytest.raises(InputError, match="track='mlflow' follows what a folder records: name one with out="):
        motet.run(people(), track="mlflow", **SETTINGS)
    result = motet.run(people(), track="mlflow", out=tmp_path / "run", **SETTINGS)
    assert notes.rounds == {"run 0": [1, 2, 3, 4]}
    assert notes.ends == {"run 0": [result.final.accuracy]}
