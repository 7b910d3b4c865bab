"""The `meta` text of an archive: what its modalities and classes are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

from motet.data.dataset import KINDS, Modality
from motet.errors import InputError, unknown

FORMAT = "motet-archive/1"
LONGEST = 2**24
"""Characters that the text may have."""
MOST_WORDS = 10_000_000
"""Ids that a vocabulary may have; an encoder keeps a row of weights for each."""
FASTEST = 1e12
"""Samples a second that a signal may have."""

_NAME = re.compile(r"[\w-]+( [\w-]+)*")  # so that a list of names can be typed as a,b and shown as a+b


@dataclass(frozen=True)
class Meta:
    """What an archive says about itself; the modalities' shapes are not known yet, and empty."""

    modalities: dict[str, Modality]
    classes: tuple[str, ...]
    source: str
    terms: str


def parse(path: Path, text: str) -> Meta:
    """Read the text of `meta`.

    Parameters
    ----------
    path : Path
        The archive, for the errors.
    text : str

    Raises
    ------
    InputError
        If it is no JSON object, of another format, or does not describe modalities and classes.
    """
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        _fail(path, f"is not JSON ({str(error)[:100]}): write it with json.dumps")
    if not isinstance(meta, dict):
        _fail(path, f"must be a JSON object, not {_kind_of(meta)}")
    if meta.get("format") != FORMAT:
        _fail(path, f"must have format {FORMAT!r}, not {_short(meta.get('format'))}")
    return Meta(
        modalities=_modalities(path, meta.get("modalities")),
        classes=_classes(path, meta.get("classes")),
        source=_text(path, meta, "source"),
        terms=_text(path, meta, "terms"),
    )


def dump(meta: Meta) -> str:
    """Write the text of `meta`; equal contents give equal text."""
    modalities: dict[str, dict[str, Any]] = {}
    for m, spec in meta.modalities.items():
        entry: dict[str, Any] = {"kind": spec.kind}
        if spec.rate_hz is not None:
            entry["rate_hz"] = spec.rate_hz
        if spec.unit is not None:
            entry["unit"] = spec.unit
        if spec.kind == "tokens":
            entry |= {"vocabulary": spec.vocabulary, "pad": spec.pad, "unknown": spec.unknown}
        modalities[m] = entry
    return json.dumps(
        {
            "format": FORMAT,
            "modalities": modalities,
            "classes": list(meta.classes),
            "source": meta.source,
            "terms": meta.terms,
        }
    )


def _modalities(path: Path, entries: object) -> dict[str, Modality]:
    if not isinstance(entries, dict) or not entries:
        _fail(path, 'must name at least one modality, as {"modalities": {"acc": {"kind": "signal"}}}')
    return {m: _modality(path, m, entry) for m, entry in entries.items()}


def _modality(path: Path, name: str, entry: object) -> Modality:
    where = f"modality {_short(name)}"
    if not _NAME.fullmatch(name) or len(name) > 100:
        _fail(path, f"{where}: a name has letters, digits, '_', '-' and single spaces, at most 100")
    if not isinstance(entry, dict):
        _fail(path, f'{where} must be an object such as {{"kind": "signal"}}, not {_kind_of(entry)}')
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise unknown(f"kind of {where} in meta of {path}", str(kind)[:100], KINDS)
    rate, unit = entry.get("rate_hz"), entry.get("unit")
    if rate is not None and not (_is_number(rate) and 0 < rate <= FASTEST):
        _fail(path, f"{where}: rate_hz must be a number above 0 and at most {FASTEST:g}, not {_short(rate)}")
    if unit is not None and not isinstance(unit, str):
        _fail(path, f"{where}: unit must be text, not {_kind_of(unit)}")
    words = _words(path, where, entry) if kind == "tokens" else {}
    return Modality(
        name,
        kind,  # type: ignore[arg-type]  # one of KINDS
        (),
        None if rate is None else float(rate),
        None if unit is None else _printable(unit),
        **words,
    )


def _words(path: Path, where: str, entry: Mapping[str, object]) -> dict[str, int]:
    """Read what a tokens modality says of its ids."""
    size = entry.get("vocabulary")
    if not _is_whole(size) or not 1 <= size <= MOST_WORDS:
        _fail(path, f"{where}: vocabulary must be the number of ids, 1 to {MOST_WORDS:,}, not {_short(size)}")
    words: dict[str, int] = {"vocabulary": size}
    for special, default in (("pad", 0), ("unknown", 1)):
        value = entry.get(special, default)
        if not _is_whole(value) or not 0 <= value < words["vocabulary"]:
            _fail(path, f"{where}: {special} must be an id from 0 to {words['vocabulary'] - 1}, not {_short(value)}")
        words[special] = value
    return words


def _classes(path: Path, classes: object) -> tuple[str, ...]:
    if not isinstance(classes, list) or len(classes) < 2:
        _fail(path, "classes must be a list of at least two names")
    seen: set[str] = set()
    for name in classes:
        if not isinstance(name, str) or not name or not name.isprintable():
            _fail(path, f"classes must be names, not {_short(name)}")
        if name in seen:
            _fail(path, f"classes names {_short(name)} twice: give each class its own name")
        seen.add(name)
    return tuple(classes)


def _text(path: Path, meta: Mapping[str, object], key: str) -> str:
    value = meta.get(key, "")
    if not isinstance(value, str):
        _fail(path, f"{key} must be text, not {_kind_of(value)}")
    return _printable(value)


def _printable(text: str) -> str:
    """Replace what a terminal would act on."""
    return "".join(c if c.isprintable() else " " for c in text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind_of(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _fail(path: Path, text: str) -> NoReturn:
    raise InputError(f"{path}: meta {text}")
