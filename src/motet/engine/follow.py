"""A run is followed: what its history records goes to a store, round by round."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from motet.engine.watch import T, Watch
from motet.record.folder import RunFolder
from motet.record.result import Result, Round
from motet.record.track import Store, Track
from motet.record.track.track import said

log = logging.getLogger("motet")

Finish = Callable[[Result], None]


class Follower(Watch):
    """Passes a run's history on to a store, and what is heard of it to another watch.

    What the store lacks is made up for from the history, and what it has is not told again: so that a run that was
    killed is there with every round once. A store that fails is left alone until the run is over, which goes on.

    Parameters
    ----------
    watch : Watch
    history : Path
        The lines that the run writes.
    store : Store
    """

    def __init__(self, watch: Watch, history: Path, store: Store) -> None:
        self.watch, self.history, self.store = watch, history, store
        self._read, self._failed = 0, False

    def over(self, items: Sequence[T], what: str) -> Iterable[T]:
        """Pass it on."""
        return self.watch.over(items, what)

    @contextmanager
    def run(self, title: str, rounds: int, done: int) -> Iterator[None]:
        """Make up for rounds that were recorded before."""
        self._try(self._catch_up)
        with self.watch.run(title, rounds, done):
            yield

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        """Pass on what is new."""
        self._try(self._catch_up)
        self.watch.round(number, accuracy, title)

    def finish(self, result: Result) -> None:
        """Pass on what the run ends with."""

        def all_of_it() -> None:
            self._catch_up()
            self.store.finish(result)

        self._failed = False
        self._try(all_of_it)

    def close(self) -> None:
        """Let go of the store."""
        self._try(self.store.close)

    def _catch_up(self) -> None:
        for line in self._new():
            if line.round > self.store.last:
                self.store.round(line)

    def _new(self) -> Iterator[Round]:
        """Yield the rounds that have not been yielded; one that could not be passed on is yielded again."""
        if not self.history.exists():
            return
        with open(self.history, "rb") as file:
            file.seek(self._read)
            for line in file:
                yield Round.model_validate_json(line)
                self._read += len(line)

    def _try(self, act: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            act()
        except Exception as error:  # what tools raise is not a closed list, and none of it is worth a run
            self._failed = True
            log.warning("the run is not tracked at the moment (%s), and goes on", said(error))


@contextmanager
def following(folder: RunFolder, config: dict[str, Any], watch: Watch) -> Iterator[tuple[Watch, Finish]]:
    """Follow the run in a folder if that was asked for.

    Yields
    ------
    watch : Watch
        What is to hear of the run.
    finish : function of Result
        To be called with its result.
    """
    track = Track.of(folder.path)
    if track is None:
        yield watch, lambda _: None
        return
    follower = Follower(watch, folder.path / "history.jsonl", track.open(folder.path, config))
    try:
        yield follower, follower.finish
    finally:
        follower.close()
