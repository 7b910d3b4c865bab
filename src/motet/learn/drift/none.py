"""Nothing holds a client."""

from __future__ import annotations

from dataclasses import dataclass

from motet.learn.drift import Drift


@dataclass(frozen=True)
class NoDrift(Drift):
    """No further loss."""
