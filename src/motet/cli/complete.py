"""What the shell offers where a value is due: words of the configuration, recipes, members, data sets and studies.

What needs PyTorch is not asked here: the user waits at every press of the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic.fields import FieldInfo

from motet.cli.meaning import choices
from motet.values import UPLOADS

Offer = tuple[str, str]
"""A word, and what a shell that can shows beside it."""
Completion = Callable[[str], list[Offer]]


def completion(key: str, field: FieldInfo) -> Completion | None:
    """Return what completes the value of a configuration key; None where anything goes."""
    from motet.learn.family import FAMILIES, members

    if key in FAMILIES:
        return words(*members(key))
    own = {"recipe": recipes, "data": data, "device": words("cpu", "cuda"), "upload": words(*UPLOADS)}
    known = ["true", "false"] if field.annotation is bool else choices(field)
    return own.get(key) or (words(*known) if known else None)


def words(*known: str) -> Completion:
    """Return what offers these words."""

    def offers(incomplete: str) -> list[Offer]:
        return _begun(incomplete, dict.fromkeys(known, ""))

    return offers


def recipes(incomplete: str) -> list[Offer]:
    """Offer recipes, with what each does."""
    from motet.learn.recipe import RECIPES

    return _begun(incomplete, {name: row.summary for name, row in RECIPES.items()})


def recipe_list(incomplete: str) -> list[Offer]:
    """Offer recipes for the last place of a list with commas, but none that stands there already."""
    before, comma, last = incomplete.rpartition(",")
    named = before.split(",")
    return [(before + comma + name, about) for name, about in recipes(last) if name not in named]


def data(incomplete: str) -> list[Offer]:
    """Offer the data sets that have a name: Motet's, and the user's own in the folder of fetched data."""
    from motet.data.catalogue import CATALOGUE, own_archives

    own = dict.fromkeys(own_archives(), "an archive of your own")
    return _begun(incomplete, {name: entry.about for name, entry in CATALOGUE.items()} | own)


def convertible(incomplete: str) -> list[Offer]:
    """Offer the data sets whose official folder can be converted."""
    from motet.data.catalogue import CATALOGUE

    return _begun(incomplete, {name: entry.about for name, entry in CATALOGUE.items() if entry.convert})


def downloads(incomplete: str) -> list[Offer]:
    """Offer the data sets that may be downloaded."""
    from motet.data.catalogue import CATALOGUE

    return _begun(incomplete, {name: entry.about for name, entry in CATALOGUE.items() if entry.url})


def studies(incomplete: str) -> list[Offer]:
    """Offer the prepared studies, with the question of each."""
    from motet.study.prepared import STUDIES

    return _begun(incomplete, {"list": "all of them", **{name: study.question for name, study in STUDIES.items()}})


def _begun(incomplete: str, known: Mapping[str, str]) -> list[Offer]:
    return [(word, about) for word, about in known.items() if word.startswith(incomplete)]
