"""A SuperNode: what a device runs to take part, and why it cannot where it cannot."""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from motet.engine.flower.processes import Process, Service, find_command, free_port, is_loopback
from motet.engine.flower.superlink import POLL_S
from motet.engine.flower.toml import Value, lines
from motet.errors import InputError, MotetError
from motet.record.files import write_atomic

log = logging.getLogger("motet")

JOIN_S = 30.0
"""That joining may take; 4 s on an idle machine."""
FORGOTTEN_S = 70.0
"""After so long a server takes a device that fell silent for gone (60 s), and lets it join anew."""

_AGAIN_S = 3.0


class SuperNode(Service):
    """A device's part of Flower, as a process of its own; a context manager that starts and stops it.

    Once it takes part it stays: it tries again for as long as the server is away, and comes back as the same node.

    Parameters
    ----------
    folder : Path
        Made if missing; of this device alone: ``supernode.log``, and Flower's folder ``flwr``.
    address : str
        The server's ``host:port``.
    ca : Path, optional
        The certificate of the authority that the server's is signed by. Without it there is no encryption, and the
        server must be on the same machine.
    key : Path, optional
        The device's private key.
    config : mapping of str to str, int, float or bool, optional
        What the ClientApp finds in its ``context.node_config``.
    poll_s : float
        Between two questions for work of the process that starts ClientApps; from 0.01 to 60.

    Attributes
    ----------
    node_id : int or None
        By which the server knows it, once it has joined; it is the key's, and so the same at each start.

    Raises
    ------
    InputError
        If the address is none, a file is missing, or an unencrypted connection would leave the machine.
    """

    def __init__(
        self,
        folder: Path,
        address: str,
        ca: Path | None = None,
        key: Path | None = None,
        config: Mapping[str, Value] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        parts = re.fullmatch(r"(?:\[(?P<v6>[0-9a-fA-F:]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>\d{1,5})", address)
        if parts is None:
            raise InputError(f"{address!r} is no address of a server: write host:port, such as fleet.example.org:8000")
        if ca is None and not is_loopback(parts["v6"] or parts["host"]):
            raise InputError(f"without the server's ca.crt whoever answers at {address} is believed: give that file")
        if ca is None and key is not None:
            raise InputError(
                "a device shows its key over an encrypted connection only: give the server's ca.crt as well"
            )
        for what, path in (("the server's certificate authority", ca), ("the device's key", key)):
            if path is not None and not path.is_file():
                raise InputError(f"{path}: is not there: bring the file of {what} to this machine")
        find_command("flower-supernode")
        self.folder, self.address, self.ca, self.key = folder, address, ca, key
        self.log = folder / "supernode.log"
        self.node_id: int | None = None
        self._mark = folder / "joined"  # left behind by one that was killed: the server believes it is still there
        self._settings = {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": str(poll_s)}
        (folder / "flwr").mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "node.toml", lines(config or {}))

    def start(self, within_s: float | None = JOIN_S, check: Callable[[], None] = lambda: None) -> None:
        """Start it, and return when it has joined.

        One that was killed is taken for still being there, by a server that waits for up to a minute for a sign of
        life; it then tries again for `FORGOTTEN_S`. So does one that waits for a server however long it takes: one that
        has just started answers before it has been told of all keys.

        Parameters
        ----------
        within_s : float or None
            How long to wait for a server that does not answer; None: for ever.
        check : function
            Called while it waits; what it raises ends that.

        Raises
        ------
        InputError
            If the server refuses this device, or is not the one that the device trusts.
        MotetError
            If nobody answers, or it ends for another reason.
        """
        self.stop()
        patience = FORGOTTEN_S if within_s is None or self._mark.exists() else 0.0
        until: float | None = None
        try:
            for attempt in itertools.count(1):
                process = self._begin()
                if self._joined(process, within_s, check):
                    break
                said = process.said()
                port_was_taken = "HTTP API failed to start" in said and attempt < 3
                unknown = "Failed to activate" in said
                if unknown and until is None:
                    until = time.monotonic() + patience
                    if patience:
                        log.warning("%s (it is asked again for %g s)", self.why(), patience)
                if not port_was_taken and not (unknown and until is not None and time.monotonic() < until):
                    raise self._refused(said)
                _wait(_AGAIN_S, check)
        except BaseException:
            self.stop()
            raise
        write_atomic(self._mark, f"{self.node_id}\n")

    def stop(self) -> None:
        """End it, and what it carries out; the server is told that it leaves."""
        if self._process is not None:
            self._process.stop()
            if self._process.status == 0 and self.node_id is not None:
                self._mark.unlink(missing_ok=True)

    def why(self) -> str:
        """Return, in one sentence, why it takes no part, as far as it has said."""
        if self._process is None:
            return "the SuperNode was not started"
        said = self._process.said()
        for words, sentence in _REASONS if self.node_id is None else ():
            if words in said:
                return sentence.format(address=self.address, key=self.key, ca=self.ca)
        if self.running:
            return "the SuperNode is running"
        return f"the SuperNode has ended, and last said: {self._process.last_said()}"

    def _begin(self) -> Process:
        options = ["--superlink", self.address, "--host", "127.0.0.1", "--port", str(free_port())]
        options += ["--node-config", str(self.folder.absolute() / "node.toml")]
        options += ["--root-certificates", str(self.ca.absolute())] if self.ca else ["--insecure"]
        options += ["--auth-supernode-private-key", str(self.key.absolute())] if self.key else []
        self.node_id = None
        self._process = Process("supernode", options, self.folder / "flwr", self.log, self._settings)
        return self._process

    def _joined(self, process: Process, within_s: float | None, check: Callable[[], None]) -> bool:
        """Return whether it has joined, or has ended."""
        began = time.monotonic()
        while process.status is None:
            if found := re.search(r"SuperNode ID: (\d+)", process.said()):
                self.node_id = int(found[1])
                return True
            if within_s is not None and time.monotonic() > began + within_s:
                raise MotetError(_NOBODY.format(address=self.address))
            _wait(0.1, check)
        return False

    def _refused(self, said: str) -> MotetError:
        known = any(words in said for words, _ in _REASONS)
        return InputError(self.why()) if known else MotetError(self.why())


def _wait(seconds: float, check: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        check()
        time.sleep(0.1)


_NOBODY = (
    "nobody answers at {address} as a SuperLink does: is it started there, and does a firewall let this device pass?"
)
_REASONS = (
    (
        "must be registered via the CLI",
        "the server at {address} lets only devices take part whose key it knows: give this one its key",
    ),
    (
        "Failed to activate",
        "the server at {address} does not know the key {key}, or one that has it takes part already: register its .pub "
        "file there, or stop the other device",
    ),
    (
        "SSL/TLS handshake error",
        "the server at {address} has no certificate for this address that {ca} has signed: bring its ca.crt here, or "
        "make it a certificate that names the address",
    ),
    (
        "terminated gracefully",  # as it does by itself when its signature, which has the time in it, is refused
        "the server at {address} does not believe the signature of {key}: set this device's clock, which may be 5 s "
        "ahead of the server's or 5 minutes behind it",
    ),
    ("Unable to parse the private key", "{key}: is no device's key: make one and bring its .key file here"),
)
"""What Flower says of a device that has not joined, and what it means."""
