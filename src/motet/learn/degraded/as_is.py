"""A bad modality is taken as it comes."""

from __future__ import annotations

from dataclasses import dataclass

from motet.learn.degraded import Degraded


@dataclass(frozen=True)
class AsIs(Degraded):
    """Nothing is done."""

    uses_quality = False
