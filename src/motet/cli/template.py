"""A configuration as a commented TOML file: every key in its table, with its meaning and its value."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any

from motet.cli.meaning import meaning
from motet.config import Config, keys
from motet.errors import InputError

WIDTH = 110
HEAD = """\
A line such as "#momentum = 0.0" is what holds anyway, with recipe {recipe}: take away the "#" and change the value.
One such as "#clients =" has no value until you give it one. What is typed on the command line wins over this file."""


def template(config: Config, live: Collection[str], about: Iterable[str] = ()) -> str:
    """Return the text of a file that sets some keys of a configuration and shows the others.

    Loaded, it gives the configuration; and again when any of the lines "#key = value" loses its "#".

    Parameters
    ----------
    config : Config
    live : collection of str
        The flat keys that the file sets; one that has no value is shown alone.
    about : iterable of str
        Lines to say of the data.

    Raises
    ------
    InputError
        If a value cannot be written in TOML.
    """
    values = config.flat()
    lines = list(_comment(HEAD.format(recipe=config.recipe.recipe)))
    for group, members in groupby(keys(), key=lambda found: found[1]):
        lines += ["", f"[{group}]", *_comment(inspect.getdoc(Config.model_fields[group].annotation) or "")]
        lines += [line for said in (about if group == "data" else ()) for line in _comment(said)]
        for key, _, _, field in members:
            mark = "" if key in live and values[key] is not None else "#"
            lines += ["", *_comment(meaning(group, field)), f"{mark}{key} = {_toml(key, values[key])}".rstrip()]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> Iterator[str]:
    shown = "".join(c if c.isprintable() else " " for c in text)  # TOML allows nothing else in a comment
    return (f"# {line}" for line in textwrap.wrap(shown, WIDTH - 2, break_on_hyphens=False))


def _toml(key: str, value: Any) -> str:
    """Write a value, which JSON does but for mappings and the character that deletes."""
    if value is None:
        return ""
    if isinstance(value, dict):
        inside = ", ".join(f"{_toml(key, name)} = {_toml(key, number)}" for name, number in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{key} {value!r} cannot be written in a TOML file: use a name in UTF-8") from None
    return text
