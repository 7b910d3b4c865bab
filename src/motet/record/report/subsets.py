"""Subsets of the modalities, as `accuracy_by_present` names them, in words."""

from __future__ import annotations

from collections.abc import Mapping

from motet.record.result import Result
from motet.record.wording import listed

JOINT = "+"


def modalities(result: Result) -> list[str]:
    """Name the modalities in the order of the data."""
    declared = result.data.get("modalities")
    if isinstance(declared, Mapping | list | tuple) and declared:
        return [str(name["name"]) if isinstance(name, Mapping) and "name" in name else str(name) for name in declared]
    known: dict[str, None] = {}
    for subset in (*result.tail.accuracy_by_present, *result.final.accuracy_by_present):
        known.update(dict.fromkeys(subset.split(JOINT)))
    for line in result.history:
        known.update(dict.fromkeys((*line.missing, *line.degraded)))
    return list(known)


def full_set(result: Result) -> str:
    """Give the name of the subset that holds every modality."""
    return JOINT.join(modalities(result))


def short(subset: str, result: Result) -> str:
    """Label a subset for a figure, as ``gyro alone``, ``without gyro`` or ``all present``."""
    kind, names = _kind(subset, result)
    if kind == "all":
        return "all present"
    if kind == "without":
        return f"without {names[0]}"
    return f"{names[0]} alone" if kind == "alone" else " + ".join(names)


def phrase(subset: str, result: Result) -> str:
    """Name a subset in a sentence, as ``with gyro alone``."""
    kind, names = _kind(subset, result)
    if kind == "all":
        return "with every modality present"
    if kind == "without":
        return f"without {names[0]}"
    return f"with {names[0]} alone" if kind == "alone" else f"with {listed(names)} only"


def _kind(subset: str, result: Result) -> tuple[str, list[str]]:
    present, every = subset.split(JOINT), modalities(result)
    if set(present) >= set(every):
        return "all", present
    if len(present) == 1:
        return "alone", present
    absent = [name for name in every if name not in present]
    return ("without", absent) if len(absent) == 1 and len(every) > 3 else ("some", present)
