"""Prototypes under the wrong class."""

from __future__ import annotations

from collections.abc import Mapping

from motet.learn.attack import Attack
from motet.learn.sample import PerModality


class PrototypePoisoning(Attack):
    """The prototype of class c, with its count, is sent as that of class c + 1, and the last class's as the first's."""

    def prototypes(self, summary: Mapping[str, PerModality]) -> Mapping[str, PerModality]:
        moved = {what: {m: own.roll(1, 0) for m, own in summary[what].items()} for what in ("mean", "count")}
        return {**summary, **moved}
