"""What a configuration's key means and what its value may be: for the help, for completion and for `motet init`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

_METAVARS = {int: "INTEGER", float: "NUMBER", bool: "true|false", str: "NAME", list: "A,B,...", dict: "M=NUMBER,..."}


def meaning(group: str, field: FieldInfo) -> str:
    """Return what a key means, with the words that it may be where the description leaves any out."""
    text = (field.description or "").format(group)
    left_out = set(choices(field)) - set(re.findall(r"[\w-]+", text))
    return f"{text}: {', '.join(choices(field))}" if left_out else text


def choices(field: FieldInfo) -> list[str]:
    """Return the words that a value may be; none where it may be any, or a number."""
    return [leaf for leaf in _leaves(field.annotation) if isinstance(leaf, str)]


def metavar(field: FieldInfo) -> str:
    """Return what stands for a value in the help."""
    leaves = list(_leaves(field.annotation))
    kinds = [_METAVARS[get_origin(leaf) or leaf] for leaf in leaves if not isinstance(leaf, str)]
    words = choices(field)
    return "|".join(kinds + words) if kinds else _METAVARS[str]


def _leaves(annotation: Any) -> Iterator[Any]:
    """Yield the types of an annotation, and the words of its literals; that a key may be unset is no type."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for inner in get_args(annotation):
            yield from _leaves(inner)
    elif origin is Literal:
        yield from get_args(annotation)
    elif annotation is not type(None):
        yield annotation
