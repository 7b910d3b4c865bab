"""`motet keys`, `motet serve`, `motet join` and `motet fleet`: the same run over a network."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli import complete
from motet.cli.board import display
from motet.cli.options import JsonOption, OutOption, QuietOption, SetOption, TomlArgument, merged, plain, with_settings
from motet.cli.show import hints, show_run

if TYPE_CHECKING:
    from motet.config import Config

PANEL = "Fleet"
NodesOption = Annotated[
    int,
    typer.Option(
        "--nodes", min=1, metavar="N", help="How many nodes must have come before it begins.", rich_help_panel=PANEL
    ),
]
DeadlineOption = Annotated[
    float,
    typer.Option(
        "--deadline",
        min=1,
        metavar="SECONDS",
        help="A round ends after so long without those who have not answered.",
        rich_help_panel=PANEL,
    ),
]
QuorumOption = Annotated[
    float,
    typer.Option(
        "--quorum",
        min=0.01,
        max=1,
        metavar="SHARE",
        help="Share of the clients asked that is enough to end a round before the deadline.",
        rich_help_panel=PANEL,
    ),
]
KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys", metavar="DIR", help="Folder of `motet keys`; needed beyond this machine.", rich_help_panel=PANEL
    ),
]


def keys(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the keys; what it holds is kept.")],
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--host", metavar="ADDRESS", help="Name or address that nodes reach the server by; may be repeated."
        ),
    ] = None,
    node: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="NAME", help="Make a key for a node of this name; may be repeated."),
    ] = None,
) -> None:
    """Make the server's certificates, and a key for each node.

    Example: motet keys keys --host fleet.example.org --node kitchen --node garden
    """
    from motet.engine.flower.keys import make_certificates, make_node_key

    made = make_certificates(folder, host or ())
    typer.echo(f"server: {made.certificate} and {made.key} stay with the server; {made.ca} goes to every node")
    for name in node or ():
        key = make_node_key(folder, name)
        typer.echo(f"{name}: {key.private} goes to the node and nowhere else; {key.public} stays with the server")


@with_settings()
def serve(
    config: TomlArgument = None,
    nodes: NodesOption = 2,
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Where to listen: 0.0.0.0 for all addresses.", rich_help_panel=PANEL
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, metavar="PORT", help="TCP port.", rich_help_panel=PANEL)
    ] = 8000,
    keys: KeysOption = None,
    deadline: DeadlineOption = 300,
    quorum: QuorumOption = 1.0,
    assignments: SetOption = None,
    out: OutOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
    *,
    given: dict[str, Any],
) -> None:
    """Serve a run to nodes that `motet join` it.

    Example: motet serve --recipe qqr --data ucihar.npz --nodes 3 --host 0.0.0.0 --keys keys
    """
    from motet.engine.flower.plan import Serving
    from motet.engine.flower.serving import new_run
    from motet.learn.recipe import resolve

    settings = resolve(merged(config, assignments, given))
    where = Serving(host=host, port=port, keys=None if keys is None else str(keys.absolute()))
    folder = _new_folder(out, settings)
    new_run(folder, settings, where, nodes, deadline, quorum)
    go_on(folder, quiet, json)


@with_settings()
def fleet(
    config: TomlArgument = None,
    nodes: Annotated[
        int,
        typer.Option(
            "--nodes",
            min=1,
            metavar="N",
            help="Nodes to start; each hosts its share of the clients.",
            rich_help_panel=PANEL,
        ),
    ] = 2,
    deadline: DeadlineOption = 300,
    quorum: QuorumOption = 1.0,
    assignments: SetOption = None,
    out: OutOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
    *,
    given: dict[str, Any],
) -> None:
    """Serve a run and join it with several nodes, all on this machine, with keys made for it.

    Example: motet fleet --nodes 4 --recipe qqr --data ucihar.npz --rounds 10
    """
    from motet.engine.flower.local import make_keys
    from motet.engine.flower.plan import Serving
    from motet.engine.flower.processes import free_port
    from motet.engine.flower.serving import new_run
    from motet.learn.recipe import resolve

    settings = resolve(merged(config, assignments, given))
    folder = _new_folder(out, settings)
    where = Serving(host="127.0.0.1", port=free_port(), keys=None, local=nodes)
    new_run(folder, settings, where, nodes, deadline, quorum)
    make_keys(folder / "keys", nodes)
    where.model_copy(update={"keys": str((folder / "keys").absolute())}).write(folder)
    go_on(folder, quiet, json)


def join(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where the server listens.")],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="NAME",
            help="This node's samples: a data set by name, or an archive.",
            autocompletion=complete.data,
        ),
    ] = "wearables",
    share: Annotated[
        str | None,
        typer.Option(
            "--share", metavar="I/N", help="Host a portion of these data's clients alone: 2/4 is the second of four."
        ),
    ] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="The server's ca.crt.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="This node's private key.")] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help=plain("This node's name [default: the key's, or the host's].")),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help=plain("What this node keeps [default: nodes/NAME]."))
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device", metavar="NAME", help="What trains: cpu, or cuda.", autocompletion=complete.words("cpu", "cuda")
        ),
    ] = "cpu",
) -> None:
    """Take part in a server's runs with this machine's samples, which never leave it; Ctrl-C ends it.

    Example: motet join fleet.example.org:8000 --data my.npz --ca ca.crt --key kitchen.key
    """
    from motet.engine.flower.cohort import Share
    from motet.engine.flower.joining import join as take_part
    from motet.engine.flower.logs import log_to

    called = name or (key.stem if key is not None else socket.gethostname())
    portion = None if share is None else Share.parse(share)
    log_to(None)
    take_part(address, called, folder or Path("nodes") / called, data, portion, ca, key, device)


def go_on(folder: Path, quiet: bool, json: bool) -> None:
    """Serve the run in a folder to its end, with the nodes on this machine if it has any, and show it."""
    from motet.config import configure
    from motet.engine.flower.deployment import open_again
    from motet.engine.flower.local import LocalNodes
    from motet.engine.flower.logs import log_to
    from motet.engine.flower.plan import read_serving
    from motet.engine.flower.serving import Server
    from motet.engine.runs import load_result

    where = read_serving(folder)
    opened = open_again(folder)
    data = configure(opened.config()).data.data
    opened.close()
    log_to(folder / "serve.log")
    with hints(folder), display(folder, quiet or json) as show, LocalNodes(folder, where, data) as local:
        Server(folder, where, show).run(local.look)
    show_run(load_result(folder), folder, quiet, json)


def _new_folder(out: Path | None, settings: Config) -> Path:
    from motet.engine import runs

    return runs.new_folder(
        out, f"{Path(settings.data.data).stem}-{settings.recipe.recipe}-fleet-seed{settings.run.seed}"
    )
