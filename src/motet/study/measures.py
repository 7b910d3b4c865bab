"""The figures that a study draws and tables: what they are called and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motet.measure.statistics import Difference
from motet.record.wording import interval, points, short_size

if TYPE_CHECKING:
    from motet.study.data import Line


@dataclass(frozen=True)
class Measure:
    """A figure of a run.

    Attributes
    ----------
    label : str
        With its unit.
    of : function of a Line
        The figure; None where the run does not have it.
    write : function of a number
        As a table shows it.
    share : bool
        Whether it is a fraction, whose differences are percentage points.
    """

    label: str
    of: Callable[[Line], float | None]
    write: Callable[[float], str]
    share: bool = True

    def told(self, difference: Difference) -> str:
        """Write a difference with its 95 % interval, in points where the figure is a fraction."""
        ends = difference.interval
        if self.share:
            return points(difference.mean) + (f" ({interval(ends)})" if ends else "")
        return self._signed(difference.mean) + (
            f" ({self._signed(ends[0])} to {self._signed(ends[1])})" if ends else ""
        )

    def _signed(self, value: float) -> str:
        return ("-" if value < 0 else "+") + self.write(abs(value))


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _of(name: str) -> Callable[[Line], float | None]:
    def read(line: Line) -> float | None:
        found: float | None = getattr(line, name)
        return found

    return read


MEASURES: dict[str, Measure] = {
    "accuracy": Measure("accuracy, %", _of("accuracy"), _percent),
    "accuracy at the end": Measure("accuracy after the last round, %", _of("accuracy_at_end"), _percent),
    "accuracy over all rounds": Measure("accuracy, mean over all rounds, %", _of("accuracy_over_rounds"), _percent),
    "one left out": Measure("one modality left out, %", _of("one_left_out"), _percent),
    "worst class": Measure("worst class, %", _of("worst_class"), _percent),
    "class spread": Measure("spread of classes, %", _of("class_spread"), _percent),
    "online accuracy": Measure("online accuracy, %", _of("online_accuracy"), _percent),
    "complementarity": Measure("complementarity, points", _of("complementarity"), _percent),
    "flags precision": Measure("precision of flags, %", _of("flags_precision"), _percent),
    "flags recall": Measure("recall of flags, %", _of("flags_recall"), _percent),
    "separation": Measure("separation of prototypes", _of("separation"), lambda value: f"{value:.2f}", share=False),
    "prototype error": Measure("error of prototypes, % of their spread", _of("prototype_error"), _percent),
    "regret": Measure("regret, nats", _of("regret"), lambda value: f"{value:.0f}", share=False),
    "slope": Measure("slope of log regret", _of("regret_slope"), lambda value: f"{value:.3f}", share=False),
    "sent": Measure("sent", _of("bytes_up"), short_size, share=False),
    "prototypes sent": Measure("prototypes sent", _of("prototype_bytes"), short_size, share=False),
    "time on the link": Measure("on the link, s", _of("link_s"), lambda value: f"{value:.1f}", share=False),
    "time": Measure("training, s", _of("train_s"), lambda value: f"{value:.1f}", share=False),
}
