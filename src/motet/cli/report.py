"""`motet report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run, comparison or study.")],
) -> None:
    """Write the report page again.

    Example: motet report runs/demo
    """
    from motet.engine import comparisons, runs
    from motet.study import folder as studies

    if studies.is_study(folder):
        typer.echo(f"page: {studies.report(folder)}")
        return
    page = comparisons.report(folder) if comparisons.is_comparison(folder) else runs.report(folder)
    typer.echo(f"report: {page}")
