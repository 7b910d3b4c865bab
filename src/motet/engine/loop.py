"""The reference engine: clients one after another, in plain autograd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from motet.engine.client import Client
from motet.engine.outcome import Outcome
from motet.engine.state import Broadcast
from motet.nets.network import State
from motet.stream.view import Views


class Loop:
    """Runs the participants of a round one by one.

    Parameters
    ----------
    client : Client
    views : Views
    """

    def __init__(self, client: Client, views: Views) -> None:
        self.client, self.views = client, views

    def train(
        self,
        round: int,  # noqa: A002
        participants: list[int],
        broadcast: Broadcast,
        private: Mapping[int, State],
    ) -> Iterator[Outcome]:
        """Yield each participant's outcome, in client order."""
        for k in participants:
            yield self.client.run(round, k, self.views.view(round, k), broadcast.shared, private.get(k, {}))
