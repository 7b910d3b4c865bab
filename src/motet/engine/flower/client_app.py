"""Flower's client: passes each letter on to the process on the same node that trains, and its answer back.

Flower starts a process for every message. This one loads neither PyTorch nor data, so that a round costs little more
than one that does nothing.
"""

from __future__ import annotations

from multiprocessing.connection import Client

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from motet.engine.flower.letter import LATE_S, Letter, receive, send
from motet.engine.flower.records import from_records, to_records
from motet.errors import MotetError

app = ClientApp()


@app.query()
@app.train()
def answer(message: Message, context: Context) -> Message:
    """Return the answer of the process that trains; where there is none, a letter that says why."""
    try:
        found = ask(str(context.node_config["socket"]), from_records(message.content))
    except MotetError as error:
        found = Letter({"error": str(error)})
    return Message(to_records(found), reply_to=message)


def ask(socket: str, letter: Letter) -> Letter:
    """Ask the process that trains, and wait little longer than the letter says.

    Raises
    ------
    MotetError
        If it is gone, or takes too long.
    """
    try:
        with Client(socket, family="AF_UNIX") as connection:
            send(connection, letter)
            if not connection.poll(float(letter.header["patience"]) + LATE_S):
                raise MotetError("it is still at work")
            return receive(connection)
    except (OSError, EOFError) as error:
        raise MotetError(f"the process that trains on the node does not answer ({error or 'it broke off'})") from None
