"""What a server and its nodes write to each other: a small header, and messages of the wire as they are.

Flower carries it as a record of configuration (the header) and an array of bytes (the messages, one after another); on
a node it goes through a socket, from Flower's process to the one that trains. Nothing here needs PyTorch, as Flower
starts a process for every letter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import accumulate, pairwise
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from motet.errors import MotetError

PROTOCOL = 1
"""Raised when letters change their meaning; who speaks another one is refused."""
LARGEST_HEADER, LONGEST_MESSAGE = 2**26, 2**53
LONGEST_REASON = 300
LATE_S = 30.0
"""For which an answer is waited for on a node when the server no longer does, so that it can count it as late."""


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
        """Why there is no answer, in a line that can stand in a record; None where this is one."""
        found = self.header.get("error")
        return None if found is None else printable(str(found))

    @property
    def size(self) -> int:
        """Bytes of the messages."""
        return sum(map(len, self.messages.values()))

    def head(self) -> str:
        """Return the header with the names and lengths of the messages, as text."""
        lengths = [[name, len(message)] for name, message in self.messages.items()]
        return json.dumps({"protocol": PROTOCOL, **self.header, "lengths": lengths}, separators=(",", ":"))

    def body(self) -> bytes:
        """Return the messages, one after another."""
        return b"".join(self.messages.values())


def read(head: str, body: bytes) -> Letter:
    """Undo `Letter.head` and `Letter.body`.

    Raises
    ------
    MotetError
        If it is no letter, or one of another protocol.
    """
    header, lengths = _read_head(head)
    if sum(lengths.values()) != len(body):
        raise MotetError(f"a letter says that it has {sum(lengths.values()):,} bytes, and has {len(body):,}")
    ends = list(accumulate(lengths.values(), initial=0))
    return Letter(header, {name: body[low:high] for name, (low, high) in zip(lengths, pairwise(ends), strict=True)})


def _read_head(head: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Return a header, and the lengths of the messages that belong to it by name."""
    if len(head) > LARGEST_HEADER:
        raise MotetError(f"a header of {len(head):,} characters: at most {LARGEST_HEADER:,} make sense")
    try:
        found = json.loads(head)
        protocol, lengths = found.pop("protocol"), found.pop("lengths")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise MotetError("what came is no letter of Motet") from None
    if protocol != PROTOCOL:
        raise MotetError(
            f"protocol {printable(repr(protocol))[:20]} is not spoken here (this is {PROTOCOL}): install the same "
            "version of Motet on both sides"
        )
    try:
        by_name = {name: length for name, length in lengths if isinstance(name, str) and type(length) is int}
        makes_sense = len(by_name) == len(lengths) and all(0 <= length < LONGEST_MESSAGE for length in by_name.values())
    except (ValueError, TypeError):
        makes_sense = False
    if not makes_sense:
        raise MotetError("a letter names its messages in a way that makes no sense")
    return found, by_name


def printable(text: str) -> str:
    """Return a line of what somebody else wrote, of bounded length and of characters that can be written."""
    line = " ".join(text[: 2 * LONGEST_REASON].split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line[:LONGEST_REASON])


def send(connection: Connection, letter: Letter) -> None:
    """Write a letter into a socket, message by message: those of many clients are large."""
    connection.send_bytes(letter.head().encode())
    for message in letter.messages.values():
        connection.send_bytes(message)


def receive(connection: Connection) -> Letter:
    """Read a letter from a socket.

    Raises
    ------
    MotetError
        As `read`.
    EOFError
        If the other side has gone.
    """
    header, lengths = _read_head(connection.recv_bytes().decode(errors="replace"))
    messages = {name: connection.recv_bytes() for name in lengths}
    if any(len(messages[name]) != length for name, length in lengths.items()):
        raise MotetError("a letter's messages do not have the lengths that it says")
    return Letter(header, messages)
