"""Ctrl-C: the run stops after a checkpoint and goes on with the same bits; a second one stops it at once."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, ENVIRONMENT, ROUGH, SMALL, Children, Here, content, motet, refused, timeless

from motet.cli import run as command
from motet.engine import federation
from motet.engine.interrupt import Stop, stop_on_signal
from motet.engine.watch import Watch
from motet.errors import Interrupted

pytestmark = pytest.mark.slow  # whole processes, stopped and killed

RUN = (*SMALL, *ROUGH, "--buffer", "12", "--arrivals", "4")


class Impatient(Watch):
    """Presses Ctrl-C when a round is done."""

    def __init__(self, after: int, number: signal.Signals) -> None:
        self.after, self.number = after, number

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        if number == self.after:
            signal.raise_signal(self.number)


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_after_each_round(
    here: Here, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    whole = tmp_path / "whole"
    assert here("run", "--data", data, *RUN, "--quiet", "--out", whole).status == 0
    for after in (1, 2, 3):
        out = tmp_path / f"run{after}"
        monkeypatch.setattr(command, "watch", lambda silent, after=after: Impatient(after, number))
        ran = here("run", "--data", data, *RUN, "--quiet", "--out", out)
        sentence = f"motet: stopped after round {after} of 4: go on with `motet resume {out}`\n"
        assert (ran.status, ran.out, ran.err) == (3, "", sentence)
        assert sorted(path.name for path in out.glob("checkpoint-*"))[-1] == f"checkpoint-{after:07d}.safetensors"
        assert not (out / "result.json").exists()
        monkeypatch.setattr(command, "watch", lambda silent: Watch())
        assert here("resume", out, "--quiet").status == 0
        assert timeless(out / "result.json") == timeless(whole / "result.json")
        assert (out / "history.jsonl").read_bytes() == (whole / "history.jsonl").read_bytes()


@pytest.mark.usefixtures("no_figures")
def test_after_the_last_round_there_is_nothing_to_stop(
    here: Here, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "watch", lambda silent: Impatient(4, signal.SIGINT))
    assert here("run", "--data", data, *RUN, "--quiet", "--out", tmp_path / "run").status == 0
    assert (tmp_path / "run" / "result.json").exists()


@pytest.mark.usefixtures("no_figures")
def test_stopped_again_and_again(here: Here, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert here("run", "--data", data, *RUN, "--quiet", "--out", whole).status == 0
    for after in (1, 2, 3):
        monkeypatch.setattr(command, "watch", lambda silent, after=after: Impatient(after, signal.SIGINT))
        begun = ["resume", out] if after > 1 else ["run", "--data", data, *RUN, "--out", out]
        assert here(*begun, "--quiet").status == 3
    assert here("resume", out, "--quiet").status == 0
    assert timeless(out / "result.json") == timeless(whole / "result.json")


@pytest.mark.usefixtures("no_figures")
def test_stopped_while_the_data_are_prepared(
    here: Here, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert here("run", "--data", data, *RUN, "--quiet", "--out", whole).status == 0

    def pressed(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return prepare(*arguments)

    prepare = federation._standardisation
    monkeypatch.setattr(federation, "_standardisation", pressed)
    ran = here("run", "--data", data, *RUN, "--quiet", "--out", out)
    refused(ran, "stopped after round 0 of 4", f"motet resume {out}", status=3)
    assert list(out.glob("checkpoint-*"))
    monkeypatch.setattr(federation, "_standardisation", prepare)
    assert here("resume", out, "--quiet").status == 0
    assert timeless(out / "result.json") == timeless(whole / "result.json")


def test_a_wish_is_shared_and_the_signals_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signal() as outer:
        outer.check()
        with stop_on_signal() as inner:
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(Interrupted):
                inner.check()
        with pytest.raises(Interrupted):
            outer.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with stop_on_signal() as later:
        later.check()


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_on_signal() as stop:
            signal.raise_signal(signal.SIGINT)
            stop.check()
    finally:
        signal.signal(signal.SIGINT, before)


def test_someone_else_may_stop_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stop, "elsewhere", staticmethod(lambda: True))
    with pytest.raises(Interrupted):
        Stop().check()


def wait_for(condition: Callable[[], bool], process: Any = None, seconds: float = 120) -> None:
    """Wait until something is so; fail if the process ends before."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        if process is not None:
            assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def rounds(out: Path) -> int:
    """Return how many rounds a run has done."""
    return (out / "history.jsonl").read_bytes().count(b"\n") if (out / "history.jsonl").exists() else 0


def begin(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start a command as a shell does: in a process group of its own."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )


def test_a_process_that_is_stopped_and_resumed(data: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "run", (*RUN, "--rounds", "60", "--evaluate-every", "60")
    process = begin("run", "--data", data, *options, "--out", out)
    wait_for(lambda: rounds(out) > 3, process)
    process.send_signal(signal.SIGINT)
    said, error = process.communicate(timeout=60)
    assert (process.returncode, said) == (3, "")
    done = rounds(out)
    assert error == f"motet: stopped after round {done} of 60: go on with `motet resume {out}`\n"
    assert (out / f"checkpoint-{done:07d}.safetensors").exists()
    assert motet("resume", out, "--quiet").status == 0
    children = Children(tmp_path)
    assert children.run("run", "--data", data, *options, "--quiet", "--out", tmp_path / "whole") == 0
    assert timeless(out / "result.json") == timeless(tmp_path / "whole" / "result.json")


ENDLESS = ("--local-epochs", "1000000")


def test_a_second_one_stops_at_once(data: Path, tmp_path: Path) -> None:
    children, out = Children(tmp_path), tmp_path / "run"
    child = children.start("run", "--data", data, *RUN, *ENDLESS, "--out", out)
    wait_for((out / "config.json").exists)
    time.sleep(1)
    assert child.pid is not None
    for _ in range(2):
        os.kill(child.pid, signal.SIGINT)
        time.sleep(0.5)
    child.join(10)
    assert child.exitcode == 1
    assert children.said() == f"motet: stopped at once: go on with `motet resume {out}`\n"
    assert set(content(out)) <= {"config.json", "engine.json", "lock"}


def test_before_anything_is_written(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Here) -> None:
    def pressed(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("motet.engine.runs.find_data", pressed)
    refused(here("run", "--data", data, *RUN, "--out", tmp_path / "run"), "stopped at once", status=1)
    assert content(tmp_path) == {}
