"""A SuperLink: Flower's server, started behind a guard, asked for runs, and stopped."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING

from motet.engine.flower.control import Control
from motet.engine.flower.guard import REFUSED
from motet.engine.flower.processes import Process, Service, find_command, is_loopback
from motet.errors import InputError, MotetError

if TYPE_CHECKING:
    from motet.engine.flower.keys import Certificates  # which cannot be imported where Flower is not installed

PORT = 8000
HEALTHY_S = 60.0
"""That a start may take; 4 s on an idle machine."""
FREED_S = 15.0
"""In which what a server that was killed has left lets go of its port."""
POLL_S = 0.25
"""Between two looks for work of what starts apps. Flower's own choice is 1 s; 0.05 s would take a tenth of a core."""


def check_listening(host: str, certificates: Certificates | None) -> None:
    """Refuse to listen where anybody could take part.

    Raises
    ------
    InputError
        If that is beyond this machine without certificates, or Flower is not installed.
    """
    find_command("flower-superlink")
    if certificates is None and not is_loopback(host):
        raise InputError(
            f"listening on {host} without certificates would let anybody on the network take part: make "
            "certificates, or listen on 127.0.0.1"
        )


class SuperLink(Service):
    """Flower's server, as a process of its own; a context manager that starts and stops it.

    It keeps its state (nodes, runs, messages) in its folder and goes on with it when it is started there again. With
    certificates, nodes prove who they are with a key that has been registered (`control`); without, anybody is let in,
    and so it listens to its own machine alone.

    Parameters
    ----------
    folder : Path
        Made if missing: ``state.db``, ``superlink.log``, and Flower's folder ``flwr``.
    host : str
        Where to listen: an address of this machine that its certificate names, ``0.0.0.0`` or ``::`` for all.
    port : int
    certificates : Certificates, optional
        See `motet.engine.flower.keys.make_certificates`.
    poll_s : float
        See `POLL_S`; from 0.01 to 60.

    Attributes
    ----------
    address : str
        ``host:port`` by which this machine reaches it.
    control : Control
        Registers devices, starts runs and says how they are.

    Raises
    ------
    InputError
        If it is to listen beyond this machine without certificates, or Flower is not installed.
    """

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        port: int = PORT,
        certificates: Certificates | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        check_listening(host, certificates)
        self.folder, self.host, self.port, self.certificates = folder, host, port, certificates
        self.log = folder / "superlink.log"
        self._near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self.address = f"[{self._near}]:{port}" if ":" in self._near else f"{self._near}:{port}"
        self._settings = {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": str(poll_s)}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.control = Control(folder / "flwr", self.address, certificates.ca if certificates else None)

    def start(self, within_s: float = HEALTHY_S) -> None:
        """Start it, and return when it answers, with its guard in place.

        Raises
        ------
        InputError
            If the port is in use or is not this machine's, or the certificate does not name the host.
        MotetError
            If it has not begun to answer in time; its last words are part of the sentence.
        """
        self.stop()
        self._find_port_free()
        tls = self.certificates
        options = [
            "--host",
            self.host,
            "--port",
            str(self.port),
            "--database",
            str(self.folder.absolute() / "state.db"),
        ]
        options += ["--disable-runtime-dependency-installation"]
        if tls is None:
            options += ["--insecure"]
        else:
            options += ["--ssl-ca-certfile", str(tls.ca.absolute()), "--ssl-certfile", str(tls.certificate.absolute())]
            options += ["--ssl-keyfile", str(tls.key.absolute()), "--enable-supernode-auth"]
        self._process = Process("superlink", options, self.folder / "flwr", self.log, self._settings)
        try:
            self._wait(self._process, within_s)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and the runs that it carries out."""
        if self._process is not None:
            self._process.stop()

    def log_tail(self, lines: int = 20) -> list[str]:
        """Return the last lines of its log."""
        return self.log.read_text(errors="replace").splitlines()[-lines:] if self.log.exists() else []

    def _find_port_free(self) -> None:
        """Refuse a port that is in use; where a server has been before in this folder, it may be about to end."""
        until = time.monotonic() + (FREED_S if (self.folder / "state.db").exists() else 0.0)
        while True:
            try:
                return self._check_port()
            except InputError:
                if time.monotonic() >= until:
                    raise
            time.sleep(0.2)

    def _check_port(self) -> None:
        """Refuse a port before anything is started, for only then is the sentence a clear one."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise self._in_use() from None
                raise InputError(f"{self.host}:{self.port} cannot be listened on ({error.strerror})") from None

    def _in_use(self) -> InputError:
        return InputError(f"port {self.port} of {self.host} is in use: stop what listens there, or choose another")

    def _wait(self, process: Process, within_s: float) -> None:
        until = time.monotonic() + within_s
        while not self._answers():
            if process.status is not None:
                if "address already in use" in process.said():
                    raise self._in_use()
                raise MotetError(f"the SuperLink ended while it started, and last said: {process.last_said()}")
            if time.monotonic() > until:
                raise MotetError(
                    f"the SuperLink has not answered within {within_s:g} s, and last said: {process.last_said()}"
                )
            time.sleep(0.1)

    def _answers(self) -> bool:
        """Return whether it answers; what it is asked is what the guard must refuse, so that it is never unguarded."""
        try:
            status, body = self._get("/v1/control/list-runs", {"Forwarded": "for=192.0.2.1"})
        except ssl.SSLCertVerificationError as error:
            raise InputError(
                f"{self.certificates and self.certificates.certificate}: is not what a device would accept of "
                f"{self._near} ({error.verify_message}): make one that names it"
            ) from None
        except (OSError, http.client.HTTPException):
            return False
        if (status, body) != (403, REFUSED.encode()):
            raise MotetError(
                f"what listens at {self.address} is not the SuperLink that was started, or has no guard: stop what "
                "listens there, and install Flower with pip install 'motet[flower]'"
            )
        return True

    def _get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        link: http.client.HTTPConnection
        if self.certificates is None:
            link = http.client.HTTPConnection(self._near, self.port, timeout=5)
        else:
            context = ssl.create_default_context(cafile=str(self.certificates.ca))
            link = http.client.HTTPSConnection(self._near, self.port, timeout=5, context=context)
        try:
            link.request("GET", path, headers=headers)
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()
