"""What the clients of a node keep between rounds (a variate, what was not sent), through restarts.

The server says after which round a client goes on: the last one whose answer it used. What came of a round that it did
not use, or had not finished when it was killed, is left aside. So of each client there are two states: the one it last
went on from, and the one that came of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from motet.errors import InputError, MotetError
from motet.nets.network import State
from motet.record import checkpoint
from motet.record.files import sweep

log = logging.getLogger("motet")


class Kept:
    """The states of a node's clients in one run.

    Parameters
    ----------
    folder : Path
        Where they lie: the newest file that can be read counts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.states: dict[int, dict[int, State]] = {}
        folder.mkdir(mode=0o700, exist_ok=True)
        sweep(folder)
        for path in checkpoint.found(folder):
            try:
                tensors, _ = checkpoint.load(path)
            except InputError as error:
                log.warning("%s", error)
                continue
            self._fill(tensors)
            return

    def after(self, client: int, round: int) -> State:  # noqa: A002
        """Return what a client kept after a round; nothing before the first.

        Raises
        ------
        MotetError
            If that is no longer here.
        """
        if round == 0:
            return {}
        try:
            return self.states[client][round]
        except KeyError:
            raise MotetError(
                f"what client {client} kept after round {round} is not here any more: start the run again"
            ) from None

    def put(self, round: int, after: Mapping[int, int], found: Mapping[int, State]) -> None:  # noqa: A002
        """Keep what came of a round, in place of all but the states that it came from."""
        for client, state in found.items():
            before = after[client]
            self.states[client] = {before: self.after(client, before), round: state} if before else {round: state}
        tensors = {
            f"{client}/{number}/{name}": value
            for client, own in self.states.items()
            for number, state in own.items()
            for name, value in state.items()
        }
        if tensors:
            checkpoint.save(self.folder, round, tensors, {})

    def _fill(self, tensors: Mapping[str, Tensor]) -> None:
        for name, value in tensors.items():
            client, number, own = name.split("/", 2)
            self.states.setdefault(int(client), {}).setdefault(int(number), {})[own] = value
