"""Who trains a round's participants: the loop, or blocks of clients at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from motet.engine.client import Client
from motet.engine.loop import Loop
from motet.engine.outcome import Outcome
from motet.engine.state import Broadcast
from motet.engine.vector import Vector
from motet.nets.network import State
from motet.record.result import Engine
from motet.stream.view import Views


class Trainer(Protocol):
    """What every engine does."""

    def train(
        self,
        round: int,  # noqa: A002
        participants: list[int],
        broadcast: Broadcast,
        private: Mapping[int, State],
    ) -> Iterator[Outcome]:
        """Yield outcomes in client order."""
        ...


def make_trainer(engine: Engine, client: Client, views: Views) -> Trainer:
    """Make the engine that was chosen."""
    return Loop(client, views) if engine.chunk is None else Vector(client, views, engine.chunk)
