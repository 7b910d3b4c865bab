"""What a server and its nodes write to each other: a small header, and messages of the wire as they are.

Flower carries it as a record of configuration (the header) and an array of bytes (the messages, one after another); on
a node it goes through a socket, from Flower's process to the one that trains. Nothing here needs PyTorch, as Flower
starts a process for every letter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from motet.errors import MotetError

PROTOCOL = 1
"""Raised when letters change their meaning; who speaks another one is refused."""
LARGEST_HEADER = 2**26


class Letter(NamedTuple):
    """A header and messages.

    Attributes
    ----------
    header : dict
        JSON values; what the letter is about, or under ``error`` why there is no answer.
    messages : dict of name to bytes
        Such as ``model``, or ``3/model`` of client 3.
    """

    header: dict[str, Any]
    messages: Mapping[str, bytes] = {}

    @property
    def error(self) -> str | None:
        """Why there is no answer; None where this is one."""
        found = self.header.get("error")
        return None if found is None else str(found)

    @property
    def size(self) -> int:
        """Bytes of the messages."""
        return sum(map(len, self.messages.values()))

    def parts(self) -> tuple[str, bytes]:
        """Return the header with the lengths of the messages, as text, and the messages."""
        lengths = [[name, len(message)] for name, message in self.messages.items()]
        header = {"protocol": PROTOCOL, **self.header, "lengths": lengths}
        return json.dumps(header, separators=(",", ":")), b"".join(self.messages.values())


def read(header: str, body: bytes) -> Letter:
    """Undo `Letter.parts`.

    Raises
    ------
    MotetError
        If it is no letter, or one of another protocol.
    """
    if len(header) > LARGEST_HEADER:
        raise MotetError(f"a header of {len(header):,} characters: at most {LARGEST_HEADER:,} make sense")
    try:
        found = json.loads(header)
        protocol, lengths = found.pop("protocol"), found.pop("lengths")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise MotetError("what came is no letter of Motet") from None
    if protocol != PROTOCOL:
        raise MotetError(
            f"protocol {protocol!r} is not spoken here (this is {PROTOCOL}): install the same version of Motet on both "
            "sides"
        )
    return Letter(found, _parted(lengths, body))


def _parted(lengths: Any, body: bytes) -> dict[str, bytes]:
    messages: dict[str, bytes] = {}
    place = 0
    try:
        for name, length in lengths:
            if not (isinstance(name, str) and isinstance(length, int) and length >= 0 and name not in messages):
                raise ValueError
            messages[name] = body[place : place + length]
            place += length
    except (ValueError, TypeError):
        raise MotetError("a letter names its messages in a way that makes no sense") from None
    if place != len(body):
        raise MotetError(f"a letter says that its messages have {place:,} bytes, and has {len(body):,}")
    return messages


def send(connection: Connection, letter: Letter) -> None:
    """Write a letter into a socket."""
    header, body = letter.parts()
    connection.send_bytes(header.encode())
    connection.send_bytes(body)


def receive(connection: Connection) -> Letter:
    """Read a letter from a socket.

    Raises
    ------
    MotetError
        As `read`.
    EOFError
        If the other side has gone.
    """
    header = connection.recv_bytes()
    return read(header.decode(errors="replace"), connection.recv_bytes())
