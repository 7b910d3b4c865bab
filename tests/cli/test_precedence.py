"""Where a setting's value comes from: command line, --set, TOML, recipe, default; in that order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import Here, content, refused

pytestmark = pytest.mark.usefixtures("no_figures")

TINY = ("--rounds", "1", "--features", "4", "--threads", "1", "--quiet")


@pytest.fixture
def config_of(here: Here, data: Path, tmp_path: Path) -> Any:
    """Run with some arguments and return the configuration of the run."""

    def run(*arguments: str | Path) -> dict[str, Any]:
        out = tmp_path / "run"
        ran = here("run", *arguments, "--data", data, *TINY, "--out", out)
        assert (ran.status, ran.err) == (0, "")
        found: dict[str, Any] = json.loads((out / "config.json").read_text())
        return found

    return run


def toml(folder: Path, text: str) -> Path:
    (folder / "own.toml").write_text(text)
    return folder / "own.toml"


def test_default_recipe_toml_set_command_line(config_of: Any, tmp_path: Path) -> None:
    file = toml(
        tmp_path,
        """
        recipe = "partial"
        lr = 0.01
        lr_min = 0.002
        momentum = 0.5
        degraded = "as-is"
        """,
    )
    config = config_of(file, "--set", "lr_min=0.003", "--set", "momentum=0.6", "--momentum", "0.7")
    assert config["batch_size"] == 64  # default
    assert config["missing"] == "skip"  # recipe
    assert config["lr"] == 0.01  # TOML
    assert config["degraded"] == "as-is"  # TOML over recipe
    assert config["lr_min"] == 0.003  # --set over TOML
    assert config["momentum"] == 0.7  # command line over --set


def test_the_order_on_the_command_line_does_not_matter(config_of: Any, tmp_path: Path) -> None:
    file = toml(tmp_path, "momentum = 0.5")
    assert config_of("--momentum", "0.7", "--set", "momentum=0.6", file)["momentum"] == 0.7


def test_the_recipe_of_the_command_line_keeps_what_the_file_chose(config_of: Any, tmp_path: Path) -> None:
    file = toml(tmp_path, 'recipe = "fedavg"\nmissing = "skip"')
    config = config_of(file, "--recipe", "qqr")
    assert (config["recipe"], config["missing"], config["degraded"]) == ("qqr", "skip", "blend")


def test_tables_group_and_hyphens_are_underscores(config_of: Any, tmp_path: Path) -> None:
    file = toml(
        tmp_path,
        """
        evaluate-every = 3
        noise = { move = 0.5 }
        [training]
        batch-size = 16
        lr_decay = 0.9
        [missing]
        missing-rate = 0.25
        missing_pattern = "bursty"
        [stream]
        buffer = 12
        arrivals = 3
        [data]
        modalities = ["body", "move"]
        """,
    )
    config = config_of(file, "--set", "local-epochs=2")
    assert (config["evaluate_every"], config["batch_size"], config["lr_decay"]) == (3, 16, 0.9)
    assert (config["missing_rate"], config["missing_pattern"]) == (0.25, "bursty")
    assert (config["buffer"], config["arrivals"], config["local_epochs"]) == (12, 3, 2)
    assert (config["modalities"], config["noise"]) == (["body", "move"], {"move": 0.5})


def test_set_reaches_every_key_and_the_last_one_counts(config_of: Any) -> None:
    config = config_of("--set", "noise=move=0.5,body=1", "--set", "lr=0.2", "--set", "lr = 0.3", "--set", "buffer=all")
    assert (config["noise"], config["lr"], config["buffer"]) == ({"move": 0.5, "body": 1.0}, 0.3, "all")


def test_proximal_is_short_for_a_drift(config_of: Any) -> None:
    assert config_of("--proximal", "0.5")["drift"] == "proximal:mu=0.5"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("missing_rat = 0.5", ("unknown setting 'missing_rat'", "did you mean 'missing_rate'")),
        ("[training]\nbatch-sise = 3", ("unknown setting", "did you mean 'batch_size'")),
        ("[trainin]\nlr = 3", ("unknown table of", "own.toml 'trainin'", "did you mean 'training'?")),
        ("rounds = 'many'", ("--rounds", "valid integer", "'many'")),
        ("rounds = 2.5", ("--rounds", "2.5")),
        ("missing_rate = 1.5", ("--missing-rate", "less than or equal to 1", "1.5")),
        ("data = 1979-05-27", ("--data", "valid string")),
        ("modalities = 3", ("--modalities", "list")),
        ("lr = nan", ("--lr", "nan")),
        ("seed = -1", ("--seed", "-1")),
        ("buffer = 'some'", ("--buffer", "'all'", "'some'")),
        ("recipe = ['qqr']", ("unknown recipe",)),
        ("rounds = ", ("own.toml is not valid TOML",)),
        ("rounds = 1\nrounds = 2", ("own.toml is not valid TOML",)),
        ("\x00", ("own.toml is not valid TOML",)),
    ],
)
def test_a_bad_file_is_refused(here: Here, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    file = toml(tmp_path, text)
    before = content(tmp_path)
    refused(here("run", file, "--out", tmp_path / "run"), *words)
    if not {"recipe", "seed"} & set(text.split()):  # which a comparison does not read
        refused(here("compare", file, "--out", tmp_path / "run"), *words)
    assert content(tmp_path) == before


def test_a_file_that_cannot_be_read(here: Here, tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00lr")
    refused(here("run", tmp_path / "binary.toml"), "binary.toml is not valid TOML")
    refused(here("run", tmp_path / "none.toml"), "there is no configuration file", "none.toml")
    refused(here("run", tmp_path), "is a folder, not a configuration file", "motet resume")
    refused(here("run", tmp_path / "binary.toml" / "own.toml"), "cannot be read")


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("rounds", ("--set 'rounds' has no '='", "key=value")),
        ("round=3", ("unknown setting 'round'", "did you mean 'rounds'")),
        ("=3", ("unknown setting ''",)),
        ("rounds=", ("--rounds",)),
        ("noise=move", ("--noise", "modality=number")),
        ("noise=move=loud", ("--noise", "valid number")),
        ("impaired=perhaps", ("--impaired",)),
    ],
)
def test_a_bad_assignment_is_refused(here: Here, tmp_path: Path, assignment: str, words: tuple[str, ...]) -> None:
    refused(here("run", "--set", assignment, "--out", tmp_path / "run"), *words)
    assert content(tmp_path) == {}
