"""A Flower app of one question: each device answers with its own name and what it was asked."""

from __future__ import annotations

import json
import time
from pathlib import Path

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

client = ClientApp()
server = ServerApp()


@client.query()
def answer(message: Message, context: Context) -> Message:
    """Answer."""
    asked = message.content["asked"]["question"]
    answered = ConfigRecord({"name": context.node_config["name"], "asked": asked})
    return Message(RecordDict({"answered": answered}), reply_to=message)


@server.main()
def ask(grid: Grid, context: Context) -> None:
    """Ask the first device that there is, and write down what it answers."""
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(0.2)
    content = RecordDict({"asked": ConfigRecord({"question": context.run_config["question"]})})
    asked = list(grid.push_messages([Message(content, nodes[0], "query")]))
    while not (answers := list(grid.pull_messages(asked))):
        time.sleep(0.1)
    Path(str(context.run_config["out"])).write_text(json.dumps(dict(answers[0].content["answered"])))
