"""How long work tells how far it has come, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called with what is done and the total, in any one unit; the total is None where it is not known."""


def silent(done: int, total: int | None) -> None:
    """Tell nobody."""
