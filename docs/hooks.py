"""What pages take from the code while the site is built, so that it cannot be stale: rows, members, commands.

A page says where, on a line of its own: ``<!-- recipe qqr -->``, ``<!-- recipes fedavg full -->``,
``<!-- members -->`` or ``<!-- commands -->``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import typer

from motet.cli.main import app
from motet.config import Config, RecipeSettings, keys, option
from motet.learn.family import FAMILIES, create
from motet.learn.recipe import RECIPES

MARK = re.compile(r"^<!-- (recipe|recipes|members|commands)((?: [a-z0-9-]+)*) -->$", re.MULTILINE)
REST = ("weights", "upload", "prototype_bits")
"""Choices of a row that are no member of a family."""
BAR = "\\|"
MEANT = str.maketrans({"|": "&#124;", "<": "&lt;", "[": "&#91;"})
"""Characters that Markdown would take for its own."""
HEAD = ("| option | |", "|---|---|")
OF_A_RUN = {key for key, *_ in keys()}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put what the code says in the place of each mark."""
    makers: dict[str, Callable[..., str]] = {
        "recipe": recipe,
        "recipes": recipes,
        "members": members,
        "commands": commands,
    }
    return MARK.sub(lambda found: makers[found[1]](*found[2].split()), markdown)


def recipe(name: str) -> str:
    """Return a recipe's row of choices as a table, and the controls that it has."""
    row = settings(name)
    lines = ["| choice | is | |", "|---|---|---|"]
    lines += [f"| {each} | {member_link(each, row[each])} | {first_sentence(each, row[each])} |" for each in FAMILIES]
    for key in REST:
        about = (RecipeSettings.model_fields[key].description or "").partition(":")[0]
        lines.append(f"| {key.replace('_', ' ')} | `{row[key]}` | {about} |")
    found = "\n".join(lines)
    own = [control for control in RECIPES.values() if control.control_of == name]
    if own:
        found += "\n\nControls, which `motet compare --controls` adds:\n\n"
        found += "\n".join(f"- `{control.name}`: {control.summary} ({differs(control.name)})" for control in own)
    return found


def recipes(*names: str) -> str:
    """Return several recipes as rows of one table."""
    families = list(FAMILIES)
    lines = ["| recipe | " + " | ".join(families) + " |", "|---" * (len(families) + 1) + "|"]
    for name in names:
        row = settings(name)
        cells = [member_link(family, row[family]) for family in families]
        lines.append(f"| [`{name}`](#{name}) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def members() -> str:
    """Return every member of every family, described by its docstring."""
    found = []
    for family, known in FAMILIES.items():
        about = (inspect.getdoc(inspect.getmodule(base(family))) or "").split("\n")[0].partition(": ")[2]
        found.append(f"## {family}\n\n{about[0].upper()}{about[1:]}")
        found.append(documented(base(family), "What a member may say", inner=True))
        found += [documented(type(create(family, name)), name, inner=False) for name in known]
    return "\n\n".join(found)


def documented(what: type, heading: str, *, inner: bool) -> str:
    """Return the instruction by which mkdocstrings describes a class, with its functions or without."""
    options = {"heading": heading, "toc_label": heading} | ({} if inner else {"members": "false"})
    told = "".join(f"\n        {name}: {value}" for name, value in options.items())
    return f"::: {what.__module__}.{what.__qualname__}\n    options:{told}"


def commands() -> str:
    """Return every command with its options, and below them the settings that several of them share."""
    root = typer.main.get_command(app)
    found = [part for name, command in leaves(root, "motet") for part in described(name, command)]
    return "\n\n".join([*found, *shared()])


def leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the commands below a group, each with what is typed."""
    for word, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from leaves(inner, f"{name} {word}")
        else:
            yield f"{name} {word}", inner


def described(name: str, command: Any) -> Iterator[str]:
    """Yield a command's heading, what it does, its example and its options."""
    yield f"## {name}"
    text = inspect.cleandoc(command.help or "")
    about, _, example = f"{text}\n{command.epilog or ''}".partition("Example: ")
    yield plain(about)
    if example:
        yield f"```\n{example.strip()}\n```"
    own = [p for p in command.params if p.name not in OF_A_RUN or p.param_type_name == "argument"]
    own = [p for p in own if not getattr(p, "hidden", False) and p.name != "help"]
    if own:
        yield "\n".join([*HEAD, *map(line, own)])
    left = {p.name for p in command.params if p.param_type_name == "option"} & OF_A_RUN
    if len(left) > 1:
        without = [f"`{option(key)}`" for key, *_ in keys() if key not in left]
        yield "And the [settings of a run](#settings-of-a-run)" + (
            f", but {' and '.join(without)}." if without else "."
        )


def line(parameter: Any) -> str:
    """Return an argument or an option as a row."""
    if parameter.param_type_name == "argument":
        name = parameter.human_readable_name
    else:
        kind = "|".join(getattr(parameter.type, "choices", ())) or parameter.type.name.upper()
        value = "" if parameter.is_flag else f" {parameter.metavar or kind}"
        name = ", ".join(parameter.opts) + value
    help_ = parameter.help or ""
    if parameter.show_default and parameter.default not in (None, False) and "[default" not in help_:
        help_ += f" [default: {parameter.default}]"
    return f"| `{name.replace('|', BAR)}` | {plain(help_)} |"


def shared() -> Iterator[str]:
    """Yield the settings of a run, by group."""
    yield "## Settings of a run"
    yield (
        "Each is an option (`--missing-rate`), a key of the TOML file (`missing_rate`) and an argument in Python "
        "(`missing_rate=`). The command line wins over `--set key=value`, that over the file, that over the recipe."
    )
    groups: dict[str, list[str]] = {}
    for key, group, _, field in keys():
        about = (field.description or "").format(group)
        default = field.default
        if group == "recipe" and key != "recipe":
            about += " [default: the recipe's]"
        elif default not in (None, {}, []) and "[default" not in about:
            about += f" [default: {default}]"
        groups.setdefault(group, []).append(f"| `{option(key)}` | {plain(about)} |")
    for group in Config.model_fields:
        yield f"### {group}"
        yield "\n".join([*HEAD, *groups[group]])


def settings(name: str) -> dict[str, Any]:
    """Return every choice of a recipe."""
    return RecipeSettings(**{**RECIPES[name].choices, "recipe": name}).model_dump()


def differs(control: str) -> str:
    """Say in which choices a control differs from its recipe."""
    row, whole = settings(control), settings(RECIPES[control].control_of or "")
    return ", ".join(f"`{option(key)} {row[key]}`" for key in row if key != "recipe" and row[key] != whole[key])


def member_link(family: str, choice: str) -> str:
    """Return a link to what a member's docstring says."""
    found = type(create(family, choice))
    return f"[`{choice}`][{found.__module__}.{found.__qualname__}]"


def first_sentence(family: str, choice: str) -> str:
    """Return what a member does, in the words of its docstring."""
    text = inspect.getdoc(create(family, choice)) or ""
    return plain(text.split("\n\n")[0].replace("\n", " "))


def base(family: str) -> type:
    """Return the class that a family's members extend."""
    first = type(create(family, next(iter(FAMILIES[family]))))
    return next(each for each in first.__mro__ if each.__name__ == family.capitalize())


def plain(text: str) -> str:
    """Return text of the code as a cell of a table takes it."""
    return " ".join(text.replace("\\[", "[").translate(MEANT).split())
