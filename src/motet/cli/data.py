"""`motet data`: the catalogue of data sets, what one holds, and how to come by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli import complete
from motet.cli.complaints import Group

if TYPE_CHECKING:  # numpy and what needs it are imported where they are used, so that --help is quick
    from rich.table import Table

    from motet.data.catalogue import Entry
    from motet.data.progress import Progress

app = typer.Typer(
    name="data",
    cls=Group,
    help="The data sets that Motet knows; convert, download and check archives.",
    no_args_is_help=True,
    epilog="Example: motet data list",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@app.command("list", epilog="Example: motet data list")
def list_(as_json: Json = False) -> None:
    """List the data sets that are known by name, and whether they are on this machine."""
    from rich.table import Table

    from motet.data.catalogue import CATALOGUE

    if as_json:
        _print_json([_entry(entry) for entry in CATALOGUE.values()])
        return
    table = Table("name", "on this machine", "what it is", "terms", box=None, pad_edge=False)
    for entry in CATALOGUE.values():
        table.add_row(entry.name, _state(entry), entry.about, entry.terms)
    _print(table, "", "how to come by one: motet data info NAME")


@app.command(epilog="Example: motet data info wearables")
def info(
    data: Annotated[
        str,
        typer.Argument(
            metavar="X", help="Name of a data set, or the path of an archive.", autocompletion=complete.data
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show samples, classes, modalities, clients and terms of X: a data set by name, or an archive by path."""
    from motet.data.catalogue import CATALOGUE, open_dataset
    from motet.data.summary import summarise

    entry = CATALOGUE.get(data)
    if entry is not None and _here(entry) is None:
        if as_json:
            _print_json(_entry(entry))
        else:
            _print(f"{entry.name}: {entry.about}", f"not on this machine: {entry.obtain}", f"terms: {entry.terms}")
        return
    with _waiting(f"reading {data}"):
        summary = summarise(open_dataset(data))
    if as_json:
        _print_json(summary)
    else:
        _show(summary)


@app.command(epilog="Example: motet data make ucihar 'UCI HAR Dataset' --to ucihar.npz")
def make(
    name: Annotated[
        str,
        typer.Argument(
            metavar="X", help="Which set the folder holds: ucihar or mvsa_single.", autocompletion=complete.convertible
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The unpacked set, in its official layout.")],
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The archive (.npz) to write.", show_default="where --data X looks"),
    ] = None,
) -> None:
    """Convert FOLDER, which holds the set X (ucihar or mvsa_single) in its official layout, to an archive."""
    from motet.data.catalogue import CATALOGUE, archive_of
    from motet.errors import InputError, unknown

    converters = {entry.name: entry.convert for entry in CATALOGUE.values() if entry.convert}
    if name not in converters:
        raise unknown("set to convert", name, converters)
    destination = archive_of(name) if to is None else to
    if destination.suffix != ".npz":
        raise InputError(f"--to must name a file that ends in .npz, not {str(destination)!r}")
    with _bars() as step:
        converters[name](folder, destination, step("convert"))
    _print(f"wrote {destination}", f"look at it: motet data info {destination}")


@app.command(epilog="Example: motet data fetch ucihar")
def fetch(
    name: Annotated[
        str,
        typer.Argument(metavar="X", help="Name of a set that may be downloaded.", autocompletion=complete.downloads),
    ],
    again: Annotated[bool, typer.Option("--again", help="Download even if the set is here already.")] = False,
) -> None:
    """Download the data set X and make its archive; then --data finds it by its name.

    An interrupted download goes on where it stopped. The archive goes to $MOTET_HOME, or else ~/.cache/motet.
    """
    from motet.data.catalogue import find, obtain

    entry = find(name)
    here = _here(entry)
    if here is not None and not again:
        _print(f"{name} is here already ({here}): use it with --data {name}")
        return
    with _bars() as step:
        fetched = obtain(name, step)
    _print(
        f"wrote {fetched.path}: use it with --data {name}",
        f"checksum of the download (SHA-256): {fetched.sha256}"
        + ("" if entry.sha256 else ", noted beside it; no official one is known"),
        f"terms: {entry.terms}",
    )


@app.command(epilog="Example: motet data check gestures.npz")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive (.npz) to check.")],
    as_json: Json = False,
) -> None:
    """Check that FILE is a valid archive; what is wrong is said in one sentence."""
    from motet.data.archive import load
    from motet.data.summary import summarise

    with _waiting(f"reading {file}"):
        summary = summarise(load(file))
    if as_json:
        _print_json({"file": str(file), "valid": True} | summary)
        return
    samples, modalities = summary["samples"], summary["modalities"]
    _print(
        f"{file}: valid, {samples['all']:,} samples ({samples['train']:,} train, {samples['validation']:,} validation, "
        f"{samples['test']:,} test) of {', '.join(modalities)}",
        *(f"note: {note}" for note in summary["notes"]),
    )


