"""`motet worth`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motet.cli.options import JsonOption, QuietOption
from motet.cli.show import show_worth, watch


def worth(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")],
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Show what each modality is worth to the trained model, overall, by class and by client.

    The exact Shapley value of accuracy on the test split, over all subsets of
    up to 8 modalities. Without any modality chance is left, 1 / number of
    classes, so the values add up to accuracy minus chance.

    Example: motet worth runs/ucihar-qqr-seed0
    """
    from motet.engine import runs

    found = runs.worth(folder, watch(quiet or json))
    show_worth(found, runs.keep_worth(folder, found), quiet, json)
