"""Letters as Flower's records."""

from __future__ import annotations

from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from motet.engine.flower.letter import Letter, read
from motet.errors import MotetError

HEADER, MESSAGES = "header", "messages"
BYTES = "motet.bytes"
"""How Flower calls the way in which the array was written."""


def to_records(letter: Letter) -> RecordDict:
    """Return a letter as records: its header, and its messages in an array of uint8."""
    body = letter.body()
    array = Array(dtype="uint8", shape=(len(body),), stype=BYTES, data=body)
    return RecordDict({HEADER: ConfigRecord({HEADER: letter.head()}), MESSAGES: ArrayRecord({MESSAGES: array})})


def from_records(records: RecordDict) -> Letter:
    """Undo `to_records`.

    Raises
    ------
    MotetError
        If these are no such records, or hold no letter.
    """
    try:
        header = records.config_records[HEADER][HEADER]
        array = records.array_records[MESSAGES][MESSAGES]
    except KeyError:
        raise MotetError("what came is no letter of Motet") from None
    if not isinstance(header, str) or array.stype != BYTES:
        raise MotetError("what came is no letter of Motet")
    return read(header, array.data)
