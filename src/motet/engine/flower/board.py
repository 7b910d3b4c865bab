"""What is going on in a fleet, in a file for whoever watches: nodes, rounds, missing modalities, bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from motet.record.files import write_atomic

FILE = "fleet.json"
State = Literal["away", "greeted", "at work", "done", "late", "lost"]


class NodeLine(BaseModel):
    """A node on the board."""

    name: str
    clients: int
    state: State = "away"
    why: str = ""
    round: int = 0
    seconds: float | None = None
    up: int = 0
    down: int = 0
    missing: dict[str, float] = {}
    late: int = 0
    lost: int = 0


class Board(BaseModel):
    """The board."""

    state: Literal["waiting for nodes", "running", "finished", "failed"] = "waiting for nodes"
    why: str = ""
    expected: int = 0
    round: int = 0
    rounds: int = 0
    accuracy: float | None = None
    seconds: float | None = None
    nodes: dict[str, NodeLine] = {}

    def write(self, folder: Path) -> None:
        """Put it up."""
        write_atomic(folder / FILE, self.model_dump_json(indent=1))


def read(folder: Path) -> Board | None:
    """Return the board of a run; None where there is none yet."""
    try:
        return Board.model_validate_json((folder / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
