"""What a run tells those who wait for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

LINE_EVERY_S = 30.0
"""Time between two lines of progress where there is no terminal to draw a bar on."""


class Watch:
    """Hears of progress and says nothing."""

    def over(self, items: Sequence[T], what: str) -> Iterable[T]:
        """Go through a preparation that may take long."""
        return items

    @contextmanager
    def run(self, title: str, rounds: int, done: int) -> Iterator[None]:
        """Stand around a run of `rounds` rounds, `done` of which are done already."""
        yield

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        """Hear that a round is done, of the run named where several go side by side."""


def draws(console: Console) -> bool:
    """Return whether a bar can be drawn: on a terminal that moves its cursor, not in a log, even one with colours."""
    return console.is_jupyter or (console.is_interactive and console.file.isatty())


class Lines:
    """Says in a line now and then how far something is, where no bar can be drawn."""

    def __init__(self) -> None:
        self._due = time.monotonic() + LINE_EVERY_S

    def say(self, line: str) -> None:
        """Say it, unless something was said a moment ago."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + LINE_EVERY_S
            print(line, file=sys.stderr)


class ProgressBar(Watch):
    """Shows round, accuracy, rounds per second and time left, on a terminal; a line now and then elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(file=sys.stderr)
        self._drawn, self._lines = draws(console), Lines()
        self._progress = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not self._drawn,
        )
        self._task: object = None

    def over(self, items: Sequence[T], what: str) -> Iterable[T]:
        """Show how far a preparation is."""
        with self._progress:
            task = self._progress.add_task(what, total=len(items), note="")
            for number, item in enumerate(items, 1):
                yield item
                self._progress.advance(task)
                if not self._drawn:
                    self._lines.say(f"{what}: {number} of {len(items)}")
            self._progress.remove_task(task)

    @contextmanager
    def run(self, title: str, rounds: int, done: int) -> Iterator[None]:
        """Show a bar for the run."""
        self._task = self._progress.add_task(title, total=rounds, completed=done, note="")
        with self._progress:
            yield
        self._progress.remove_task(self._task)

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        """Move the bar."""
        task = next(task for task in self._progress.tasks if task.id == self._task)
        pace = f"{task.speed:.1f} rounds/s" if task.speed else ""
        found = "" if accuracy is None else f"accuracy {accuracy:.3f}"
        note = "  ".join(part for part in (title, found, pace) if part)
        self._progress.update(task.id, completed=number, note=note)
        if not self._drawn:
            left = "" if task.time_remaining is None else f"  {task.time_remaining:.0f} s left"
            self._lines.say(f"{task.description}: round {number} of {task.total:.0f}  {note}{left}")
