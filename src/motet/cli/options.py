"""The options of the command line, made from the configuration's keys, so that each is written once."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from motet.cli.complete import completion
from motet.cli.meaning import meaning, metavar
from motet.config import keys, option
from motet.errors import InputError, unknown

PANELS = {
    "data": "Data",
    "recipe": "Recipe",
    "assessment": "Quality flags",
    "clients": "Clients",
    "training": "Training",
    "stream": "Stream",
    "labels": "Labels",
    "missing": "Missing modalities",
    "degraded": "Degraded modalities",
    "degradation": "Degradation and test split",
    "privacy": "Privacy",
    "hostile": "Broken and hostile devices",
    "network": "Network",
    "run": "Run",
}
OUTPUT = "Output"


def plain(text: str) -> str:
    """Return text in which brackets are no markup."""
    return text.replace("[", r"\[")


OutOption = Annotated[
    Path | None,
    typer.Option("--out", help=plain("Folder to write to [default: a new one under runs/]."), rich_help_panel=OUTPUT),
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress bar, no table.", rich_help_panel=OUTPUT)]
TrackOption = Annotated[
    str | None,
    typer.Option(
        "--track",
        metavar="TOOL[:PATH]",
        help="Follow rounds in tensorboard or mlflow, in its usual place or the one named.",
        rich_help_panel=OUTPUT,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel=OUTPUT)]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any of the above, or the file's keys; may be repeated.",
        rich_help_panel=OUTPUT,
    ),
]
TomlArgument = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG.toml]", help="A file of the settings below; `motet init` writes one.")
]


def with_settings(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option per configuration key; it receives those that were typed as `given`.

    Parameters
    ----------
    left_out : str
        Keys that make no sense for the command.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        names = []
        own = [p for name, p in inspect.signature(command).parameters.items() if name != "given"]
        parameters = []
        for key, group, _, field in keys():
            if key in left_out:
                continue
            names.append(key)
            default = "the recipe's" if group == "recipe" and key != "recipe" else field.default
            info = typer.Option(
                option(key),
                help=_described(meaning(group, field), default),
                metavar=metavar(field),
                autocompletion=completion(key, field),
                rich_help_panel=PANELS[group],
                show_default=False,
            )
            parameters.append(
                inspect.Parameter(
                    key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, info]
                )
            )

        def wrapped(**arguments: Any) -> None:
            given = {key: arguments.pop(key) for key in names}
            command(**arguments, given={key: value for key, value in given.items() if value is not None})

        hints = inspect.get_annotations(command, eval_str=True)
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[p.name]) for p in own]
        # The end of a long help is what stays on the screen: there stand the options that nearly everyone needs.
        last = [p for p in own if p.annotation.__metadata__[0].rich_help_panel == OUTPUT]
        first = [p for p in own if p not in last]
        wrapped.__signature__ = inspect.Signature(first + parameters + last)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {**hints, **{p.name: p.annotation for p in parameters}}
        wrapped.__annotations__.pop("given", None)
        wrapped.__doc__, wrapped.__name__ = command.__doc__, command.__name__
        return wrapped

    return decorate


def _described(description: str, default: Any) -> str:
    """Return an option's help, with its default unless the description says it or there is nothing to say."""
    if default is None or default in ({}, []) or "[default" in description:
        return plain(description)
    shown = str(default).lower() if isinstance(default, bool) else default
    return plain(f"{description} [default: {shown}]")


def merged(toml: Path | None, assignments: list[str] | None, given: dict[str, Any]) -> dict[str, Any]:
    """Join the three ways of setting a key: the command line wins, then --set, then the TOML file.

    Raises
    ------
    InputError
        If the file cannot be read, or an assignment has no ``=``.
    """
    found = {} if toml is None else read_toml(toml)
    for text in assignments or []:
        key, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"--set {text!r} has no '=': write --set key=value")
        found[key.strip().replace("-", "_")] = value.strip()
    return {**found, **given}


def read_toml(path: Path) -> dict[str, Any]:
    """Return the keys of a TOML file; tables only group them.

    Raises
    ------
    InputError
        If there is no such file, it is no TOML, or a table is unknown.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no configuration file {path}") from None
    except IsADirectoryError:
        raise InputError(
            f"{path} is a folder, not a configuration file; to go on with a run, use `motet resume`"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): name a configuration file (.toml)") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from None
    flat: dict[str, Any] = {}
    known = {key for key, *_ in keys()}
    for key, value in content.items():
        if isinstance(value, dict) and key not in PANELS and key.replace("-", "_") not in known:
            raise unknown(f"table of {path}", key, PANELS)
        inside = value if isinstance(value, dict) and key in PANELS else {key: value}
        flat |= {name.replace("-", "_"): found for name, found in inside.items()}
    return flat
