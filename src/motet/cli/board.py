"""The live table of a fleet: nodes, rounds, missing modalities, bytes; a line a round where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from motet.record.wording import short_size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from motet.engine.flower.board import Board, NodeLine

COLOURS = {"done": "green", "at work": "cyan", "late": "yellow", "lost": "red", "away": "red", "greeted": "default"}


@contextmanager
def display(folder: Path, silent: bool) -> Iterator[Callable[[Board], None]]:
    """Show a fleet for as long as it is served."""
    from rich.console import Console
    from rich.live import Live

    from motet.engine.watch import draws

    console = Console(file=sys.stderr)
    if silent:
        yield lambda board: None
    elif draws(console):
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda board: live.update(table(board, folder), refresh=True)
    else:
        yield _Lines(console.file)


class _Lines:
    """Says what is new in a line."""

    def __init__(self, file: object) -> None:
        self.file, self.said = file, ""

    def __call__(self, board: Board) -> None:
        line = summary(board)
        if line != self.said:
            self.said = line
            print(line, file=sys.stderr, flush=True)


def summary(board: Board) -> str:
    """Return how far a fleet is, in a line."""
    if not board.expected:
        return "the server starts"
    if board.state == "waiting for nodes":
        return f"waiting for nodes: {len(board.nodes)} of {board.expected} are there" + (
            f"; {board.why}" if board.why else ""
        )
    away = [line.name for line in board.nodes.values() if line.state in ("away", "lost")]
    accuracy = "" if board.accuracy is None else f"  accuracy {board.accuracy:.3f}"
    seconds = "" if board.seconds is None or not board.round else f"  {board.seconds:.1f} s"
    missing = f"  without {', '.join(away)}" if away and board.round else ""
    return f"round {board.round} of {board.rounds}{accuracy}{seconds}{missing}"


def table(board: Board, folder: Path) -> RenderableType:
    """Return the table of a fleet's nodes, and below it what is wrong with which; it fits a terminal of 80 columns."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="underline")
    for name in ("node", "clients", "state", "round", "seconds", "missing", "up", "down", "late"):
        text = name in ("node", "state", "missing")
        shown.add_column(name, justify="left" if text else "right", no_wrap=name != "missing")
    for line in board.nodes.values():
        state = Text(line.state, COLOURS[line.state])
        traffic = [short_size(count) if count else "" for count in (line.up, line.down)]
        late = str(line.late) if line.late else ""
        took = "" if line.seconds is None else f"{line.seconds:.1f}"
        last = str(line.round) if line.round else ""
        shown.add_row(line.name, str(line.clients), state, last, took, _missing(line), *traffic, late)
    why = [Text(f"{line.name}: {line.why}") for line in board.nodes.values() if line.why]
    on = Text(f"Ctrl-C stops it; `motet resume {folder}` goes on", "dim")
    return Group(Text(summary(board), "bold"), *([shown] if board.nodes else []), *why, on)


def _missing(line: NodeLine) -> str:
    return ", ".join(f"{m} {share:.0%}" for m, share in line.missing.items() if share)
