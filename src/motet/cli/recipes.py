"""`motet recipes`."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def recipes(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """Show every recipe as its row of choices, with its source; below, the controls of some of them.

    Example: motet recipes
    """
    from motet.config import RecipeSettings
    from motet.learn.family import FAMILIES
    from motet.learn.recipe import RECIPES

    columns = [*FAMILIES, "weights", "upload", "prototype_bits"]
    rows = {}
    for name, row in RECIPES.items():
        settings = RecipeSettings(**{**row.choices, "recipe": name}).model_dump()
        rows[name] = {column: settings[column] for column in columns}
    if json:
        import json as text

        about = {n: {"recipe": n, "summary": r.summary, "source": r.source} for n, r in RECIPES.items()}
        found = [{**about[n], **rows[n], "control_of": RECIPES[n].control_of} for n in rows]
        typer.echo(text.dumps(found, indent=1))
        return
    from rich.console import Console

    console = Console(width=None if Console().is_terminal else 200)
    console.print(_table({n: own for n, own in rows.items() if RECIPES[n].control_of is None}))
    console.print("\ncontrols: a recipe without its idea, or half of it (compare --controls)", style="bold")
    console.print(_controls(rows))


def _table(rows: dict[str, dict[str, Any]]) -> Any:
    from rich.table import Table

    from motet.learn.family import FAMILIES
    from motet.learn.recipe import RECIPES

    table = Table("recipe", *FAMILIES, "upload", "what it does", "source", box=None, header_style="bold")
    for name, choices in rows.items():
        uses = "prototype" in choices["missing"] or choices["degraded"] in ("align", "blend", "replace")
        bits = choices["prototype_bits"]
        upload = choices["upload"] if choices["aggregate"] != "none" else "-"
        if uses and bits < 32:
            upload += f", prototypes q{bits}"
        cells = [choices[family] for family in FAMILIES]
        table.add_row(name, *cells, upload, RECIPES[name].summary, RECIPES[name].source)
    return table


def _controls(rows: dict[str, dict[str, Any]]) -> Any:
    """Say of each control in which choice it differs from its recipe."""
    from rich.table import Table

    from motet.learn.recipe import RECIPES

    table = Table("control", "of", "with", "what it does", box=None, header_style="bold")
    for name, choices in rows.items():
        whole = RECIPES[name].control_of
        if whole is not None:
            differs = [f"{key} {value}" for key, value in choices.items() if value != rows[whole][key]]
            table.add_row(name, whole, ", ".join(differs), RECIPES[name].summary)
    return table
