"""What stands before the server: a client with whose messages something is wrong has taken no part in the round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

import numpy as np

from motet.engine.outcome import Outcome
from motet.wire.check import Check
from motet.wire.fault import FAULTS, FINE, Fault, Faults, first, where

STRANGER = "unknown"
"""Stands for all clients that there are not, or naming them could fill the record."""


class Gate:
    """Lets through what clients leave in a round, but for those that are refused.

    Parameters
    ----------
    check : Check
    asked : collection of int
        Who takes part in the round.
    clients : int
        All there are.

    Attributes
    ----------
    refused : dict of reason to Counter of client
        How often who was refused so far.
    """

    def __init__(self, check: Check, asked: Collection[int], clients: int) -> None:
        self.check, self.clients = check, clients
        self._waiting, self._asked = set(asked), frozenset(asked)
        self.refused: dict[str, Counter[str]] = {}

    def over(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Pass on what each client leaves that is not refused; what such a one leaves is gone, and only counted."""
        for outcome in outcomes:
            found = self.faults(outcome)
            for client, place in zip(outcome.clients, found.tolist(), strict=True):
                if place == FINE:
                    self._waiting.discard(client)
                else:
                    self._count(client, FAULTS[place])
            kept = np.flatnonzero(found == FINE)
            if len(kept):
                yield outcome if len(kept) == len(found) else outcome.of(kept)

    def faults(self, outcome: Outcome) -> Faults:
        """Return what is wrong with what each client sends, (K,)."""
        check, found = self.check, [self._turns(outcome.clients), self.check.told(outcome.told)]
        found += [] if outcome.model is None else [check.changes("model", outcome.model)]
        found += [] if outcome.drift is None else [check.changes("drift", outcome.drift)]
        found += [] if outcome.prototypes is None else [check.prototypes(outcome.prototypes)]
        found += [] if outcome.scores is None else [check.scores(outcome.scores)]
        return first(*found)

    def _turns(self, clients: list[int]) -> Faults:
        """Return who was not asked, or has sent already."""
        seen: Counter[int] = Counter()
        again = []
        for client in clients:
            again.append(client not in self._waiting or seen[client] > 0)
            seen[client] += 1
        asked = np.array([client in self._asked for client in clients])
        return first(where(~asked, Fault.UNASKED), where(np.array(again), Fault.TWICE))

    def _count(self, client: int, fault: Fault) -> None:
        name = str(client) if 0 <= client < self.clients else STRANGER
        self.refused.setdefault(fault.value, Counter())[name] += 1
