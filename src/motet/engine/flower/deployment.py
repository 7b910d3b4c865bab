"""A run over a network, from its folder: the server's side, which Flower starts and may start again at any moment."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from motet.config import ClientSettings, Config, configure
from motet.data.dataset import Dataset
from motet.engine.client import Client
from motet.engine.federation import Federation, federate, prepared
from motet.engine.flower.board import Board, NodeLine
from motet.engine.flower.fleet import Fleet, Greeted, Patience
from motet.engine.flower.gather import Gathering
from motet.engine.flower.letter import Letter
from motet.engine.flower.mail import Mail
from motet.engine.flower.plan import Plan, read_plan
from motet.engine.flower.roster import Entry, Greeting, enter, population
from motet.engine.interrupt import Stop
from motet.engine.rounds import Rounds
from motet.engine.run import last_state, threads
from motet.engine.runs import find_data
from motet.engine.standardisation import read_scale, scale_of, write_scale
from motet.engine.state import ServerState
from motet.engine.summary import summarise
from motet.engine.watch import Watch
from motet.errors import InputError, Interrupted, MotetError
from motet.learn.method import Method
from motet.record.files import write_atomic
from motet.record.folder import Memory, RunFolder, holds_run
from motet.record.result import Engine, Result, Round
from motet.wire.ledger import Ledger

log = logging.getLogger("motet")

ROSTER = "roster.json"
LOCKED_S = 30.0
"""In which a server that has been killed lets go of its folder."""


class Roster(BaseModel):
    """Who takes part, and what they were told before the first round."""

    entries: list[dict[str, Any]]
    scale: str
    up: dict[str, int]
    down: dict[str, int]


class Deployment(Rounds):
    """Runs rounds on a fleet; the state after each is saved before anybody hears of it.

    Parameters
    ----------
    federation : Federation
    watch : Watch
    fleet : function of Client to Fleet
    """

    def __init__(self, federation: Federation, watch: Watch, fleet: Callable[[Client], Fleet]) -> None:
        super().__init__(federation, watch)
        self.trainer = self.fleet = fleet(self.client)

    def step(self, before: ServerState, stop: Stop) -> tuple[ServerState, Round]:
        """Return the state after the next round; nodes are told after which round each client goes on."""
        self.fleet.used = before.used
        return super().step(before, stop)

    def keep(self, keep: Memory | RunFolder, line: Round, state: ServerState) -> None:
        """Record a round and its state: what nodes keep reaches back to the round before, and no further."""
        keep.add(line, state.to_checkpoint)
        keep.stop(state.round, state.to_checkpoint)

    def received(self, chosen: list[int]) -> int:
        """Return how many letters a broadcast took: one for each node that was asked, and each time."""
        return self.fleet.asked

    def lost(self) -> dict[str, dict[str, int]]:
        """Return which participants were not heard in the last round, and why."""
        return self.fleet.lost


class Shown(Watch):
    """Keeps the board."""

    def __init__(self, board: Board, folder: Path) -> None:
        self.board, self.folder, self.began = board, folder, time.monotonic()

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        """Note that a round is done."""
        now = time.monotonic()
        self.board.round, self.board.seconds, self.began = number, now - self.began, now
        self.board.accuracy = self.board.accuracy if accuracy is None else accuracy
        log.info("round %d of %d: accuracy %s", number, self.board.rounds, accuracy)
        self.put_up()

    def put_up(self) -> None:
        """Show the board."""
        self.board.write(self.folder)


def fitted(config: Config, dataset: Dataset) -> tuple[Dataset, Method]:
    """Return the server's data as they are evaluated, and the method.

    Raises
    ------
    InputError
        If the configuration does not fit the data, or a network.
    """
    dataset, method = prepared(config, dataset)
    if method.aggregate.personal:
        raise InputError(
            "--aggregate none leaves no model that a server could evaluate: choose another, or `motet run`"
        )
    if config.privacy.privacy != "none":
        raise InputError("--privacy is for `motet run` so far: leave it out over a network")
    if config.run.engine == "measure":
        raise InputError("--engine measure is for `motet run`: a node chooses by the rule, or as --engine says")
    if config.clients.client_dropout:
        raise InputError("--client-dropout is for `motet run`: over a network devices drop out by themselves")
    if config.network.upload_delay:
        raise InputError("--upload-delay is for `motet run`: over a network uploads are late by themselves")
    if config.network.link_rate is not None:
        raise InputError("--link-rate is for `motet run`: over a network the link is what it is")
    return dataset, method


def carry_out(mail: Mail, folder: Path, dataset: Dataset | None = None) -> Result:
    """Carry out the run in a folder, or go on with it.

    Parameters
    ----------
    mail : Mail
    folder : Path
    dataset : Dataset, optional
        Whose test split is evaluated on; opened as the configuration says if left out.

    Raises
    ------
    MotetError
        If it cannot be done.
    Interrupted
        If it was stopped.
    """
    from motet.record.report import run_report

    opened = open_again(folder)
    board = Board()
    try:
        config, plan = configure(opened.config()), read_plan(folder)
        board.expected, board.rounds = plan.nodes, config.training.rounds
        shown = Shown(board, folder)
        shown.put_up()
        with threads(config.run.threads):
            dataset, method = fitted(config, dataset or find_data(config))
            greeting = _greeting(plan, config, dataset)
            roster, present = _roster(mail, folder, plan, greeting, dataset, config, shown)
            result = _rounds(mail, opened, plan, greeting, roster, present, dataset, method, config, shown)
        opened.finish(result, run_report(result))
        board.state = "finished"
        shown.put_up()
    except Interrupted:
        raise  # as by Flower, when its own process was killed: the run has not failed, and goes on in another process
    except MotetError as error:
        board.state, board.why = "failed", str(error)
        board.write(folder)
        raise
    finally:
        opened.close()
    return result


def open_again(folder: Path) -> RunFolder:
    """Open the folder of a run; what a server that was killed a moment ago has left may still hold it.

    Raises
    ------
    InputError
        If it holds none, or is still in use after `LOCKED_S`.
    """
    if not holds_run(folder):
        return RunFolder.open(folder)  # and say so
    until = time.monotonic() + LOCKED_S
    while True:
        try:
            return RunFolder.open(folder)
        except InputError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def _greeting(plan: Plan, config: Config, dataset: Dataset) -> Letter:
    return Letter(
        {
            "kind": "greet",
            "sums": False,
            "run": plan.run,
            "config": config.flat(),
            "modalities": {m: asdict(spec) for m, spec in dataset.modalities.items()},
            "classes": list(dataset.classes),
        }
    )


def _roster(
    mail: Mail, folder: Path, plan: Plan, greeting: Letter, dataset: Dataset, config: Config, shown: Shown
) -> tuple[Roster, dict[int, Greeted]]:
    """Return who takes part, as it was written down or as the nodes that come now say, and who has been greeted."""
    path = folder / ROSTER
    if path.exists():
        return Roster.model_validate_json(path.read_text()), {}
    gathering = Gathering(mail, greeting, dataset.modalities, shown.board, shown.put_up)
    gathering.wait(plan.nodes)
    roster = _enter(list(gathering.heard.values()), dataset, config.clients)
    write_atomic(path, roster.model_dump_json(indent=1))
    return roster, {node: Greeted(own.name, gathering.came[node]) for node, own in gathering.heard.items()}


def _enter(greetings: Sequence[Greeting], dataset: Dataset, clients: ClientSettings) -> Roster:
    """Write down who takes part, and the means and deviations of all."""
    shared_out = clients.clients is not None or clients.partition is not None or clients.unimodal_share > 0
    if shared_out and any(own.numbers is None for own in greetings):
        raise InputError(
            "nodes have come with clients of their own, so --clients, --partition and --unimodal-share mean nothing: "
            "leave them out, or let nodes join with --share"
        )
    entries, by_name = enter(greetings), {own.name: own for own in greetings}
    by_client = {k: by_name[own.name].sums[place] for own in entries for place, k in enumerate(own.numbers)}
    scale = scale_of(by_client[k] for k in range(len(by_client)))
    ledger = Ledger()
    for own in greetings:
        for message in own.messages:
            ledger.count("up", "scale", len(message))
    ledger.count("down", "scale", len(write_scale(scale)), times=len(entries))
    owners = population(entries, list(dataset.modalities)).owned.sum(axis=0).tolist()
    for m, count in zip(dataset.modalities, owners, strict=True):
        if count == 0:
            raise InputError(f"no node has {m}: nothing could be learnt for it; leave it out with --modalities")
    return Roster(
        entries=[own.to_json() for own in entries],
        scale=write_scale(scale).hex(),
        up=dict(ledger.up),
        down=dict(ledger.down),
    )


def _rounds(
    mail: Mail,
    opened: RunFolder,
    plan: Plan,
    greeting: Letter,
    roster: Roster,
    present: dict[int, Greeted],
    dataset: Dataset,
    method: Method,
    config: Config,
    shown: Shown,
) -> Result:
    entries = [Entry.from_json(own) for own in roster.entries]
    clients, scale = population(entries, list(dataset.modalities)), bytes.fromhex(roster.scale)
    setup = Ledger(Counter(roster.up), Counter(roster.down))
    federation = federate(config, dataset, method, clients, read_scale(scale), setup)
    about = {"kind": "begin", "run": plan.run, "owned": clients.owned.tolist()}
    begin = {own.name: Letter({**about, "numbers": list(own.numbers)}, {"scale": scale}) for own in entries}
    board = shown.board
    board.state, board.why = "running", ""
    board.nodes = {own.name: NodeLine(name=own.name, clients=len(own.numbers)) for own in entries}

    def fleet(client: Client) -> Fleet:
        patience = Patience(plan.deadline, plan.quorum)
        return Fleet(
            mail,
            plan.run,
            greeting,
            begin,
            entries,
            present,
            clients,
            dataset.modalities,
            client,
            patience,
            board,
            shown.put_up,
        )

    deployment = Deployment(federation, shown, fleet)
    shown.began = time.monotonic()  # waiting for nodes is no part of the first round
    state = last_state(federation, opened)
    opened.rewind(state.round)
    names = ", ".join(f"{own.name} ({len(own.numbers)})" for own in entries)
    engine = opened.engine() or Engine(
        name="flower", chunk=None, threads=torch.get_num_threads(), why=f"clients on nodes: {names}"
    )
    if state.round == 0:
        opened.begin(engine)
    board.round = state.round
    shown.put_up()
    state = deployment.go(state, opened)
    return summarise(federation, state, opened.history(), engine)
