"""What the shell is offered, asked as the shell asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import ENVIRONMENT, Here

from motet.config import keys, option
from motet.data.catalogue import CATALOGUE
from motet.learn.family import FAMILIES, members
from motet.learn.recipe import RECIPES
from motet.study.prepared import STUDIES


class Shell:
    """Bash, which asks for the last word of a line."""

    def __init__(self, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here, self.monkeypatch = here, monkeypatch

    def __call__(self, line: str) -> list[str]:
        self.monkeypatch.setenv("_MOTET_COMPLETE", "complete_bash")
        self.monkeypatch.setenv("COMP_WORDS", line)
        self.monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - (not line.endswith(" "))))
        ran = self.here()
        assert (ran.status, ran.err) == (0, "")
        return ran.out.split()


@pytest.fixture
def shell(here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """Ask with an empty folder of fetched data."""
    monkeypatch.setenv("MOTET_HOME", str(tmp_path))
    return Shell(here, monkeypatch)


def test_recipes(shell: Shell) -> None:
    assert shell("motet run --recipe ") == list(RECIPES)
    assert shell("motet run --recipe fedp") == ["fedprox", "fedproto"]
    assert shell("motet init own.toml --recipe pm") == ["pmm"]


def test_lists_of_recipes(shell: Shell) -> None:
    assert shell("motet compare --recipes fedavg,pm") == ["fedavg,pmm"]
    assert "fedavg,fedavg" not in shell("motet compare --recipes fedavg,fed")
    assert "fedavg,fedprox" in shell("motet compare --recipes fedavg,fed")


@pytest.mark.parametrize("family", FAMILIES)
def test_members(shell: Shell, family: str) -> None:
    assert shell(f"motet run --{family} ") == list(members(family))


def test_data(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "kitchen.npz").touch()
    (tmp_path / "ucihar.npz").touch()
    for command in ("run --data", "join host:1 --data", "data info"):
        assert shell(f"motet {command} ") == [*CATALOGUE, "kitchen"]
    assert shell("motet data info wear") == ["wearables"]
    assert shell("motet data make ") == ["ucihar", "mvsa_single"]
    assert shell("motet data fetch ") == ["ucihar"]


def test_studies(shell: Shell) -> None:
    assert shell("motet study ") == ["list", *STUDIES]
    assert shell("motet study missing") == ["missing-rate"]
    assert shell("motet study skew --preset ") == ["small", "full"]


def test_words_of_settings(shell: Shell) -> None:
    assert shell("motet run --optimizer ") == ["sgd", "adam"]
    assert shell("motet run --impaired f") == ["false"]
    assert shell("motet run --buffer ") == ["all"]
    assert shell("motet run --rounds ") == []
    assert "topk+memory" in shell("motet run --upload topk")


def test_options_and_commands(shell: Shell) -> None:
    assert {option(key) for key, *_ in keys()} <= set(shell("motet run --"))
    assert set(shell("motet re")) == {"resume", "recipes", "report"}
    assert shell("motet nonsense --")[:1] != ["motet:"]  # no complaint while somebody types


def test_words_come_with_what_they_mean(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MOTET_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "motet run --recipe pm")
    assert f'"pmm":"{RECIPES["pmm"].summary}"' in here().out


@pytest.mark.parametrize("line", ["motet run --recipe ", "motet run --missing ", "motet run --data ", "motet study "])
def test_nobody_waits_for_pytorch(line: str) -> None:
    code = (
        "import sys; sys.argv = ['motet']\n"
        "from motet.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as left: assert left.code in (0, None), left.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    asked = {"_MOTET_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()))}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env={**ENVIRONMENT, **asked}, timeout=60
    )
    assert done.stdout
