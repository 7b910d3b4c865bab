"""Runs in TensorBoard: a folder of event files each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator
from torch.utils.tensorboard import summary, writer

from motet.record.folder import free_folder
from motet.record.result import Result, Round
from motet.record.track.figures import ENDED, WHOLE, of_result, of_round, settings
from motet.record.track.store import Place, Store


class TensorBoard(Store):
    """A folder of event files: the run's own, or one named after it where the user says (see `Store`).

    What the run ends with stands at the round after its last one.
    """

    def __init__(self, place: Place, config: Mapping[str, Any]) -> None:
        folder = Path(place.key) if place.key else place.folder
        self.last = _last(folder)
        self._writer: Any = writer.SummaryWriter(str(folder), purge_step=self.last + 1 if self.last else 0)
        if self.last == 0:
            for about in summary.hparams(settings(config), {ENDED: 0.0}):
                self._writer.file_writer.add_summary(about)

    @staticmethod
    def check(path: str | None) -> None:
        """Make the folder of all runs."""
        if path is not None:
            Path(path).mkdir(parents=True, exist_ok=True)

    @staticmethod
    def begin(place: Place) -> str:
        """Return the folder of the event files; nothing if it is the run's own."""
        return "" if place.path is None else str(free_folder(Path(place.path) / place.title))

    def round(self, line: Round) -> None:
        """Write a round, so that a reader sees it now."""
        self._write(of_round(line), line.round)
        self.last = line.round

    def finish(self, result: Result) -> None:
        """Write what the run ends with; what was written of it before is hidden by `purge_step`."""
        self._write(of_result(result), self.last + 1)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _write(self, figures: Mapping[str, float], step: int) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()


def _last(folder: Path) -> int:
    """Return the last round that lies in a folder's event files whole."""
    if not any(folder.glob("events.out.tfevents.*")):
        return 0
    events = EventAccumulator(str(folder), size_guidance={SCALARS: 0}).Reload()  # 0: all of them
    return max((event.step for event in events.Scalars(WHOLE)), default=0) if WHOLE in events.Tags()[SCALARS] else 0


TOOL = TensorBoard
