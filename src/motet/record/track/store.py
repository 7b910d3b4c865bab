"""Where one run is followed; what a tool must be able to do for that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from motet.record.result import Result, Round


class Place(NamedTuple):
    """Where a run is followed.

    Attributes
    ----------
    path : str or None
        Where the tool keeps runs, as the user says; None: its own choice.
    folder : Path
        The run's folder.
    title : str
        What people call the run.
    key : str
        What `Store.begin` returned.
    """

    path: str | None
    folder: Path
    title: str
    key: str = ""


class Store(ABC):
    """One run in a tool, opened for the first time or again.

    Parameters
    ----------
    place : Place
    config : mapping of str to value
        The run's settings.

    Attributes
    ----------
    last : int
        The last round that it has already, 0 for none: a run that was killed has told it more, or less, than its
        newest checkpoint has.
    """

    last: int

    @abstractmethod
    def __init__(self, place: Place, config: Mapping[str, Any]) -> None: ...

    @staticmethod
    @abstractmethod
    def check(path: str | None) -> None:
        """Make what runs share, so that several can begin at once; raise whatever the tool raises if it cannot."""

    @staticmethod
    @abstractmethod
    def begin(place: Place) -> str:
        """Return what the tool will know a new run by."""

    @abstractmethod
    def round(self, line: Round) -> None:
        """Take a round, the one after `last`."""

    @abstractmethod
    def finish(self, result: Result) -> None:
        """Take what the run ends with, unless it has it already."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it, whether the run is over or not."""
