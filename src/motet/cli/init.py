"""`motet init`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli.options import SetOption, merged, with_settings
from motet.config import Config
from motet.errors import InputError

if TYPE_CHECKING:  # what needs numpy is imported where it is used, so that --help is quick
    from motet.data.dataset import Dataset, Modality

FIRST = ("data", "recipe", "rounds", "batch_size", "lr", "missing_rate", "degraded_rate", "seed")
"""What a newcomer changes first."""


@with_settings()
def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to write.")] = Path("motet.toml"),
    assignments: SetOption = None,
    *,
    given: dict[str, Any],
) -> None:
    """Write a configuration for `motet run`: every setting with its meaning and default, those given here set.

    It is checked against the data as `motet run` checks it, and a file that exists is left as it is.

    Example: motet init mine.toml --data mine.npz --recipe qqr --missing-rate 0.5
    """
    from motet.cli.template import template
    from motet.engine.federation import check
    from motet.engine.runs import find_data
    from motet.learn.recipe import resolve

    own = merged(None, assignments, given)
    config = resolve(own)
    if file.exists():  # known at once, where reading the data may take long
        raise _exists(file)
    dataset = find_data(config)
    check(config, dataset)
    _write_new(file, template(config, {*FIRST, *own, *_changed(config)}, _about(config.data.data, dataset)))
    typer.echo(f"wrote {file}: change what you like, then `{shlex.join(['motet', 'run', str(file)])}`")


def _changed(config: Config) -> list[str]:
    """Return the keys that are not as the recipe alone has them, such as the drift that --proximal is short for."""
    from motet.learn.recipe import resolve

    plain = resolve({"recipe": config.recipe.recipe}).flat()
    return [key for key, value in config.flat().items() if value != plain[key]]


def _about(name: str, dataset: Dataset) -> Iterator[str]:
    """Say what the data hold."""
    yield f"{name}: {len(dataset.y):,} samples of {len(dataset.classes)} classes. Its modalities:"
    yield from (f"- {_described(modality)}" for modality in dataset.modalities.values())


def _described(modality: Modality) -> str:
    rate = f", {modality.rate_hz:g} Hz" if modality.rate_hz is not None else ""
    return f"{modality.name}: {modality.kind}, {' x '.join(map(str, modality.shape))}{rate}"


def _write_new(file: Path, text: str) -> None:
    """Write a file that must not exist yet; if it cannot be written whole, none is left."""
    try:
        opened = open(file, "x", encoding="utf-8")  # noqa: SIM115  (what is closed below)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}): name a file elsewhere") from None
    try:
        with opened:
            opened.write(text)
    except BaseException:
        file.unlink()
        raise


def _exists(file: Path) -> InputError:
    return InputError(f"{file} exists already: name another file, or remove it")
