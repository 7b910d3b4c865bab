"""Asking a SuperLink to do something, through Flower's own command line, which is its public interface."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motet.engine.flower.processes import environment, find_command
from motet.engine.flower.toml import Value, lines, value
from motet.errors import InputError, MotetError
from motet.record.files import write_atomic

CONNECTION = "motet"
ANSWER_S = 120.0
"""That an answer may take; on a small machine that is busy the command needs 10 s to start."""


@dataclass(frozen=True)
class App:
    """What runs: names of a ServerApp and a ClientApp, ``module:attribute``, that server and devices can import."""

    server: str
    client: str


@dataclass(frozen=True)
class RunStatus:
    """How far a run is, in Flower's words: ``pending``, ``starting``, ``running``, ``finished:completed`` and so on."""

    state: str
    details: str

    @property
    def over(self) -> bool:
        """Return whether the run has ended, well or badly."""
        return self.state.startswith("finished")


class Control:
    """A connection to a SuperLink on this machine, kept in a folder of its own.

    Parameters
    ----------
    home : Path
        Flower's folder; gets ``config.toml``.
    address : str
        ``host:port``.
    ca : Path, optional
        The authority that the server's certificate must be signed by; without it, no TLS.
    """

    def __init__(self, home: Path, address: str, ca: Path | None = None) -> None:
        self._home = home.absolute()
        tls = "insecure = true" if ca is None else f"root-certificates = {value(str(ca.absolute()))}"
        connection = (
            f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\naddress = "{address}"\n{tls}\n'
        )
        home.mkdir(parents=True, exist_ok=True)
        write_atomic(home / "config.toml", connection)

    def register(self, public_key: Path, name: str) -> None:
        """Let a device take part; one that is known already is left as it is.

        Raises
        ------
        InputError
            If the file holds no public key.
        MotetError
            If the SuperLink does not answer.
        """
        if not public_key.is_file():
            raise InputError(f"{public_key}: is not there: make a key for the device first")
        try:
            self._ask("supernode", "register", str(public_key.absolute()), CONNECTION, "--name", name)
        except MotetError as error:
            if "already in use" not in str(error):
                raise

    def submit(self, app: App, config: Mapping[str, Value] | None = None) -> int:
        """Start a run.

        Parameters
        ----------
        app : App
        config : mapping of str to str, int, float or bool, optional
            What the apps find in their ``context.run_config``.

        Returns
        -------
        int
            The run's number.
        """
        folder = self._home / "app"
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "pyproject.toml", _project(app, config or {}))
        return int(self._ask("run", str(folder.absolute()), CONNECTION)["run-id"])

    def status(self, run: int) -> RunStatus:
        """Return how far a run is."""
        found = self._ask("list", CONNECTION, "--run-id", str(run))["runs"][0]
        return RunStatus(found["status"], " ".join(found["status-details"].split()).replace("N/A", ""))

    def stop(self, run: int) -> None:
        """Stop a run before its end."""
        self._ask("stop", str(run), CONNECTION)

    def log(self, run: int) -> str:
        """Return what a run's ServerApp has said so far."""
        return self._flwr("log", str(run), CONNECTION, "--show").stdout

    def _ask(self, *arguments: str) -> dict[str, Any]:
        done = self._flwr(*arguments, "--format", "json")
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except json.JSONDecodeError:
            answer = {"error-message": done.stdout + done.stderr}
        if not answer.get("success"):
            said = " ".join(str(answer.get("error-message", "")).split()) or "nothing"
            raise MotetError(f"the SuperLink did not do what was asked (flwr {arguments[0]}), and said: {said}")
        return answer

    def _flwr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [find_command("flwr"), *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd=self._home,  # where nothing has the connection's name: Flower would take it for an app's folder
                env=environment(self._home, {"COLUMNS": "1000"}),
                timeout=ANSWER_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MotetError(f"the SuperLink has not answered for {ANSWER_S:g} s: look into its log") from None


def _project(app: App, config: Mapping[str, Value]) -> str:
    """Return the whole of an app: its parts are in installed packages, so that no code travels."""
    return "\n".join(
        (
            "[project]",
            'name = "motet"',
            'version = "1.0.0"',
            'description = "A run of Motet."',
            'license = "Apache-2.0"',
            "[tool.flwr.app]",
            'publisher = "motet"',
            "[tool.flwr.app.components]",
            f"serverapp = {value(app.server)}",
            f"clientapp = {value(app.client)}",
            "[tool.flwr.app.config]",
            lines(config),
        )
    )
