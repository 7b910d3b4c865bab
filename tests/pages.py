"""The pages of the site and of the repository, taken apart for tests: links, headings, blocks of code, commands."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import re
import shlex
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import typer

from motet.cli.main import app

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^(?:\$ |\.venv/bin/)?(motet .*)$", re.MULTILINE)
INLINE = re.compile(r"`(motet(?:\s[^`]*)?)`")


def named(path: Path) -> str:
    """Return how a page is called in messages."""
    return str(path.relative_to(ROOT))


@cache
def hooks() -> ModuleType:
    """Return what fills pages while the site is built."""
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@cache
def prose(path: Path) -> str:
    """Return a page as the site has it, without blocks of code."""
    return FENCE.sub("", hooks().on_page_markdown(path.read_text()))


@cache
def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as the site and GitHub make them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE):
        text = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
        slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())
        again = 0
        while (name := f"{slug}_{again}" if again else slug) in found:
            again += 1
        found.add(name)
    return found


def links(path: Path) -> list[str]:
    """Return where a page's links and pictures lead, but for those that leave the repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(path)))
    return [target for target in targets if not target.startswith(("http://", "https://"))]


def python_blocks(path: Path) -> list[str]:
    """Return the blocks of Python on a page."""
    return [text for language, text in FENCE.findall(path.read_text()) if language == "python"]


def complete(block: str) -> bool:
    """Say whether a block uses no name that it does not define."""
    try:
        tree = ast.parse(block)
    except SyntaxError:
        return False
    known, used = set(dir(builtins)), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else known).add(node.id)
        elif isinstance(node, ast.alias):
            known.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.arg):
            known.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            known.add(node.name)
    return used <= known


class Typed(NamedTuple):
    """A command as a page prints it.

    Attributes
    ----------
    page, text : str
    whole : bool
        Whether it stands in a block of code, where it is complete.
    """

    page: str
    text: str
    whole: bool


def typed() -> Iterator[Typed]:
    """Yield the commands that pages print."""
    for path in PAGES:
        text = path.read_text()
        for _, block in FENCE.findall(text):
            for command in TYPED.findall(block.replace("\\\n", " ")):
                yield Typed(named(path), command, True)
        for words in INLINE.findall(FENCE.sub("", text)):
            if words != "motet":
                yield Typed(named(path), " ".join(words.split()), False)


def parsed(text: str) -> tuple[Any, list[str]]:
    """Return the command that is meant, and the words behind it."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(text, comments=True)[1:]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"there is no command {words[0]!r}"
        command = command.commands[words.pop(0)]
    return command, words
