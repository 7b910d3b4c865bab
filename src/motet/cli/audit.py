"""`motet audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motet.cli.options import JsonOption, QuietOption
from motet.cli.show import show_audit, watch


def audit(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")],
    clients: Annotated[int, typer.Option(min=1, metavar="N", help="How many clients to listen to.")] = 3,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Steps of gradient descent in an inversion.")] = 150,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Show what an eavesdropper recovers of clients' samples from one message of theirs, by its bits and noise.

    It has the trained model, and the test split as data of the same kind.
    From prototypes it tells whose samples they are made of, and inverts
    them; from updates of 1, 4 and 8 samples it reconstructs the samples.

    Example: motet audit runs/ucihar-qqr-seed0
    """
    from motet.engine import runs

    found = runs.audit(folder, watch(quiet or json), clients, steps)
    show_audit(found, runs.keep_audit(folder, found), quiet, json)
