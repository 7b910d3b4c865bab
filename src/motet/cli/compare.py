"""`motet compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from motet.cli.complete import recipe_list
from motet.cli.options import (
    JsonOption,
    OutOption,
    QuietOption,
    SetOption,
    TomlArgument,
    TrackOption,
    merged,
    with_settings,
)
from motet.cli.show import hints, show_comparison, watch


@with_settings("recipe", "seed")
def compare(
    config: TomlArgument = None,
    recipes: Annotated[
        str,
        typer.Option(
            "--recipes",
            metavar="A,B,...",
            help="Recipes, the first being what the others are held against.",
            autocompletion=recipe_list,
        ),
    ] = "fedavg,partial,pmm,qqr",
    seeds: Annotated[int, typer.Option("--seeds", min=1, metavar="N", help="Seeds 0..N-1.")] = 3,
    controls: Annotated[
        bool, typer.Option("--controls", help="Add each recipe's controls: the same without its idea, or half of it.")
    ] = False,
    assignments: SetOption = None,
    out: OutOption = None,
    track: TrackOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
    *,
    given: dict[str, Any],
) -> None:
    """Train several recipes on the same data, failures, draws and initial weights.

    Example: motet compare --recipes fedavg,partial,qqr --seeds 5 --missing-rate 0.9
    """
    from motet.engine import comparisons, runs
    from motet.record.track import Track

    followed = None if track is None else Track.parse(track)
    plan = comparisons.plan(recipes.split(","), seeds, merged(config, assignments, given), controls, followed)
    folder = runs.new_folder(out, f"{Path(plan.data).stem}-compare")
    with hints(folder):
        comparison = comparisons.start(plan, folder, watch(quiet or json))
    show_comparison(comparison, folder, quiet, json)
