"""The process on a node that trains: it waits for letters at a socket and answers one after another."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from motet.engine.flower.letter import Letter, receive, send
from motet.engine.flower.node import Node
from motet.errors import MotetError

log = logging.getLogger("motet")

WAITING = 16
"""Letters that may wait to be read."""


@contextmanager
def socket_path() -> Iterator[str]:
    """Make room for a socket that this user alone can reach, with temporary files: its path must be short."""
    with tempfile.TemporaryDirectory(prefix="motet-") as folder:
        yield str(Path(folder) / "node")


def serve(node: Node, path: str, ended: threading.Event) -> None:
    """Answer letters until it is over; who sends one while another is being answered can write it all the same."""
    turn = threading.Lock()
    threads: list[threading.Thread] = []
    listener = Listener(path, family="AF_UNIX", backlog=WAITING)
    threading.Thread(target=_wake, args=(path, ended), daemon=True).start()
    while True:
        connection = listener.accept()
        if ended.is_set():
            connection.close()
            listener.close()
            return
        threads = [thread for thread in threads if thread.is_alive()]
        threads.append(threading.Thread(target=_answer, args=(node, connection, turn), daemon=True))
        threads[-1].start()


def _answer(node: Node, connection: Connection, turn: threading.Lock) -> None:
    with connection:
        try:
            try:
                letter = receive(connection)
                with turn:
                    if connection.poll():  # closed: nobody waits any more
                        raise EOFError
                    found = node.answer(letter)
            except MotetError as error:
                found = Letter({"error": str(error)})
            send(connection, found)
        except (EOFError, OSError):
            log.warning("Flower's process no longer waits for an answer")


def _wake(path: str, ended: threading.Event) -> None:
    """Knock once it is over, so that nobody waits for a letter that does not come."""
    ended.wait()
    if Path(path).exists():
        Client(path, family="AF_UNIX").close()
