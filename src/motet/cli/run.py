"""`motet run` and `motet resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

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
from motet.cli.show import hints, show_comparison, show_run, watch
from motet.errors import InputError


@with_settings()
def run(
    config: TomlArgument = None,
    assignments: SetOption = None,
    out: OutOption = None,
    track: TrackOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
    *,
    given: dict[str, Any],
) -> None:
    """Train once.

    Example: motet run --recipe qqr --data ucihar.npz --missing-rate 0.5 --rounds 50
    """
    from motet.learn.recipe import resolve

    settings = resolve(merged(config, assignments, given))
    from motet.engine import runs
    from motet.record.track import Track

    followed = None if track is None else Track.parse(track)
    folder = runs.new_folder(out, f"{Path(settings.data.data).stem}-{settings.recipe.recipe}-seed{settings.run.seed}")
    with hints(folder):
        result = runs.start(settings, folder, watch(quiet or json), track=followed)
    show_run(result, folder, quiet, json)


def resume(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run or a comparison.")],
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Go on with a run from its last checkpoint; the result is that of the unbroken run, bit for bit.

    Example: motet resume runs/ucihar-qqr-seed0
    """
    from motet.cli import fleet
    from motet.engine import comparisons, runs
    from motet.engine.flower.plan import is_served
    from motet.study import folder as studies

    if studies.is_study(folder):
        raise InputError(f"{folder} holds a study: go on with the command that began it, `{studies.command(folder)}`")
    if comparisons.is_comparison(folder):
        done = comparisons.finished(folder)
        with hints(folder):
            comparison = comparisons.resume(folder, watch(quiet or json))
        if done and not (quiet or json):
            typer.echo(f"{folder} is finished already; nothing to do")
        show_comparison(comparison, folder, quiet, json)
        return
    if runs.finished(folder):
        if not quiet:
            typer.echo(f"{folder} is finished already; nothing to do", err=json)
        if json:
            typer.echo((folder / "result.json").read_text(), nl=False)
        return
    if is_served(folder):
        fleet.go_on(folder, quiet, json)
        return
    with hints(folder):
        result = runs.resume(folder, watch(quiet or json))
    show_run(result, folder, quiet, json)
