"""What is under way between a device and the server for longer than a round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Parcel(NamedTuple):
    """What one client sends late.

    Attributes
    ----------
    round, due : int
        In which it was made, and in which it comes.
    client : int
    labelled : int
        Samples that it has learnt from.
    messages : dict of kind to bytes
    """

    round: int
    due: int
    client: int
    labelled: int
    messages: dict[str, bytes]


def come(parcels: Sequence[Parcel], round: int) -> list[Parcel]:  # noqa: A002
    """Return what comes in a round."""
    return [own for own in parcels if own.due == round]


def under_way(parcels: Sequence[Parcel], round: int) -> list[Parcel]:  # noqa: A002
    """Return what comes after a round."""
    return [own for own in parcels if own.due > round]
