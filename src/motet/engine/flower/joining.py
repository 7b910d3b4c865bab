"""A node as processes: Flower's, which talks to the server, and this one, which trains."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from motet.config import Config
from motet.data.catalogue import open_dataset
from motet.data.dataset import Dataset
from motet.engine.flower.cohort import Share
from motet.engine.flower.node import Node
from motet.engine.flower.supernode import SuperNode
from motet.engine.flower.worker import serve, socket_path
from motet.engine.interrupt import stop_on_signal
from motet.engine.runs import find_data
from motet.errors import Interrupted, MotetError

log = logging.getLogger("motet")

LOOK_S = 0.5


def join(
    address: str,
    name: str,
    folder: Path,
    data: str,
    share: Share | None,
    ca: Path | None,
    key: Path | None,
    device: str,
) -> None:
    """Take part in the runs of a server until the user stops it.

    Raises
    ------
    Interrupted
        When the user has.
    InputError
        If the data cannot be opened, the folder is in use, or the server refuses this node.
    MotetError
        If Flower's process has ended before it joined, or the thread that trains has.
    """

    def opened(config: Config) -> Dataset:
        if share is None:
            return open_dataset(data, clients=config.clients.clients, seed=config.run.seed)
        return find_data(config.but(data=data))

    open_dataset(data)  # what is wrong with it is said before anybody waits for this node
    node = Node(name, folder, opened, share, device)
    ended = threading.Event()
    try:
        with stop_on_signal() as stop, socket_path() as socket:
            worker = threading.Thread(target=serve, args=(node, socket, ended), name="worker", daemon=True)
            worker.start()
            flower = SuperNode(folder / "flower", address, ca, key, config={"socket": socket})
            try:
                while True:  # Flower's process ends by itself where a server's next run does not know it
                    log.info("%s looks for the server at %s", name, address)
                    flower.start(within_s=None, check=stop.check)
                    log.info("%s has joined", name)
                    while flower.running and worker.is_alive():
                        stop.check()
                        ended.wait(LOOK_S)
                    if not worker.is_alive():
                        raise MotetError("the thread that trains has ended")
                    log.warning("%s is not known to the server any more; %s has Flower's words", name, flower.log)
            except Interrupted:
                raise Interrupted(f"{name} has left") from None
            finally:
                flower.stop()
                ended.set()
                worker.join(LOOK_S)  # one that trains is not waited for: the round is lost for this node in any case
    finally:
        node.close()
