"""The help: quick, with defaults and an example for every command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ENVIRONMENT, Here

import motet
from motet.cli.meaning import choices, meaning, metavar
from motet.config import Config, keys, option
from motet.learn.family import FAMILIES, members
from motet.learn.recipe import RECIPES

COMMANDS = [
    "demo",
    "init",
    "doctor",
    "study",
    "run",
    "resume",
    "compare",
    "recipes",
    "worth",
    "audit",
    "report",
    "fleet",
    "serve",
    "join",
    "keys",
]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['motet', '--help']\n"
        "from motet.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as left: assert left.code in (0, None), left.code\n"
        "heavy = {'torch', 'numpy', 'scipy', 'sklearn', 'matplotlib', 'safetensors', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=ENVIRONMENT, timeout=60)


def test_all_commands_are_listed(here: Here) -> None:
    ran = here("--help")
    assert (ran.status, ran.err) == (0, "")
    assert "Example: motet demo" in ran.out
    for command in [*COMMANDS, "data"]:
        assert f" {command} " in ran.out


def test_version(here: Here) -> None:
    assert here("--version").out == f"motet {motet.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_shows_an_example(here: Here, command: str) -> None:
    ran = here(command, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert f"Example: motet {command}" in ran.out


def flattened(text: str) -> str:
    """Return help as running text, without the frames around it."""
    return " ".join(text.translate(dict.fromkeys(map(ord, "│╭╰╮╯─"), " ")).split())


@pytest.mark.parametrize("command", ["run", "compare"])
def test_every_setting_is_an_option_with_its_default(here: Here, command: str) -> None:
    text = flattened(here(command, "--help").out)
    defaults = Config().flat()
    for key, group, _, field in keys():
        if command == "compare" and key in ("recipe", "seed"):
            assert f" {option(key)} " not in text
            continue
        shown = f" {option(key)} {metavar(field)} {meaning(group, field)}"
        assert shown in text, key
        about = f"{meaning(group, field)} {text.partition(shown)[2].partition('] ')[0]}]"
        assert field.description
        if group == "recipe" and key != "recipe":
            assert "[default: the recipe's]" in about, key
        elif "[default" in field.description:
            assert "[default: " in about, key
        elif defaults[key] not in (None, {}, []):
            shown = defaults[key]
            assert f"[default: {str(shown).lower() if isinstance(shown, bool) else shown}]" in about, key
    assert "[CONFIG.toml]" in text
    assert "--set KEY=VALUE" in text
    assert "[default: a new one under runs/]" in text


def test_every_word_that_a_value_may_be_is_named() -> None:
    for key, group, _, field in keys():
        words = [*(members(key) if key in FAMILIES else ()), *choices(field)]
        assert set(words) <= set(re.findall(r"[\w-]+", meaning(group, field))), key


def test_what_stands_for_a_value_says_its_type() -> None:
    shown = {key: metavar(field) for key, _, _, field in keys()}
    assert (shown["rounds"], shown["lr"], shown["impaired"]) == ("INTEGER", "NUMBER", "true|false")
    assert (shown["buffer"], shown["noise"], shown["modalities"]) == ("INTEGER|all", "M=NUMBER,...", "A,B,...")
    assert (shown["partition"], shown["clients"], shown["optimizer"]) == ("NAME", "INTEGER", "NAME")


def test_what_nearly_everyone_needs_stands_at_the_end(here: Here) -> None:
    for command in ("run", "compare", "study", "fleet", "serve"):
        text = here(command, "--help").out
        assert text.index("─ Output ─") > text.index("─ Run ─") > text.index("─ Data ─")
        assert text.count("─ Output ─") == 1


def test_the_short_form_of_help(here: Here) -> None:
    assert here("data", "info", "-h").out == here("data", "info", "--help").out


def test_compare_says_what_it_compares_by_default(here: Here) -> None:
    text = flattened(here("compare", "--help").out)
    assert "[default: fedavg,partial,pmm,qqr]" in text
    assert "[default: 3]" in text


def test_recipes_as_a_table(here: Here) -> None:
    ran = here("recipes")
    assert (ran.status, ran.err) == (0, "")
    rows = {line.split()[0]: line for line in ran.out.splitlines() if line.strip()}
    assert {"recipe", *RECIPES} <= set(rows)
    assert "blend" in rows["qqr"]
    assert "prototypes q4" in rows["qqr"]
    assert "2508.11159" in rows["qqr"]
    assert "prototypes" not in rows["fedavg"].partition("dense")[2].split("  ")[0]


def test_recipes_as_json(here: Here) -> None:
    ran = here("recipes", "--json")
    rows = {row["recipe"]: row for row in json.loads(ran.out)}
    assert rows["qqr"]["missing"] == "prototype"
    assert rows["qqr"]["prototype_bits"] == 4
    assert all(row["source"] and row["summary"] for row in rows.values())


@pytest.mark.parametrize("columns", ["40", "80", "300"])
def test_help_fits_any_terminal(here: Here, monkeypatch: pytest.MonkeyPatch, columns: str, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for arguments in (["--help"], ["run", "--help"], ["serve", "--help"], ["recipes"]):
        ran = here(*arguments)
        assert (ran.status, ran.err) == (0, "")
        if arguments != ["recipes"]:
            assert max(map(len, ran.out.splitlines())) <= int(columns)
