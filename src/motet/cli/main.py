"""The entry point: commands, and how each kind of failure leaves."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

import motet
from motet.cli import audit, compare, complaints, data, demo, doctor, fleet, init, recipes, report, run, study, worth
from motet.errors import InputError, Interrupted, MotetError

app = typer.Typer(
    name="motet",
    cls=complaints.Group,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Train one model across many devices whose sensors drop out and degrade.\n\nExample: motet demo",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


_KEYBOARD_INTERRUPT = 130
"""What typer makes of a Ctrl-C."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"motet {motet.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Begin": {"demo": demo.demo, "init": init.init, "doctor": doctor.doctor, "recipes": recipes.recipes},
    "Train": {"run": run.run, "resume": run.resume, "compare": compare.compare, "study": study.study},
    "Look at what was trained": {"report": report.report, "worth": worth.worth, "audit": audit.audit},
    "Train over a network": {"fleet": fleet.fleet, "serve": fleet.serve, "join": fleet.join, "keys": fleet.keys},
}
for _panel, _commands in PANELS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_panel)(_command)
app.add_typer(data.app, name="data", rich_help_panel="Begin")


def main() -> None:
    """Run the command line: one sentence and an exit status for every failure that can be foreseen."""
    try:
        status = app(prog_name="motet", standalone_mode=False)
        if status == _KEYBOARD_INTERRUPT:
            raise KeyboardInterrupt
        sys.exit(status)
    except InputError as error:
        _leave(str(error), 2)
    except Interrupted as stopped:
        _leave(str(stopped), 3)
    except MotetError as error:
        _leave(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        _leave("stopped at once: what was written stays as it was", 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _leave(_explain(error), 1)
    except Exception as error:
        if complaints.is_complaint(error):
            _leave(str(complaints.sentence(error)), 2)
        raise


def _explain(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{where}: free some space, then go on with `motet resume`"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to write{where}: choose another folder with --out"
    return f"{error.strerror or error}{where}"


def _leave(sentence: str, status: int) -> None:
    print(f"motet: {' '.join(sentence.splitlines())}", file=sys.stderr)
    sys.exit(status)
