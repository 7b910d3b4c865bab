"""The pages: links lead somewhere, code runs, commands exist, and what is said of recipes is what the code has."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import motet
from motet.config import keys, option
from motet.errors import InputError
from motet.learn import prototypes, ternary
from motet.learn.aggregate.ssca import LEAST_OVERLAP
from motet.learn.family import FAMILIES, create
from motet.learn.recipe import RECIPES, resolve
from motet.wire.codec import SHARE
from pages import DOCS, FENCE, PAGES, ROOT, anchors, complete, hooks, links, named, parsed, prose, python_blocks, typed

ON_A_PAGE_OF_THEIR_OWN = ["qqr", "pmm", "fedcmi", "fedmchain", "t-fedavg", "motet"]
WHOLE = [name for name, row in RECIPES.items() if row.control_of is None]
INCOMPLETE = {"README.md": 2, "docs/archive.md": 1, "docs/design.md": 2}
"""Blocks of Python that show a part: of an archive or a table of the reader's, of signatures."""


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_a_page_and_a_heading(page: Path) -> None:
    for target in links(page):
        place, _, anchor = target.partition("#")
        found = (page.parent / place).resolve() if place else page
        assert found.exists(), f"{target}: there is no {place}"
        if anchor:
            assert anchor in anchors(found), f"{target}: no such heading; there are {sorted(anchors(found))}"


def test_every_page_can_be_found() -> None:
    menu = re.findall(r": ([\w./-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(menu) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_nothing_is_asked_of_the_network_at_reading() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert settings["theme"]["font"] is False
    assert "extra_javascript" not in settings
    for page in PAGES:
        assert not re.search(r"<script|<iframe|!\[[^]]*\]\(http|src=\"http", prose(page)), page
    for drawing in [*DOCS.rglob("*.svg"), DOCS / "site.css"]:
        assert not re.search(r"url\(['\"]?http|href=\"http|@import", drawing.read_text()), drawing


def test_which_blocks_of_python_are_no_programs() -> None:
    shown = {named(page): sum(not complete(block) for block in python_blocks(page)) for page in PAGES}
    assert {page: count for page, count in shown.items() if count} == INCOMPLETE


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=f"{named(page)}-{place}")
        for page in PAGES
        for place, block in enumerate(python_blocks(page))
        if complete(block)
    ],
)
def test_blocks_of_python_run(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for family, known in FAMILIES.items():
        monkeypatch.setitem(FAMILIES, family, dict(known))  # so that a member of a page's own is gone afterwards
    (tmp_path / "block.py").write_text(block)
    runpy.run_path("block.py", run_name="block")


@pytest.mark.parametrize("command", sorted(set(typed())), ids=lambda command: f"{command.page}-{command.text[:60]}")
def test_commands_are_those_of_the_command_line(command: tuple[str, str, bool]) -> None:
    _, text, whole = command
    found, words = parsed(text)
    options = {name for parameter in found.params for name in parameter.opts} | {"--help", "--version"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in options, f"{text}: there is no option {word}"
    if not whole or any(word.isupper() and word != "DIR" for word in words):
        return  # a part of a command, or one with places to fill
    given = found.make_context(text, words).params
    settings = {key: given[key] for key, *_ in keys() if given.get(key) is not None}
    config = resolve(settings)
    for family in FAMILIES:
        create(family, getattr(config.recipe, family))


@pytest.mark.parametrize("name", WHOLE)
def test_each_recipe_has_a_place_with_its_row_and_source(name: str) -> None:
    own = name in ON_A_PAGE_OF_THEIR_OWN
    page = DOCS / "recipes" / f"{name if own else 'baselines'}.md"
    text = page.read_text()
    if own:
        assert f"<!-- recipe {name} -->" in text
        assert f"motet run --recipe {name}" in text
    else:
        assert name in re.findall(r"<!-- recipes (.*) -->", text)[0].split()
        assert name in anchors(page)
    for number in re.findall(r"\d{4}\.\d{5}", RECIPES[name].source):
        assert f"[arXiv {number}](https://arxiv.org/abs/{number})" in text, number
    row = resolve({"recipe": name}).recipe
    for family in FAMILIES:
        assert f"[`{getattr(row, family)}`][motet.learn.{family}." in prose(page)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("qqr", f"P <- {prototypes.EMA_KEEP} P + {1 - prototypes.EMA_KEEP:.1g} ·"),
        ("pmm", f"P <- {prototypes.EMA_KEEP} P + {1 - prototypes.EMA_KEEP:.1g} ·"),
        ("qqr", f"τ = 1/{1 / resolve({}).recipe.prototype_temperature:g}."),
        ("fedcmi", f"λ1 = {create('objective', 'infiltrate').self_weight:g};"),
        ("fedcmi", f"λ2 = {create('objective', 'infiltrate').infiltration_weight:g},"),
        ("fedcmi", f"μ = {create('drift', 'proximal').mu}."),
        ("fedmchain", f"γ = {create('objective', 'chain').gamma:g},"),
        ("fedmchain", f"at least {create('aggregate', 'ssca').agreement}\n"),
        ("fedmchain", f"0 if under {LEAST_OVERLAP}\n"),
        ("fedmchain", "the largest fifth of each modality's block" if SHARE == 1 / 5 else "another share"),
        ("t-fedavg", f"|w| > {ternary.THRESHOLD} mean|w|"),
        ("t-fedavg", f"|w| > {ternary.SERVER_THRESHOLD} max|w|"),
        ("baselines", f"tanh({create('objective', 'ogm').strength} ρ_m)"),
        ("baselines", f"|w - w_G|²,   μ = {create('drift', 'proximal').mu}\n"),
        ("baselines", f"μ = {create('drift', 'moon').mu:g}, τ = {create('drift', 'moon').tau}\n"),
    ],
)
def test_constants_in_formulas_are_the_code_s(page: str, said: str) -> None:
    assert said.replace(" 0.", " .").replace("(0.", "(.") in (DOCS / "recipes" / f"{page}.md").read_text()


