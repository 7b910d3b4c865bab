"""Letters by Flower's grid: who is there, what is sent to whom, and what has come back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from flwr.app import Message
from flwr.serverapp import Grid

from motet.engine.flower.letter import Letter
from motet.engine.flower.records import from_records, to_records
from motet.errors import MotetError

GRACE_S = 60.0
"""For which Flower keeps a letter longer than anybody waits for its answer, so that a late one can be counted."""
TYPES = {"greet": "query", "begin": "query", "train": "train"}


class Sent(NamedTuple):
    """A letter that is under way.

    Attributes
    ----------
    number : str
        Flower's.
    node : int
    kind : str
    """

    number: str
    node: int
    kind: str


class Mail:
    """Sends letters and fetches answers.

    Parameters
    ----------
    grid : Grid
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def online(self) -> dict[int, float]:
        """Return the nodes that Flower takes for reachable, and when each came, in seconds since 1970.

        One that was killed is among them for another minute.
        """
        return {node.node_id: _seconds(node.last_activated_at) for node in self.grid.get_nodes()}

    def send(self, node: int, letter: Letter, patience: float) -> Sent | None:
        """Send a letter; None where it could not be taken.

        Parameters
        ----------
        patience : float
            Seconds after which nobody waits for its answer.
        """
        kind = str(letter.header["kind"])
        header = {**letter.header, "patience": patience}
        records = to_records(letter._replace(header=header))
        group = str(letter.header.get("round", 0))
        message = Message(records, node, TYPES[kind], ttl=patience + GRACE_S, group_id=group)
        (number,) = [*self.grid.push_messages([message]), None][:1]
        return Sent(number, node, kind) if number else None

    def fetch(self, sent: Collection[Sent]) -> list[tuple[Sent, Letter]]:
        """Return the answers that have come to some letters; where there will be none, a letter that says why."""
        by_number = {letter.number: letter for letter in sent}
        messages = self.grid.pull_messages(list(by_number)) if by_number else []
        asked = ((by_number.pop(message.metadata.reply_to_message_id, None), message) for message in messages)
        return [(letter, _read(message)) for letter, message in asked if letter is not None]


def _read(message: Message) -> Letter:
    if message.has_error():
        return Letter({"error": f"Flower: {' '.join(str(message.error.reason).split())}"})
    try:
        return from_records(message.content)
    except MotetError as error:
        return Letter({"error": str(error)})


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0
