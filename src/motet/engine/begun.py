"""What clients begin a round with."""

from __future__ import annotations

from typing import NamedTuple

from motet.nets.network import State


class Begun(NamedTuple):
    """The parameters, and what members have kept; of one client, or with a row for each of many.

    Attributes
    ----------
    model : State
        The parameters received, or a client's own.
    own, common : State
        What drift has kept for the client, and what the server broadcast for it.
    residual : State
        What uploads have left over so far.
    """

    model: State
    own: State
    common: State
    residual: State
