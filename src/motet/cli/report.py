"""`motet report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run or comparison.")],
) -> None:
    """Write the report page again.

    Example: motet report runs/demo
    """
    from motet.engine import comparisons, runs

    page = comparisons.report(folder) if comparisons.is_comparison(folder) else runs.report(folder)
    typer.echo(f"report: {page}")
