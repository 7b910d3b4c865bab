"""`motet init`: what it writes is what holds anyway, and what the user asked for."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from commands import Here, archive, content, motet, refused
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from motet.cli.init import FIRST
from motet.cli.meaning import meaning
from motet.cli.options import read_toml
from motet.cli.template import template
from motet.config import Config, keys
from motet.learn.recipe import RECIPES, resolve

SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "recipe": st.sampled_from(sorted(RECIPES)),
    "data": st.text(st.characters(codec="utf-8"), min_size=1),
    "modalities": st.lists(st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1), max_size=3),
    "noise": st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.floats(0, 9), max_size=3),
    "missing": st.sampled_from(["zero", "skip", "prototype:match=label"]),
    "impaired": st.booleans(),
    "clients": st.integers(1, 2**40),
    "buffer": st.just("all") | st.integers(1, 99),
    "drift_at": st.lists(st.integers(1, 99), max_size=3),
    "lr": st.floats(min_value=0, exclude_min=True, max_value=1e300, allow_nan=False),
    "missing_modality": st.text(st.characters(codec="utf-8")),
    "degraded_rate": st.floats(0, 1),
    "delta": st.floats(1e-300, 0.5),
    "seed": st.integers(0, 2**63 - 1),
}


def live(text: str) -> str:
    """Return what a file says when every line that has a value loses its mark."""
    return re.sub(r"(?m)^#(\w+ = .)", r"\1", text)


def loaded(text: str) -> Config:
    """Return the configuration of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.toml"
        path.write_text(text, encoding="utf-8")
        return resolve(read_toml(path))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chosen=st.fixed_dictionaries({}, optional=SETTINGS), about=st.lists(st.text(), max_size=2))
@example(chosen={"data": 'a\x7fb\n"\\', "missing_modality": "\x00"}, about=["\x1b[31m", "two\nlines"])
def test_what_is_written_is_what_is_read(chosen: dict[str, Any], about: list[str]) -> None:
    config = resolve(chosen)
    text = template(config, {*FIRST, *chosen}, about)
    assert loaded(text) == config
    assert loaded(live(text)) == config


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_mark_hides_anything(recipe: str) -> None:
    config = resolve({"recipe": recipe})
    text = template(config, ["recipe"])
    assert loaded(text) == loaded(live(text)) == config
    assert len(re.findall(r"(?m)^\w+ =", text)) == 1


def test_every_key_stands_in_its_table_in_order_with_its_meaning() -> None:
    text = template(Config(), FIRST)
    flat = " ".join(text.replace("\n# ", " ").split())
    table, found = "", []
    for line in text.splitlines():
        table = line[1:-1] if line.startswith("[") else table
        match = re.match(r"#?(\w+) =", line)
        found += [(match[1], table)] if match else []
    assert found == [(key, group) for key, group, _, _ in keys()]
    for key, group, _, field in keys():
        assert re.search(f" {re.escape(meaning(group, field))} #?{key} =", flat), key
    assert set(FIRST) <= {key for key, *_ in keys()}


def test_a_newcomers_file(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = here("init")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "wrote motet.toml: change what you like, then `motet run motet.toml`\n"
    text = (tmp_path / "motet.toml").read_text()
    assert re.findall(r"(?m)^(\w+) =", text) == [key for key, *_ in keys() if key in FIRST]
    assert resolve(read_toml(tmp_path / "motet.toml")) == resolve({})
    assert "- heart: signal, 1 x 64, 32 Hz" in text


def test_what_is_asked_for_is_set(here: Here, data: Path, tmp_path: Path) -> None:
    own = ("--data", data, "--recipe", "pmm", "--missing-rate", "0.5", "--noise", "move=0.5", "--proximal", "0.1")
    ran = here("init", tmp_path / "own.toml", *own, "--set", "buffer=12", "--set", "arrivals=3")
    assert (ran.status, ran.err) == (0, "")
    text = (tmp_path / "own.toml").read_text()
    for line in ('recipe = "pmm"', "missing_rate = 0.5", 'noise = { "move" = 0.5 }', "buffer = 12", "arrivals = 3"):
        assert f"\n{line}\n" in text
    assert '\ndrift = "proximal:mu=0.1"\n' in text
    assert "# - move: signal, 2 x 8, 10 Hz\n# - body: vector, 3\n" in text
    given = {"data": str(data), "recipe": "pmm", "missing_rate": 0.5, "noise": "move=0.5", "proximal": 0.1}
    assert resolve(read_toml(tmp_path / "own.toml")) == resolve({**given, "buffer": 12, "arrivals": 3})


@pytest.mark.usefixtures("no_figures")
def test_motet_run_takes_it(here: Here, data: Path, tmp_path: Path) -> None:
    own = ("--data", data, "--rounds", "1", "--features", "4", "--threads", "1")
    assert here("init", tmp_path / "own.toml", *own).status == 0
    ran = here("run", tmp_path / "own.toml", "--quiet", "--out", tmp_path / "run")
    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_a_file_that_exists_is_left(here: Here, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("my notes")
    (tmp_path / "link.toml").symlink_to(tmp_path / "nowhere")
    before = content(tmp_path)
    for there in (tmp_path / "own.toml", tmp_path, tmp_path / "link.toml"):
        refused(here("init", there), f"{there} exists already: name another file, or remove it")
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--recipe", "qqrr"), ("did you mean 'qqr'",)),
        (("--data", "wearable"), ("did you mean 'wearables'",)),
        (("--missing-modality", "gyrro"), ("did you mean 'gyro'",)),
        (("--set", "round=3"), ("did you mean 'rounds'",)),
        (("--rounds", "0"), ("--rounds",)),
    ],
)
def test_what_would_not_run_is_not_written(
    here: Here, tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(here("init", tmp_path / "own.toml", *options), *words)
    assert content(tmp_path) == {}


def test_a_folder_that_is_not_there(here: Here, tmp_path: Path) -> None:
    refused(here("init", tmp_path / "none" / "own.toml"), "cannot be written", "name a file elsewhere")


def test_a_name_that_toml_cannot_hold(tmp_path: Path) -> None:
    odd = archive(tmp_path / "gestures.npz").rename(tmp_path / "\udcff.npz")
    ran = motet("init", tmp_path / "own.toml", "--data", odd, cwd=tmp_path)
    refused(ran, "data ", "cannot be written in a TOML file")
    assert not (tmp_path / "own.toml").exists()
