"""How the run in a folder is served over a network, beside its configuration: whom it waits for, where it listens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from motet.errors import InputError
from motet.record.files import write_atomic

if TYPE_CHECKING:  # what needs Flower is imported where it is used: folders are told apart without it
    from motet.engine.flower.keys import Certificates

PLAN, SERVING = "deployment.json", "serving.json"


class Plan(BaseModel):
    """How a run is served; beside its configuration.

    Attributes
    ----------
    run : str
        What nodes know it by.
    nodes : int
        How many must have come before it begins.
    deadline : float
        Seconds in which a round ends.
    quorum : float
        The share of the clients asked that is enough to end it before.
    """

    run: str
    nodes: int
    deadline: float
    quorum: float

    def write(self, folder: Path) -> None:
        """Put it into the folder of a run."""
        write_atomic(folder / PLAN, self.model_dump_json(indent=1))


def read_plan(folder: Path) -> Plan:
    """Return the plan of a run.

    Raises
    ------
    InputError
        If there is none that can be read.
    """
    try:
        return Plan.model_validate_json((folder / PLAN).read_text())
    except (OSError, ValueError):
        raise InputError(f"{folder} holds no run that was served over a network (no {PLAN})") from None


class Serving(BaseModel):
    """Where a run is served.

    Attributes
    ----------
    host : str
    port : int
    keys : str or None
        The folder of certificates and nodes' public keys; None: on this machine alone, without encryption.
    local : int
        How many nodes are started on this machine as well.
    """

    host: str
    port: int
    keys: str | None
    local: int = 0

    @property
    def certificates(self) -> Certificates | None:
        """Where the server's certificates are.

        Raises
        ------
        InputError
            If one is not there.
        """
        if self.keys is None:
            return None
        from motet.engine.flower.keys import Certificates

        folder = Path(self.keys)
        found = Certificates(folder / "ca.crt", folder / "server.crt", folder / "server.key")
        for path in (found.ca, found.certificate, found.key):
            if not path.is_file():
                raise InputError(f"{path} is not there: make keys with `motet keys {folder}`")
        return found

    def write(self, folder: Path) -> None:
        """Put it into the folder of a run."""
        write_atomic(folder / SERVING, self.model_dump_json(indent=1))


def is_served(folder: Path) -> bool:
    """Return whether the run in a folder is one that was served over a network."""
    return (folder / SERVING).is_file()


def read_serving(folder: Path) -> Serving:
    """Return where the run in a folder was served.

    Raises
    ------
    InputError
        If that cannot be read.
    """
    try:
        return Serving.model_validate_json((folder / SERVING).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / SERVING} cannot be read ({error}): start the run again elsewhere") from None
