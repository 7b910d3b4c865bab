"""Which tool follows a run, and where; a run's folder remembers it, so that a resumed run is followed on."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from motet.errors import InputError, unknown
from motet.record.files import write_atomic
from motet.record.result import read, to_json
from motet.record.track.store import Place, Store

TOOLS = ("tensorboard", "mlflow")
FILE = "track.json"


class Track(BaseModel):
    """Which tool follows a run, and where.

    Attributes
    ----------
    tool : str
        One of `TOOLS`.
    path : str, optional
        Folder of event files; database file or address of a server. The tool's own choice if there is none.
    within : str
        What the run is part of, such as a comparison.
    key : str
        What the tool knows the run by; empty before the run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    path: str | None = None
    within: str = ""
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> Track:
        """Read ``tensorboard``, ``mlflow``, or one of them with a place, ``tensorboard:PATH``.

        Raises
        ------
        InputError
            If there is no such tool, or no place behind the colon.
        """
        tool, colon, path = text.partition(":")
        if tool not in TOOLS:
            raise unknown("tool to track with", tool, TOOLS)
        if colon and not path:
            raise InputError(f"--track {text} names no place: write {tool}:PATH, or {tool} alone")
        is_address = "://" in path
        return cls(tool=tool, path=(path if is_address else str(Path(path).expanduser().absolute())) if path else None)

    def check(self) -> None:
        """Refuse what cannot work, before anything is run.

        Raises
        ------
        InputError
            If the tool is not installed, or its place cannot be written to.
        """
        try:
            self._tool().check(self.path)
        except InputError:
            raise
        except Exception as error:  # what tools raise is not a closed list
            raise InputError(f"--track {self._said}: {said(error)}; name another place, or leave it out") from None

    def inside(self, whole: str) -> Track:
        """Return the same for a run that is part of something."""
        return self.model_copy(update={"within": whole})

    def begin(self, folder: Path) -> None:
        """Write down in a run's folder where it is followed."""
        key = self._tool().begin(self._place(folder))
        write_atomic(folder / FILE, to_json(self.model_copy(update={"key": key})))

    @classmethod
    def of(cls, folder: Path) -> Track | None:
        """Return where the run in a folder is followed; None if it is not.

        Raises
        ------
        InputError
            If it was written down, and cannot be read.
        """
        return read(folder / FILE, cls) if (folder / FILE).is_file() else None

    def open(self, folder: Path, config: Mapping[str, Any]) -> Store:
        """Open the run's store, for the first time or again.

        Raises
        ------
        InputError
            If it cannot be.
        """
        try:
            return self._tool()(self._place(folder), config)
        except InputError:
            raise
        except Exception as error:  # as in `check`
            raise InputError(
                f"the run is tracked with {self._said}, which fails ({said(error)}): mend that, or remove "
                f"{folder / FILE} to go on without"
            ) from None

    @property
    def _said(self) -> str:
        return self.tool if self.path is None else f"{self.tool}:{self.path}"

    def _place(self, folder: Path) -> Place:
        title = f"{self.within}/{folder.name}" if self.within else folder.absolute().name
        return Place(self.path, folder, title, self.key)

    def _tool(self) -> type[Store]:
        try:
            module = import_module(f"motet.record.track.{self.tool}")
        except ImportError:
            raise InputError(
                f"--track {self.tool} needs {self.tool}: install it with pip install 'motet[track]'"
            ) from None
        found: type[Store] = module.TOOL
        return found


def said(error: Exception) -> str:
    """Return what a tool complains of, as part of a sentence."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
