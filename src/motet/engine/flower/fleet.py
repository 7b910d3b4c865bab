"""A round on nodes: each is asked for its clients, and heard until all have answered, enough have, or time is up.

A node that comes back in the middle of a round is greeted and asked again. One whose answer comes too late has taken no
part in that round; it is asked for another when it has answered.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from motet.data.dataset import Modality
from motet.engine.client import Client
from motet.engine.flower.answers import Reader
from motet.engine.flower.board import Board, NodeLine, State
from motet.engine.flower.gather import AGAIN_S, PATIENCE_S
from motet.engine.flower.hearing import AWAY, NO_ANSWER, Hearing
from motet.engine.flower.letter import Letter
from motet.engine.flower.mail import Mail, Sent
from motet.engine.flower.node import NOT_GREETED
from motet.engine.flower.roster import Entry, Greeting
from motet.engine.interrupt import stop_on_signal
from motet.engine.outcome import Outcome
from motet.engine.population import Population
from motet.engine.state import Broadcast, Shared
from motet.errors import MotetError
from motet.nets.network import State as Tensors

log = logging.getLogger("motet")

LOOK_S = 2.0
"""Time between two looks at who is there."""
FETCH_S = 0.1
"""Time between two looks for answers."""


@dataclass
class Patience:
    """How long a round waits.

    Attributes
    ----------
    deadline : float
        Seconds, at most.
    quorum : float
        The share of the clients asked that is enough.
    """

    deadline: float
    quorum: float


class Greeted(NamedTuple):
    """A node that has been greeted and has not begun yet; `came` as Flower says."""

    name: str
    came: float


class Fleet:
    """Trains a round's participants on the nodes where they live.

    Parameters
    ----------
    mail : Mail
    run : str
    greeting : Letter
        That nodes are greeted with.
    begin : dict of node's name to Letter
        That nodes begin with.
    entries : list of Entry
    present : dict of int to Greeted
        Flower's numbers of nodes that are there already.
    population : Population
    modalities : mapping of str to Modality
    client : Client
        Reads messages.
    patience : Patience
    board : Board
    put_up : function
        Shows the board.
    """

    def __init__(
        self,
        mail: Mail,
        run: str,
        greeting: Letter,
        begin: Mapping[str, Letter],
        entries: Sequence[Entry],
        present: Mapping[int, Greeted],
        population: Population,
        modalities: Mapping[str, Modality],
        client: Client,
        patience: Patience,
        board: Board,
        put_up: Callable[[], None],
    ) -> None:
        self.mail, self.run, self.greeting, self.begin = mail, run, greeting, begin
        self.entries = {own.name: own for own in entries}
        self.modalities, self.patience = modalities, patience
        self.reader = Reader(client, population)
        self.board, self.put_up = board, put_up
        self.names: dict[int, str] = {}
        self.greeted = {node: own.name for node, own in present.items()}
        self.came = {node: own.came for node, own in present.items()}
        self.owing: dict[Sent, str] = {}
        self.coming: dict[Sent, str] = {}
        self.strangers: dict[int, float] = {}
        self.lost: dict[str, dict[str, int]] = {}
        self.used = np.zeros(len(population), dtype=np.int64)
        self.asked = 0
        self.started = False
        self._looked = -LOOK_S

    def train(
        self,
        round: int,  # noqa: A002
        participants: list[int],
        broadcast: Broadcast,
        private: Mapping[int, Tensors],
    ) -> Iterator[Outcome]:
        """Yield the outcomes of those that were heard, in client order."""
        self.lost, self.asked = {}, 0
        found = self._hear(round, participants, broadcast, patiently=not self.started)
        while not found.outcomes and participants:
            if set(found.broken) == set(found.wanted):
                name, why = next(iter(found.broken.items()))
                raise MotetError(f"no node could train in round {round}; {name}: {why}")
            log.warning("round %d: nobody has answered; it is asked for again", round)
            time.sleep(LOOK_S)
            found = self._hear(round, participants, broadcast, patiently=True)
        for name, clients in found.wanted.items():
            for k in clients:
                if k not in found.outcomes:
                    self.lost.setdefault(found.reason(name), {})[str(k)] = 1
        self.started = True
        for k in participants:
            if k in found.outcomes:
                yield found.outcomes.pop(k)

    def _hear(self, number: int, participants: list[int], broadcast: Broadcast, patiently: bool) -> Hearing:
        """Ask nodes for a round and hear them until it is over; patiently, to wait for those that are away as well."""
        wanted = {
            name: own for name, entry in self.entries.items() if (own := sorted(set(participants) & set(entry.numbers)))
        }
        about = {"kind": "train", "run": self.run, "round": number}
        letters = {
            name: Letter({**about, "clients": own, "after": [int(self.used[k]) for k in own]}, broadcast.messages)
            for name, own in wanted.items()
        }
        found = Hearing(number, wanted, letters, self.coming)  # who is about to come may take longer than a round
        began = time.monotonic()
        self._looked = -LOOK_S
        enough = self.patience.quorum * len(participants)
        with stop_on_signal() as stop:
            while time.monotonic() - began < self.patience.deadline:
                stop.check()
                self._look(found, patiently)
                self._fetch(found, broadcast.shared)
                if found.over or (found.outcomes and len(found.outcomes) >= enough):
                    break
                time.sleep(FETCH_S)
        self.coming = {sent: name for sent, name in found.under_way.items() if sent.kind != "train"}
        for sent, name in found.under_way.items():
            if sent.kind == "train":
                self.owing[sent] = name
                if found.waits_for(name):
                    self._say(name, "late", NO_ANSWER)
        self.put_up()
        return found

    # --- who is there ------------------------------------------------------------------------------------------------

    def _look(self, found: Hearing, patiently: bool) -> None:
        """Greet those who have come, ask those who are known, and give up those who are away."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        online = self.mail.online()
        for node in [node for node, came in self.came.items() if online.get(node) != came]:
            self._forget(node, found)
        busy = {sent.node for sent in (*found.under_way, *self.owing)}
        found.busy = set(self.owing.values())
        for node, came in online.items():
            if node in busy or time.monotonic() < self.strangers.get(node, 0.0):
                continue
            name = self.names.get(node)
            if node in self.greeted:
                own = self.greeted.pop(node)
                self._send(found, node, self.begin[own], own)
            elif name is None:
                self.came[node] = came
                self._send(found, node, self.greeting, "")
            elif found.waits_for(name):
                self._send(found, node, found.letters[name], name)
        if patiently:
            return
        there = {self.names.get(node, "") for node in online} | set(found.under_way.values())
        for name in found.wanted:
            if found.waits_for(name) and name not in there and "" not in found.under_way.values():
                found.given_up[name] = AWAY
                self._say(name, "away", AWAY)
        self.put_up()

    def _forget(self, node: int, found: Hearing) -> None:
        """Forget a node that has gone, or has come anew: what it was asked it will not answer."""
        name = self.names.pop(node, self.greeted.pop(node, ""))
        self.came.pop(node)
        self.strangers.pop(node, None)
        found.under_way = {sent: own for sent, own in found.under_way.items() if sent.node != node}
        self.owing = {sent: own for sent, own in self.owing.items() if sent.node != node}
        if name:
            log.warning("%s has gone, or was started again", name)
            self._say(name, "away", "it has gone")

    def _send(self, found: Hearing, node: int, letter: Letter, name: str) -> None:
        patience = self.patience.deadline if letter.header["kind"] == "train" else PATIENCE_S
        sent = self.mail.send(node, letter, patience)
        if sent is None:
            log.warning("Flower did not take a letter to %s", name or f"node {node}")
            return
        found.under_way[sent] = name
        if sent.kind == "train":
            self.asked += 1
            self._say(name, "at work")
            self.board.nodes[name].down += letter.size
        self.put_up()

    # --- what has come back ------------------------------------------------------------------------------------------

    def _fetch(self, found: Hearing, shared: Shared) -> None:
        for sent, letter in self.mail.fetch([*found.under_way, *self.owing]):
            if sent in self.owing:
                self._too_late(sent, letter)
                continue
            name = found.under_way.pop(sent)
            try:
                if letter.error is not None:
                    if letter.header.get("training"):
                        found.broken[name] = letter.error
                    raise MotetError(letter.error)
                if sent.kind == "greet":
                    self._greeted(found, sent.node, letter)
                elif sent.kind == "begin":
                    self._begun(found, sent.node, name, letter)
                else:
                    self._trained(found, name, letter, shared)
            except MotetError as error:
                self._failed(found, sent, name, str(error))
            except Exception as error:  # whatever a node writes costs that node alone
                log.exception("an answer that cannot be read")
                self._failed(found, sent, name, f"{type(error).__name__}: {error}")
            self.put_up()

    def _greeted(self, found: Hearing, node: int, letter: Letter) -> None:
        greeting = Greeting(letter, self.modalities)
        entry = self.entries.get(greeting.name)
        if entry is None:
            raise MotetError(f"{greeting.name!r} is no node of this run, which began without it")
        if not greeting.is_that_of(entry):
            raise MotetError(f"{greeting.name!r} has come back with other samples than it had")
        if greeting.name in {*self.names.values(), *self.greeted.values(), *found.under_way.values()}:
            raise MotetError(f"another node is called {greeting.name!r}: give each a --name of its own")
        self._send(found, node, self.begin[greeting.name], greeting.name)

    def _begun(self, found: Hearing, node: int, name: str, letter: Letter) -> None:
        self.names[node] = name
        log.info("%s is there, and trains by %s", name, letter.header.get("engine"))
        self._say(name, "greeted")
        found.given_up.pop(name, None)
        if found.waits_for(name):
            self._send(found, node, found.letters[name], name)

    def _trained(self, found: Hearing, name: str, letter: Letter, shared: Shared) -> None:
        account, outcomes = self.reader.read(letter, found.number, found.wanted[name], shared)
        found.outcomes |= {outcome.clients[0]: outcome for outcome in outcomes}
        line = self._say(name, "done")
        line.round, line.up = found.number, line.up + letter.size
        seconds = letter.header.get("seconds")
        line.seconds = seconds if isinstance(seconds, float) else None
        line.missing = {m: float(own.mean()) for m, own in account.missing.items()}
        log.info("round %d: %s has answered", found.number, name)

    def _failed(self, found: Hearing, sent: Sent, name: str, why: str) -> None:
        log.warning("%s, asked to %s: %s", name or f"node {sent.node}", sent.kind, why)
        if sent.kind != "train":
            self.strangers[sent.node] = time.monotonic() + AGAIN_S
        if sent.kind == "greet":
            return
        if sent.kind == "train" and why == NOT_GREETED:
            self.names.pop(sent.node, None)  # the process that trains was started again: greet it, and ask again
            return
        found.given_up[name] = why
        self._say(name, "lost", why).lost += 1

    def _too_late(self, sent: Sent, letter: Letter) -> None:
        name = self.owing.pop(sent)
        line = self._say(name, "greeted")
        if letter.error is not None:
            log.warning("%s never answered: %s", name, letter.error)
            return
        log.warning("%s has answered too late; its answer is not used", name)
        line.late += 1

    def _say(self, name: str, state: State, why: str = "") -> NodeLine:
        line = self.board.nodes.setdefault(name, NodeLine(name=name, clients=len(self.entries[name].numbers)))
        line.state, line.why = state, why
        return line
