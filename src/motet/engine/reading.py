"""What the server makes of the messages of one client, whenever and however they came."""

from __future__ import annotations

from collections.abc import Mapping

from motet.engine.account import Account
from motet.engine.client import Client
from motet.engine.outcome import Outcome
from motet.nets.network import State
from motet.wire.told import NOTHING


def read(reader: Client, client: int, account: Account, messages: Mapping[str, bytes], model: State) -> Outcome:
    """Return what a client has sent, read as far as it can be.

    Parameters
    ----------
    reader : Client
        Knows what messages may hold.
    client : int
    account : Account
    messages : mapping of kind to bytes
    model : State
        That the client was sent, for ternary weights.
    """
    expected = reader.expected
    update, prototypes, scores, drift, told = map(messages.get, ("model", "prototypes", "scores", "drift", "quality"))
    heard = None if update is None else expected.received("model", update)
    return Outcome(
        clients=[client],
        account=account,
        told=NOTHING if told is None else expected.received_told(told),
        model=None if heard is None else reader.sender.heard(heard, model),
        prototypes=None if prototypes is None else expected.received_prototypes(prototypes),
        scores=None if scores is None else expected.received("scores", scores),
        drift=None if drift is None else expected.received("drift", drift),
    )
