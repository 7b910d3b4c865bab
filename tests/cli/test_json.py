"""`--json`: one document on the standard output and nothing else, for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import SMALL, Here, refused


@pytest.mark.parametrize(
    "command",
    [
        ("recipes",),
        ("data", "list"),
        ("data", "info", "digits"),
        ("data", "info", "mvsa_single"),
        ("data", "check", "FILE"),
        ("study", "list"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_what_there_is(here: Here, data: Path, command: tuple[str, ...]) -> None:
    ran = here(*(data if word == "FILE" else word for word in command), "--json")
    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out)
    assert here(*(data if word == "FILE" else word for word in command)).out != ran.out


@pytest.mark.usefixtures("no_figures")
def test_what_was_found(here: Here, data: Path, tmp_path: Path) -> None:
    commands = [
        ("run", "--data", data, *SMALL, "--recipe", "pmm", "--out", tmp_path / "run"),
        ("worth", tmp_path / "run"),
        ("audit", tmp_path / "run", "--clients", "1", "--steps", "1"),
    ]
    for command in commands:
        ran = here(*command, "--json")
        assert (ran.status, ran.err) == (0, "")
        assert json.loads(ran.out)["format"].startswith("motet-")
    again = here("resume", tmp_path / "run", "--json")
    assert json.loads(again.out)["recipe"]["name"] == "pmm"
    assert again.err == f"{tmp_path / 'run'} is finished already; nothing to do\n"


@pytest.mark.parametrize(
    "command", [("data", "info", "wearable"), ("data", "check", "none.npz"), ("study", "skw"), ("worth", "nowhere")]
)
def test_what_is_wrong_is_no_json(here: Here, tmp_path: Path, command: tuple[str, ...]) -> None:
    ran = here(*command, "--json")
    refused(ran)
    assert ran.out == ""