def test_pages_are_filled_from_the_code() -> None:
    commands = hooks().commands()
    for command in ("motet run", "motet data fetch", "motet join"):
        assert f"\n## {command}\n" in commands
    for key, *_ in keys():
        assert f"`{option(key)}`" in commands
    assert "[default: 100]" not in commands  # brackets would be taken for links
    assert "`motet compare --controls`" in hooks().recipe("qqr")
    assert "(`--degraded as-is`)" in hooks().recipe("qqr")
    members = hooks().members()
    for known in FAMILIES.values():
        for path in known.values():
            assert f"::: {str(path).replace(':', '.')}\n" in members
    with pytest.raises(KeyError):
        hooks().on_page_markdown("<!-- recipe nobody -->")


def test_all_of_the_public_interface_is_described() -> None:
    text = (DOCS / "reference" / "python.md").read_text()
    assert set(motet.__all__) <= set(re.findall(r"^::: motet\.(\w+)$", text, re.MULTILINE))


def test_the_guide_to_the_report_knows_its_sections() -> None:
    made = ROOT / "src" / "motet" / "record" / "report"
    text = "".join(path.read_text() for path in made.iterdir() if path.suffix in (".py", ".html"))
    for heading in re.findall(r"^## (.*)$", (DOCS / "report.md").read_text(), re.MULTILINE):
        assert heading in text or heading == "More figures", heading


def test_the_version_to_cite_is_this_one() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == motet.__version__
    assert f"version = {{{motet.__version__}}}" in (DOCS / "cite.md").read_text()


def test_a_choice_that_there_is_not_would_be_seen() -> None:
    with pytest.raises(AssertionError, match="no command"):
        parsed("motet rum --recipe qqr")
    with pytest.raises(InputError):
        resolve({"recipe": "qqr", "missing": "guess"})


ENVIRONMENT = {**os.environ, "COLUMNS": "80", "OMP_NUM_THREADS": "1", "NO_MKDOCS_2_WARNING": "1"}


def words(text: str) -> str:
    """Return what is printed without its numbers and spaces, which differ from machine to machine."""
    return " ".join(re.sub(r"[\d.]+", "0", text).split())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_prints_what_its_commands_print(tmp_path: Path) -> None:
    for language, text in FENCE.findall((DOCS / "tutorial.md").read_text()):
        if language == "python":
            subprocess.run([sys.executable, "-c", text], cwd=tmp_path, env=ENVIRONMENT, check=True)
        if language == "console":
            command, _, printed = text.partition("\n")
            arguments = command.removeprefix("$ motet ").split()
            done = subprocess.run(
                [sys.executable, "-m", "motet", *arguments],
                cwd=tmp_path,
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
                check=True,
            )
            assert words(done.stdout) == words(printed), command


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocstrings", reason="the extra 'dev' is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in tmp_path.rglob("*.html"):
        asked = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(https?:[^\s\">]+)", page.read_text())
        assert not asked, f"{page.name} asks the network for {asked}"