def _here(entry: Entry) -> str | None:
    """Say where a data set is, or None if it is not on this machine."""
    from motet.data.catalogue import archive_of

    if entry.kind == "built-in":
        return "built in"
    path = archive_of(entry.name)
    return str(path) if path.is_file() else None


def _state(entry: Entry) -> str:
    if entry.kind == "built-in":
        return "built in"
    return "yes" if _here(entry) else {"download": "fetch it", "request": "ask for it"}[entry.kind]


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "about": entry.about,
        "kind": entry.kind,
        "here": _here(entry),
        "terms": entry.terms,
        "obtain": entry.obtain,
        "url": entry.url,
        "sha256": entry.sha256,
    }


def _show(summary: dict[str, Any]) -> None:
    from rich.table import Table

    splits = [split for split, count in summary["samples"].items() if count]
    counts = Table("samples", *splits, box=None, pad_edge=False)
    for label, of in summary["classes"].items():
        counts.add_row(label, *(f"{of.get(split, sum(of.values())):,}" for split in splits))
    counts.add_row("together", *(f"{summary['samples'][split]:,}" for split in splits))
    views = Table("modality", "kind", "shape", "rate", "unit", "present", box=None, pad_edge=False)
    for m, of in summary["modalities"].items():
        rate = "" if of["rate_hz"] is None else f"{of['rate_hz']:g} Hz"
        shape = " x ".join(str(n) for n in of["shape"])
        views.add_row(m, of["kind"], shape, rate, of["unit"] or "", f"{of['present']:.0%}")
    _print(summary["name"], "", counts, "", views, "", *_sentences(summary))


def _sentences(summary: dict[str, Any]) -> Iterator[str]:
    clients = summary["clients"]
    if clients is None:
        yield "clients: not known"
    else:
        inside = ", ".join(f"{count:,} in {split}" for split, count in clients.items() if split != "all")
        yield f"clients: {clients['all']:,} ({inside})"
    for key in ("source", "terms"):
        if summary[key]:
            yield f"{key}: {summary[key]}"
    for note in summary["notes"]:
        yield f"note: {note}"


def _print(*parts: str | Table) -> None:
    """Print text as it is, without reading markup into it."""
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=1, allow_nan=False))


@contextmanager
def _waiting(text: str) -> Iterator[None]:
    """Show on a terminal that something is being done whose end is not known."""
    from rich.console import Console

    from motet.engine.watch import draws

    console = Console(stderr=True, markup=False)
    with console.status(text) if draws(console) else nullcontext():  # elsewhere it would leave a blank line
        yield


@contextmanager
def _bars() -> Iterator[Callable[[str], Progress]]:
    """Show a bar for each step that is begun, on standard error; a line now and then where none can be drawn."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from motet.engine.watch import Lines, draws

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console, lines = Console(stderr=True), Lines()
    drawn = draws(console)
    with Bars(*columns, console=console, transient=True, disable=not drawn) as bars:

        def step(name: str) -> Progress:
            task = bars.add_task(name, total=None)

            def tell(done: int, total: int | None) -> None:
                bars.update(task, completed=done, total=total)
                if not drawn:
                    lines.say(f"{name}: {done / total:.0%}" if total else f"{name}: {done:,} so far")

            return tell

        yield step
