"""`motet doctor`."""

from __future__ import annotations

import json as text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from motet.cli.health import Health


def doctor(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """Look at what runs need: versions, devices, data, extras and the current folder; say what is wrong.

    Each in a sentence, with how to mend it. Exit status 1 if anything is wrong that stops runs.

    Example: motet doctor
    """
    from motet.cli.health import examine

    health = examine(Path.cwd())
    if json:
        typer.echo(text.dumps({"well": not health.wrong, **vars(health)}, indent=1))
    else:
        _show(health)
    raise typer.Exit(1 if health.wrong else 0)


def _show(health: Health) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for about, fact in _rows(health.facts):
        table.add_row(about, Text(fact))
    console.print(table)
    for kind, colour, sentences in (("wrong", "red", health.wrong), ("note", "yellow", health.notes)):
        for sentence in sentences:
            console.print(Text.assemble((f"{kind}: ", colour), sentence), soft_wrap=True)
    if not health.wrong:
        console.print("all that a run needs is there", style="green")


def _rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Say the facts, a line each."""
    from motet.record.wording import short_size

    yield "versions", ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    yield "", f"{facts['source']}, {facts['platform']}"
    for name, extra in facts["extras"].items():
        missing = f"not installed: pip install 'motet[{name}]'"
        yield f"extra {name}", f"{extra['package']} {extra['version'] or missing} (for {extra['for']})"
    if "folder" not in facts:
        return
    for name, where in facts["data"]["sets"].items():
        yield f"data {name}", where or f"not here: motet data info {name}"
    yield "data kept in", facts["data"]["home"]
    cpu = facts["devices"]["cpu"]
    yield "devices", ", ".join([f"cpu (cores: {cpu['cores']}, threads: {cpu['threads']})", *facts["devices"]["cuda"]])
    if facts["memory"]["free"] is not None:
        yield "free memory", short_size(facts["memory"]["free"])
    folder = facts["folder"]
    yield "folder", f"{folder['path']} ({short_size(folder['free'])} free)"
    yield (
        "",
        ", ".join(
            f"{what} {'work' if folder[key] else 'do not work'}"
            for key, what in (("locks", "locks"), ("atomic", "atomic writes"))
        ),
    )
