"""`motet study`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from motet.cli.complete import studies, words
from motet.cli.options import (
    OUTPUT,
    JsonOption,
    OutOption,
    QuietOption,
    SetOption,
    TomlArgument,
    merged,
    plain,
    with_settings,
)
from motet.cli.show import watch
from motet.config import option
from motet.errors import InputError, Interrupted, unknown

LIST = "list"
PRESETS = ("small", "full")
KEPT = Path("runs/kept")


@with_settings("recipe", "seed")
def study(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A prepared study; `list` shows them all.", autocompletion=studies)
    ],
    config: TomlArgument = None,
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            metavar="small|full",
            help="small: minutes, on built-in data; full: hours, on real archives.",
            autocompletion=words(*PRESETS),
        ),
    ] = "small",
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, metavar="N", help=plain("Seeds 0..N-1 [default: the preset's]."))
    ] = None,
    kept: Annotated[
        Path, typer.Option("--kept", help="Folder of finished runs, which studies share.", rich_help_panel=OUTPUT)
    ] = KEPT,
    assignments: SetOption = None,
    out: OutOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
    *,
    given: dict[str, Any],
) -> None:
    """Carry out a prepared study: a table, a figure and a paragraph of findings; begun again, it goes on.

    Example: motet study missing-rate --preset small
    """
    if name == LIST:
        _list(json)
        return
    if preset not in PRESETS:
        raise unknown("value of --preset", preset, PRESETS)
    from motet.study import folder

    chosen, own = folder.find(name), merged(config, assignments, given)
    if {"recipe", "seed"} & set(own):
        raise InputError("a study has recipes and seeds of its own: leave recipe and seed out; --seeds N says how many")
    design = folder.plan(chosen, preset, seeds, own)
    to = out if out is not None else Path("runs") / f"study-{name}-{preset}"
    try:
        found = folder.run(chosen, preset, design, _typed(name, preset, seeds, own), to, kept, watch(quiet or json))
    except Interrupted as stopped:
        raise Interrupted(f"{stopped}: go on with the same command, `{shlex.join(['motet', *sys.argv[1:]])}`") from None
    if json:
        from motet.study.data import write

        typer.echo(write(found), nl=False)
    elif not quiet:
        _show(chosen, found, to)


def _list(json: bool) -> None:
    from motet.study.prepared import STUDIES

    rows: list[dict[str, Any]] = [
        {
            "study": study.name,
            "question": study.question,
            "runs": {preset: len(list(study.design(preset).cells())) for preset in PRESETS},
        }
        for study in STUDIES.values()
    ]
    if json:
        import json as text

        typer.echo(text.dumps(rows, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("study", "question", box=None, header_style="bold")
    for preset in PRESETS:
        table.add_column(f"runs, {preset}", justify="right")
    for row in rows:
        table.add_row(row["study"], row["question"], *map(str, row["runs"].values()))
    Console().print(table)


def _typed(name: str, preset: str, seeds: int | None, own: dict[str, Any]) -> str:
    """Return the command that makes the same numbers, wherever files lie."""
    words = ["motet", "study", name, "--preset", preset, *(["--seeds", str(seeds)] if seeds is not None else [])]
    for key, value in own.items():
        words += [option(key), ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    return shlex.join(words)


def _show(study: Any, found: Any, to: Path) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    from motet.study.folder import FIGURE, PAGE
    from motet.study.page import tables
    from motet.study.words import findings, how_sure

    console = Console()
    console.print(Markdown("\n\n".join(tables(study, found))))
    for sentence in findings(study, found):
        console.print(f"- {sentence.replace('`', '')}", markup=False, highlight=False)
    console.print(f"({how_sure(found)})", markup=False, highlight=False, style="dim")
    typer.echo(f"page: {to / PAGE}")
    typer.echo(f"figure: {to / FIGURE}")
