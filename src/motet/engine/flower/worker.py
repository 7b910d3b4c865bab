"""The process on a node that trains: it waits for letters at a socket, one after another."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Listener
from pathlib import Path

from motet.engine.flower.letter import Letter, receive, send
from motet.engine.flower.node import Node
from motet.errors import MotetError

log = logging.getLogger("motet")


@contextmanager
def socket_path() -> Iterator[str]:
    """Make room for a socket that this user alone can reach, with temporary files: its path must be short."""
    with tempfile.TemporaryDirectory(prefix="motet-") as folder:
        yield str(Path(folder) / "node")


def serve(node: Node, path: str, ended: threading.Event) -> None:
    """Answer letters until it is over."""
    with Listener(path, family="AF_UNIX") as listener:
        threading.Thread(target=_wake, args=(path, ended), daemon=True).start()
        while True:
            with listener.accept() as connection:
                if ended.is_set():
                    return
                _answer(node, connection)


def _answer(node: Node, connection: Connection) -> None:
    try:
        try:
            found = node.answer(receive(connection))
        except MotetError as error:
            found = Letter({"error": str(error)})
        send(connection, found)
    except (EOFError, OSError):
        log.warning("Flower's process no longer waits for an answer")


def _wake(path: str, ended: threading.Event) -> None:
    """Knock once it is over, so that nobody waits for a letter that does not come."""
    from multiprocessing.connection import Client

    ended.wait()
    if os.path.exists(path):
        Client(path, family="AF_UNIX").close()
