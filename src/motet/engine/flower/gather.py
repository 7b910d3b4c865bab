"""Before the first round: wait for the nodes, hear who lives on them, and tell all how to standardise."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping

from motet.data.dataset import Modality
from motet.engine.flower.board import Board, NodeLine
from motet.engine.flower.letter import Letter
from motet.engine.flower.mail import Mail, Sent
from motet.engine.flower.roster import Greeting, missing
from motet.engine.interrupt import stop_on_signal
from motet.errors import MotetError

log = logging.getLogger("motet")

LOOK_S = 0.5
PATIENCE_S = 600.0
"""In which a node must have opened its data."""
AGAIN_S = 60.0
"""After which a node that could not take part is asked again: it may have been mended, or one of its name have left."""


class Gathering:
    """The nodes that have come so far.

    Parameters
    ----------
    mail : Mail
    greeting : Letter
    modalities : mapping of str to Modality
    board : Board
    put_up : function
        Shows the board.
    """

    def __init__(
        self,
        mail: Mail,
        greeting: Letter,
        modalities: Mapping[str, Modality],
        board: Board,
        put_up: Callable[[], None],
    ) -> None:
        self.mail, self.modalities = mail, modalities
        self.greeting = greeting._replace(header={**greeting.header, "sums": True})
        self.board, self.put_up = board, put_up
        self.came: dict[int, float] = {}
        self.again: dict[int, float] = {}
        self.under_way: set[Sent] = set()
        self.heard: dict[int, Greeting] = {}

    def wait(self, nodes: int) -> None:
        """Wait until as many nodes, or more, have come, on which all clients live.

        Raises
        ------
        Interrupted
            If the user stopped it.
        """
        said = None
        with stop_on_signal() as stop:
            while True:
                stop.check()
                self._look()
                self._fetch()
                if len(self.heard) >= nodes:
                    lacking = missing(list(self.heard.values()))
                    if lacking is None:
                        return
                    if lacking != said:
                        log.warning("%s", lacking)
                        said = self.board.why = lacking
                        self.put_up()
                time.sleep(LOOK_S)

    def _look(self) -> None:
        online = self.mail.online()
        for node in [node for node, came in self.came.items() if online.get(node) != came]:
            del self.came[node]
            self.again.pop(node, None)
            gone = self.heard.pop(node, None)
            if gone is not None:
                del self.board.nodes[gone.name]
                self.put_up()
            self.under_way = {sent for sent in self.under_way if sent.node != node}
        for node, came in online.items():
            if node not in self.came or time.monotonic() > self.again.get(node, math.inf):
                sent = self.mail.send(node, self.greeting, PATIENCE_S)
                if sent is not None:
                    self.came[node] = came
                    self.again.pop(node, None)
                    self.under_way.add(sent)

    def _fetch(self) -> None:
        for sent, letter in self.mail.fetch(self.under_way):
            self.under_way.discard(sent)
            try:
                if letter.error is not None:
                    raise MotetError(letter.error)
                found = Greeting(letter, self.modalities)
                if not found.messages:
                    raise MotetError("its clients have sent no sums")
                if found.name in self.board.nodes:
                    raise MotetError(f"another node is called {found.name!r}: give each a --name of its own")
            except MotetError as error:
                self.again[sent.node] = time.monotonic() + AGAIN_S
                log.warning("node %d cannot take part: %s", sent.node, error)
                self.board.why = f"a node cannot take part: {error}"
                self.put_up()
                continue
            self.heard[sent.node] = found
            self.board.nodes[found.name] = NodeLine(name=found.name, clients=len(found.samples), state="greeted")
            log.info("%s has come, with %d clients", found.name, len(found.samples))
            self.put_up()
