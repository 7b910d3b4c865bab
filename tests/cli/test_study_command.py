"""`motet study` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import Here, refused

from motet.study.prepared import STUDIES

QUICK = ("--rounds", "2", "--features", "4", "--seeds", "2")


def test_the_list_has_every_study(here: Here) -> None:
    ran = here("study", "list", "--json")
    assert [row["study"] for row in json.loads(ran.out)] == list(STUDIES)
    shown = here("study", "list").out
    assert all(name in shown for name in STUDIES)


def test_a_study_of_ones_own_data_from_command_to_page(here: Here, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("study", "participation", "--data", data, *QUICK, "--kept", tmp_path / "kept", "--out", out)
    ran = here(*command)
    assert ran.status == 0, ran.err
    assert f"page: {out / 'study.md'}" in ran.out
    assert "Holm" in ran.out
    again = here(*command, "--json")
    first, *lines = again.out.splitlines()
    assert json.loads(first)["command"].startswith("motet study participation --preset small --seeds 2")
    assert len(lines) == 2 * 6 * 2
    assert here("report", out).out == f"page: {out / 'study.md'}\n"
    refused(here("resume", out), "holds a study: go on with the command that began it", status=2)
    refused(here(*command[:-1], out, "--lr", "0.2"), "holds another study, or other settings", status=2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("mising-rate",), "missing-rate"),
        (("missing-rate", "--missing-rate", "0.5"), "--missing-rate is what this study varies"),
        (("skew", "--set", "recipe=qqr"), "a study has recipes and seeds of its own"),
        (("skew", "--data", "nowhere.npz"), "nowhere.npz"),
        (("skew", "--preset", "medium"), "medium"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_said_in_a_sentence(
    here: Here, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    refused(here("study", *arguments, "--out", tmp_path / "out"), sentence, status=2)
    assert not (tmp_path / "out").exists()
