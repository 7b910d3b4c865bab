"""What the commands show: progress while they work, a table or JSON at the end, and how to go on after a stop."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from motet.errors import Interrupted, MotetError

if TYPE_CHECKING:  # what needs PyTorch is imported where it is used, so that --help is quick
    from rich.console import Console

    from motet.engine.watch import Watch
    from motet.record.audit import Audit
    from motet.record.result import Comparison, Result
    from motet.record.worth import Worth


def watch(silent: bool) -> Watch:
    """Return who hears of progress: a progress bar, or nobody."""
    from motet.engine.watch import ProgressBar, Watch

    return Watch() if silent else ProgressBar()


def show_run(result: Result, folder: Path, quiet: bool, json: bool) -> None:
    """Print a run."""
    from motet.record.result import to_json

    if json:
        typer.echo(to_json(result), nl=False)
    elif not quiet:
        from rich.console import Console

        from motet.record.table import run_table
        from motet.record.warnings import run_warnings

        console = Console()
        console.print(run_table(result))
        _warn(console, run_warnings(result))
        typer.echo(f"report: {folder / 'report.html'}")


def show_comparison(comparison: Comparison, folder: Path, quiet: bool, json: bool) -> None:
    """Print a comparison."""
    from motet.record.result import to_json

    if json:
        typer.echo(to_json(comparison), nl=False)
    elif not quiet:
        from rich.console import Console

        from motet.record.report.reason import why
        from motet.record.table import table
        from motet.record.warnings import comparison_warnings

        console = Console()
        console.print(table(comparison))
        console.print(why(comparison), markup=False)
        _warn(console, comparison_warnings(comparison))
        typer.echo(f"report: {folder / 'report.html'}")


def show_worth(found: Worth, figure: Path, quiet: bool, json: bool) -> None:
    """Print what modalities are worth."""
    from motet.record.result import to_json

    if json:
        typer.echo(to_json(found), nl=False)
    elif not quiet:
        from rich.console import Console

        from motet.record.table import worth_table

        Console().print(worth_table(found))
        typer.echo(f"figure: {figure}")


def show_audit(found: Audit, page: Path, quiet: bool, json: bool) -> None:
    """Print what an eavesdropper recovers."""
    from motet.record.result import to_json

    if json:
        typer.echo(to_json(found), nl=False)
    elif not quiet:
        from rich.console import Console

        from motet.record.table import audit_table

        console = Console()
        console.print(audit_table(found))
        for note in found.notes:
            console.print(note, markup=False)
        typer.echo(f"report: {page}")


def _warn(console: Console, warnings: list[str]) -> None:
    from rich.text import Text

    for warning in warnings:
        console.print(Text.assemble(("warning: ", "yellow"), warning))


@contextmanager
def hints(folder: Path) -> Iterator[None]:
    """Say how to go on where a run ends early and what it has done is kept."""
    from motet.engine.comparisons import is_comparison
    from motet.record.folder import holds_run

    try:
        yield
    except (Interrupted, KeyboardInterrupt, OSError) as error:
        if not (is_comparison(folder) or holds_run(folder)):
            raise
        how = f"go on with `motet resume {folder}`"
        if isinstance(error, Interrupted):
            raise Interrupted(f"{error}: {how}") from None
        if isinstance(error, KeyboardInterrupt):
            raise MotetError(f"stopped at once: {how}") from None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MotetError(f"the disk is full: free some space, then {how}") from None
        raise
