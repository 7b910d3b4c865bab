"""How many bytes went up and down, by kind of content."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """Counts lengths of encoded messages.

    Attributes
    ----------
    up, down : Counter of str to int
        Bytes by kind (model, prototypes, quality, scale), over all clients.
    """

    up: Counter[str] = field(default_factory=Counter)
    down: Counter[str] = field(default_factory=Counter)

    def count(self, direction: str, kind: str, length: int, times: int = 1) -> None:
        """Count a message sent or received by `times` clients."""
        (self.up if direction == "up" else self.down)[kind] += length * times

    def totals(self) -> tuple[int, int]:
        """Return all bytes up and down."""
        return self.up.total(), self.down.total()
