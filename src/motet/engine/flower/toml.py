"""Settings as TOML, which Flower reads."""

from __future__ import annotations

import json
from collections.abc import Mapping

Value = str | int | float | bool


def lines(settings: Mapping[str, Value]) -> str:
    """Return a line for each setting."""
    return "".join(f"{value(name)} = {value(setting)}\n" for name, setting in settings.items())


def value(setting: Value) -> str:
    """Return a value as TOML writes it: as JSON does, but for one character, and numbers that may be infinite."""
    if isinstance(setting, float):
        return repr(setting)
    return json.dumps(setting, ensure_ascii=False).replace("\x7f", "\\u007f")
