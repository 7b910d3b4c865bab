"""What those who wait are shown: a bar on a terminal, a line now and then elsewhere, nothing to who wants nothing."""

from __future__ import annotations

import io
import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest
from people import configured, people

from motet.engine import watch as watch_module
from motet.engine.run import run
from motet.engine.watch import ProgressBar, Watch


class Terminal:
    """A pseudo-terminal in place of standard error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen = b""
        self._master, slave = os.openpty()
        self._file = os.fdopen(slave, "w")
        monkeypatch.setattr(sys, "stderr", self._file)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "140")
        for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                self.seen += os.read(self._master, 1024)
            except OSError:  # the other end is closed
                return

    def text(self) -> str:
        """Close the terminal and return what it was told, without colours and movements."""
        self._file.close()
        self._reader.join(10)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.seen.decode())


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    finished = run(configured(rounds=12, evaluate_every=3), people(), watch=ProgressBar())
    text = terminal.text()
    assert "standardising" in text
    assert "partial (seed 0)" in text
    assert "12/12" in text
    assert f"accuracy {finished.result.final.accuracy:.3f}" in text
    assert re.search(r"\d+\.\d rounds/s", text)
    assert re.search(r"\d\d:\d\d", text)  # time left


def test_the_bar_of_several_runs_names_the_one_that_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    bar = ProgressBar()
    with bar.run("comparing", 40, 0):
        bar.round(7, 0.25, "qqr (seed 1)")
        bar.round(8, None, "pmm (seed 0)")
        time.sleep(0.2)
    text = terminal.text()
    assert "comparing" in text
    assert "8/40" in text
    assert "pmm (seed 0)" in text


def test_a_resumed_run_begins_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    bar = ProgressBar()
    with bar.run("qqr", 40, 30):
        time.sleep(0.2)
    assert "30/40" in terminal.text()


def test_elsewhere_nothing_for_a_short_run(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    run(configured(), people(), watch=ProgressBar())
    assert said.getvalue() == ""


def test_elsewhere_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setattr(watch_module, "LINE_EVERY_S", 0.0)
    run(configured(rounds=12, evaluate_every=2), people(), watch=ProgressBar())
    lines = [line for line in said.getvalue().splitlines() if "round" in line]
    assert len(lines) == 12
    assert lines[0].startswith("partial (seed 0): round 1 of 12")
    assert re.fullmatch(r"partial \(seed 0\): round 12 of 12  accuracy 0\.\d{3}  \d+\.\d rounds/s.*", lines[-1])
    assert any("s left" in line for line in lines)


def test_elsewhere_a_line_of_a_preparation_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setattr(watch_module, "LINE_EVERY_S", 0.0)
    assert list(ProgressBar().over("abc", "predicting")) == ["a", "b", "c"]
    assert said.getvalue() == "predicting: 1 of 3\npredicting: 2 of 3\npredicting: 3 of 3\n"


def test_lines_come_no_oftener_than_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    said, now = io.StringIO(), [0.0]
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setattr(watch_module.time, "monotonic", lambda: now[0])
    lines = watch_module.Lines()
    for second in range(100):
        now[0] = second
        lines.say(str(second))
    assert said.getvalue().split() == ["30", "60", "90"]


@pytest.mark.parametrize("forced", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_no_bar_in_a_log_that_is_forced_to_colours(monkeypatch: pytest.MonkeyPatch, forced: str) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setenv(forced, "1")
    with ProgressBar().run("qqr", 40, 0):
        pass
    assert said.getvalue() == ""


def test_no_bar_on_a_terminal_that_cannot_move_its_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(watch_module, "LINE_EVERY_S", 0.0)
    bar = ProgressBar()
    with bar.run("qqr", 40, 0):
        bar.round(1, 0.5)
    assert terminal.text().startswith("qqr: round 1 of 40  accuracy 0.500")


def test_it_can_be_used_for_one_run_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = ProgressBar()
    for _ in range(2):
        run(configured(rounds=1), people(), watch=bar)


def test_an_error_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    with pytest.raises(ZeroDivisionError), ProgressBar().run("qqr", 3, 0):
        raise ZeroDivisionError
    terminal.text()


def test_watching_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    run(configured(), people(), watch=Watch())
    assert capfd.readouterr() == ("", "")
    assert list(Watch().over([1, 2], "things")) == [1, 2]


def test_a_bar_does_not_change_what_is_learnt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    one, other = run(configured(), people(), watch=ProgressBar()), run(configured(), people())
    assert one.result.model_dump(exclude={"time"}) == other.result.model_dump(exclude={"time"})
