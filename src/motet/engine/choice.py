"""Which engine a run gets: by a fixed rule of the configuration, never by the clock, so that it is always the same."""

from __future__ import annotations

from typing import NamedTuple

from motet.engine.federation import Federation


class Choice(NamedTuple):
    """An engine, the clients in its blocks, and the reason, as `result.json` has them."""

    name: str
    chunk: int | None
    why: str


def choose(federation: Federation) -> Choice:
    """Choose the engine."""
    wish = federation.config.run.engine
    if wish == "vector":
        return Choice("vector", federation.config.run.chunk or 32, "asked for")
    return Choice("loop", None, "asked for")
