"""A whole fleet on this machine, with real processes and real keys: for trying out, and for tests."""

from __future__ import annotations

import logging
from pathlib import Path

from motet.engine.flower.keys import make_certificates, make_node_key
from motet.engine.flower.plan import Serving
from motet.engine.flower.processes import Process

log = logging.getLogger("motet")


def make_keys(folder: Path, nodes: int) -> None:
    """Make certificates for this machine, and a key for each node."""
    make_certificates(folder)
    for name in names(nodes):
        make_node_key(folder, name)


def names(nodes: int) -> list[str]:
    """Return the names of the nodes."""
    return [f"node{number}" for number in range(1, nodes + 1)]


class LocalNodes:
    """The nodes, each in a process of its own with its share of the run's data; a context manager.

    Parameters
    ----------
    folder : Path
        Of the run.
    serving : Serving
    data : str
    """

    def __init__(self, folder: Path, serving: Serving, data: str) -> None:
        self.folder, self.serving, self.data = folder, serving, data
        self.processes: dict[str, Process] = {}
        self.started = False

    def __enter__(self) -> LocalNodes:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self.processes.values():
            process.ask_to_stop()
        for process in self.processes.values():
            process.stop()

    def _start(self, name: str, share: str) -> Process:
        own, keys = self.folder / "nodes" / name, self.serving.keys
        own.mkdir(parents=True, exist_ok=True)
        options = ["join", f"127.0.0.1:{self.serving.port}", "--name", name, "--folder", str(own)]
        options += ["--data", self.data, "--share", share]
        if keys is not None:
            options += ["--ca", str(Path(keys) / "ca.crt"), "--key", str(Path(keys) / f"{name}.key")]
        return Process("motet", options, own, own / "node.log")

    def look(self) -> None:
        """Start the nodes, once there is a server that knows their keys; then say which have ended by themselves."""
        if not self.started:
            self.started = True
            for number, name in enumerate(names(self.serving.local), start=1):
                self.processes[name] = self._start(name, f"{number}/{self.serving.local}")
        for name, process in list(self.processes.items()):
            if process.status is not None:
                log.warning("%s has ended: %s", name, process.last_said(1))
                del self.processes[name]
