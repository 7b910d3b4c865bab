"""The families of choices and their members, by name; a member is imported only when it is made.

A member of one's own is a frozen dataclass that extends its family's class. It gets its name from the decorator
`member`, or, so that the command line knows it too, from the package that brings it::

    [project.entry-points."motet.members"]
    "missing.mean-feature" = "package.module:MeanFeature"
"""

from __future__ import annotations

import dataclasses
import importlib
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeVar

from motet.errors import InputError, unknown

ENTRY_POINTS = "motet.members"
M = TypeVar("M", bound=type)

FAMILIES: dict[str, dict[str, str | type]] = {
    "objective": {
        "joint": "motet.learn.objective.joint:Joint",
        "late": "motet.learn.objective.late:Late",
        "late-unimodal": "motet.learn.objective.late_unimodal:LateUnimodal",
        "chain": "motet.learn.objective.chain:Chain",
        "infiltrate": "motet.learn.objective.infiltrate:Infiltrate",
        "ogm": "motet.learn.objective.ogm:Ogm",
    },
    "missing": {
        "zero": "motet.learn.missing.zero:Zero",
        "skip": "motet.learn.missing.skip:Skip",
        "prototype": "motet.learn.missing.prototype:Prototype",
        "infiltration": "motet.learn.missing.infiltration:Infiltration",
    },
    "degraded": {
        "as-is": "motet.learn.degraded.as_is:AsIs",
        "drop": "motet.learn.degraded.drop:Drop",
        "align": "motet.learn.degraded.align:Align",
        "blend": "motet.learn.degraded.blend:Blend",
        "replace": "motet.learn.degraded.replace:Replace",
    },
    "drift": {
        "none": "motet.learn.drift.none:NoDrift",
        "proximal": "motet.learn.drift.proximal:Proximal",
        "prototype-pull": "motet.learn.drift.prototype_pull:PrototypePull",
        "scaffold": "motet.learn.drift.scaffold:Scaffold",
        "moon": "motet.learn.drift.moon:Moon",
    },
    "aggregate": {
        "mean": "motet.learn.aggregate.mean:Mean",
        "clip": "motet.learn.aggregate.clip:Clip",
        "median": "motet.learn.aggregate.median:Median",
        "trimmed-mean": "motet.learn.aggregate.trimmed_mean:TrimmedMean",
        "krum": "motet.learn.aggregate.krum:Krum",
        "ssca": "motet.learn.aggregate.ssca:SSCA",
        "none": "motet.learn.aggregate.none:NoAggregate",
    },
}


def member(family: str, name: str) -> Callable[[M], M]:
    """Give a class its name in a family: a decorator.

    Parameters
    ----------
    family : str
        ``objective``, ``missing``, ``degraded``, ``drift`` or ``aggregate``.
    name : str
        What stands behind ``--missing`` and the like.

    Raises
    ------
    InputError
        If there is no such family, the name is taken, or the class is no frozen dataclass that extends the family's.
    """

    def named(found: M) -> M:
        _check(family, name, found)
        FAMILIES[family][name] = found
        return found

    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    if name in members(family):
        raise InputError(f"--{family} {name} exists already: give yours another name")
    return named


def members(family: str) -> Mapping[str, str | type]:
    """Return the members of a family by name: those here, and those of installed packages."""
    return {**_installed().get(family, {}), **FAMILIES[family]}


@cache
def _installed() -> dict[str, dict[str, str | type]]:
    found: dict[str, dict[str, str | type]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        family, _, name = point.name.partition(".")
        if family not in FAMILIES:
            warnings.warn(f"entry point {point.name!r} names no family: use {', '.join(FAMILIES)}", stacklevel=2)
        found.setdefault(family, {})[name] = point.value
    return found


def _check(family: str, name: str, found: Any) -> None:
    base = getattr(importlib.import_module(f"motet.learn.{family}"), family.capitalize())
    if not (isinstance(found, type) and issubclass(found, base) and _is_frozen(found)):
        raise InputError(
            f"--{family} {name}: a member is a frozen dataclass that extends motet.learn.{family}.{base.__name__}"
        )


def _is_frozen(found: type) -> bool:
    return dataclasses.is_dataclass(found) and found.__dataclass_params__.frozen  # type: ignore[attr-defined]


def check_name(family: str, choice: str) -> str:
    """Return the member's name of a choice such as ``prototype:match=nearest``.

    Raises
    ------
    InputError
        If the family has no such member.
    """
    name = choice.partition(":")[0]
    if name not in members(family):
        raise unknown(f"choice of --{family}", name, members(family))
    return name


def create(family: str, choice: str) -> Any:
    """Make a member from a choice such as ``skip``, ``proximal:mu=0.1`` or ``align:by=contrast,mu=0.5``.

    Raises
    ------
    InputError
        If the family has no such member, or the member no such parameter.
    """
    from pydantic import TypeAdapter, ValidationError

    name = check_name(family, choice)
    found = _class(family, name)
    given = _parameters(family, choice)
    known = {field.name for field in dataclasses.fields(found)}
    for parameter in given:
        if parameter not in known:
            if not known:
                raise InputError(f"--{family} {name} takes no parameters, so not {parameter!r}")
            raise unknown(f"parameter of --{family} {name}", parameter, known)
    try:
        return TypeAdapter(found).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = first["msg"].replace("Input should be", "must be")
        where = f"{first['loc'][0]} {message}, not {first['input']!r}" if first["loc"] else message
        raise InputError(f"--{family} {choice}: {where}") from None


def _class(family: str, name: str) -> Any:
    found = members(family)[name]
    if not isinstance(found, str):
        return found
    module, _, attribute = found.partition(":")
    try:
        loaded = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"--{family} {name} cannot be imported from {found}: {error}") from None
    _check(family, name, loaded)
    return loaded


def _parameters(family: str, choice: str) -> dict[str, str]:
    text = choice.partition(":")[2]
    if not text:
        return {}
    pairs = [part.partition("=") for part in text.split(",")]
    if any(not sign for _, sign, _ in pairs):
        raise InputError(f"--{family} {choice}: parameters read name=value, with commas between several")
    return {name.strip(): value.strip() for name, _, value in pairs}
