"""What a node answers for a round, looked at before it is believed: it may be broken, or hostile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from motet.engine.account import Account
from motet.engine.client import Client
from motet.engine.flower import figures
from motet.engine.flower.letter import Letter
from motet.engine.outcome import Outcome
from motet.engine.population import Population
from motet.engine.reading import read
from motet.engine.state import Shared
from motet.errors import MotetError

NONSENSE = "what it tells for the record makes no sense"


class Reader:
    """Reads answers.

    Parameters
    ----------
    client : Client
        Knows what messages may hold.
    population : Population
    """

    def __init__(self, client: Client, population: Population) -> None:
        self.client, self.method, self.population = client, client.method, population

    def read(self, letter: Letter, round: int, clients: list[int], shared: Shared) -> tuple[Account, list[Outcome]]:  # noqa: A002
        """Return what the clients of a node tell and leave, one outcome each; what they send, the gate looks at.

        Raises
        ------
        MotetError
            If the node was asked something else, or what it tells is none that devices can tell.
        """
        header = letter.header
        if (header.get("round"), header.get("clients")) != (round, clients):
            raise MotetError("it has answered another question")
        account = self._account(header.get("account"), clients)
        if not set(letter.messages) <= {f"{k}/{kind}" for k in clients for kind in self._kinds(round)}:
            raise MotetError("it has sent messages of clients, or of a kind, that it was not asked for")
        sent = {k: _of(letter.messages, k) for k in clients}
        return account, [
            read(self.client, k, account.of(np.array([place])), sent[k], shared["model"])
            for place, k in enumerate(clients)
        ]

    def _kinds(self, round: int) -> list[str]:  # noqa: A002
        """Return the kinds of messages that clients send in a round."""
        sent = {
            "model": True,
            "quality": self.method.uses_quality,
            "prototypes": self.method.prototypes_due(round),
            "scores": self.method.objective.shares_scores,
            "drift": self.method.drift.shares,
        }
        return [kind for kind, there in sent.items() if there]

    def _account(self, found: Any, clients: list[int]) -> Account:
        account = figures.read(found, len(clients), self.method.modalities)
        samples, everywhere = account.samples, set(self.method.modalities)
        if any(own.keys() != everywhere for own in (account.present, account.flagged, account.scores)):
            raise MotetError(NONSENSE)
        possible = [
            samples >= 1,
            samples <= self.population.held[clients],
            account.trained == self.client.epochs * samples,
            account.labelled <= samples,
            account.arrivals <= samples,
            account.hits <= account.arrivals,
            *(own <= samples for own in account.present.values()),
            *(account.flagged[m] <= own for m, own in account.present.items()),
            *(own <= 1 for shares in (account.missing, account.degraded) for own in shares.values()),
            *(_samples(account.scores[m], len(clients)) == own for m, own in account.present.items()),
        ]
        if not all(bool(own.all()) for own in possible):
            raise MotetError(NONSENSE)
        return account


def _of(messages: Mapping[str, bytes], client: int) -> dict[str, bytes]:
    """Return the messages of one client, by kind."""
    start = f"{client}/"
    return {name.removeprefix(start): own for name, own in messages.items() if name.startswith(start)}


def _samples(scores: np.ndarray, clients: int) -> np.ndarray:
    """Return how many samples of each client have a score."""
    return np.bincount(scores[:, 0], scores[:, 3], minlength=clients)
