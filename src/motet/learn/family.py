"""The families of choices and their members, by name; a member is imported only when it is made."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

from motet.errors import InputError, unknown

FAMILIES: dict[str, dict[str, str]] = {
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
        "median": "motet.learn.aggregate.median:Median",
        "trimmed-mean": "motet.learn.aggregate.trimmed_mean:TrimmedMean",
        "krum": "motet.learn.aggregate.krum:Krum",
        "ssca": "motet.learn.aggregate.ssca:SSCA",
        "none": "motet.learn.aggregate.none:NoAggregate",
    },
}


def check_name(family: str, choice: str) -> str:
    """Return the member's name of a choice such as ``prototype:match=nearest``.

    Raises
    ------
    InputError
        If the family has no such member.
    """
    name = choice.partition(":")[0]
    if name not in FAMILIES[family]:
        raise unknown(f"choice of --{family}", name, FAMILIES[family])
    return name


def create(family: str, choice: str) -> Any:
    """Make a member from a choice such as ``skip``, ``proximal:mu=0.1`` or ``align:by=contrast,mu=0.5``.

    Raises
    ------
    InputError
        If the family has no such member, or the member no such parameter.
    """
    from pydantic import TypeAdapter, ValidationError

    module, _, attribute = FAMILIES[family][check_name(family, choice)].partition(":")
    member = getattr(importlib.import_module(module), attribute)
    given = _parameters(family, choice)
    known = {field.name for field in dataclasses.fields(member)}
    for name in given:
        if name not in known:
            if not known:
                raise InputError(f"--{family} {choice.partition(':')[0]} takes no parameters, so not {name!r}")
            raise unknown(f"parameter of --{family} {choice.partition(':')[0]}", name, known)
    try:
        return TypeAdapter(member).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = first["msg"].replace("Input should be", "must be")
        raise InputError(f"--{family} {choice}: {first['loc'][0]} {message}, not {first['input']!r}") from None


def _parameters(family: str, choice: str) -> dict[str, str]:
    text = choice.partition(":")[2]
    if not text:
        return {}
    pairs = [part.partition("=") for part in text.split(",")]
    if any(not sign for _, sign, _ in pairs):
        raise InputError(f"--{family} {choice}: parameters read name=value, with commas between several")
    return {name.strip(): value.strip() for name, _, value in pairs}
