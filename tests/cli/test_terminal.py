"""Colours and bars on a terminal alone: through a pseudo-terminal, with NO_COLOR, and through a pipe."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
from commands import COMMAND, ENVIRONMENT, ROUGH, SMALL, archive

PLAIN = {name: value for name, value in ENVIRONMENT.items() if name not in ("FORCE_COLOR", "NO_COLOR", "COLORTERM")}
COLOURS = re.compile(r"\x1b\[[0-9;]*(3[0-7]|38|9[0-7])[0-9;]*m")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def on_a_terminal(*arguments: str | Path, **environment: str) -> str:
    """Run a command on a pseudo-terminal and return all that it shows."""
    master, slave = os.openpty()
    command = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**PLAIN, "TERM": "xterm-256color", **environment},
    )
    os.close(slave)
    seen: list[bytes] = []

    def read() -> None:
        while True:
            try:
                seen.append(os.read(master, 4096))
            except OSError:  # the other end is closed
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert command.wait(240) == 0
    reader.join(10)
    os.close(master)
    return b"".join(seen).decode()


def through_a_pipe(*arguments: str | Path, **environment: str) -> str:
    """Run a command with its output in pipes and return all that it says."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**PLAIN, "TERM": "xterm-256color", **environment},
        timeout=240,
        check=True,
    )
    return done.stdout + done.stderr


@pytest.fixture
def run(tmp_path: Path) -> tuple[str | Path, ...]:
    """A run that shows a bar, a table and, as quality is assessed without calibration, a warning in yellow."""
    data = archive(tmp_path / "gestures.npz")
    rough = (*SMALL, *ROUGH, "--flags", "assessed", "--degraded-rate", "0.9")
    return ("run", "--data", data, *rough, "--out", tmp_path / "run")


def test_colours_and_a_bar_on_a_terminal(run: tuple[str | Path, ...]) -> None:
    shown = on_a_terminal(*run)
    assert COLOURS.search(shown)
    assert "warning: " in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "\x1b[2K" in shown  # the bar's line is cleared


def test_no_colours_where_none_are_wanted(run: tuple[str | Path, ...]) -> None:
    assert not COLOURS.search(on_a_terminal(*run, NO_COLOR="1"))


def test_nothing_but_text_in_a_pipe(run: tuple[str | Path, ...]) -> None:
    said = through_a_pipe(*run)
    assert "warning: " in said
    assert not CONTROL.search(said)


@pytest.mark.parametrize("command", [("recipes",), ("data", "info", "digits"), ("study", "list"), ("doctor",)])
def test_tables_too(command: tuple[str, ...]) -> None:
    assert not CONTROL.search(through_a_pipe(*command))


def test_a_table_has_colours_on_a_terminal_alone() -> None:
    assert COLOURS.search(on_a_terminal("doctor"))
    assert not COLOURS.search(on_a_terminal("doctor", NO_COLOR="1"))
