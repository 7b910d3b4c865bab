"""`motet recipes`."""

from __future__ import annotations

from typing import Annotated

import typer


def recipes(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """Show every recipe as its row of choices, with its source.

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

        found = [{"recipe": n, "summary": RECIPES[n].summary, "source": RECIPES[n].source, **rows[n]} for n in rows]
        typer.echo(text.dumps(found, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("recipe", *FAMILIES, "upload", "what it does", "source", box=None, header_style="bold")
    for name, choices in rows.items():
        uses = "prototype" in choices["missing"] or choices["degraded"] in ("align", "blend", "replace")
        bits = choices["prototype_bits"]
        upload = choices["upload"] if choices["aggregate"] != "none" else "-"
        if uses and bits < 32:
            upload += f", prototypes q{bits}"
        cells = [choices[family] for family in FAMILIES]
        table.add_row(name, *cells, upload, RECIPES[name].summary, RECIPES[name].source)
    Console(width=None if Console().is_terminal else 200).print(table)
