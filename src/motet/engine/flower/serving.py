"""Serving a run: Flower's server is started, nodes' keys are registered, the run is submitted, and again if it dies.

The run itself lies in its folder and goes on from its last round whenever it is submitted again.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from motet.config import Config
from motet.engine.federation import fit
from motet.engine.flower import board
from motet.engine.flower.board import Board
from motet.engine.flower.control import App
from motet.engine.flower.deployment import fitted
from motet.engine.flower.plan import Plan, Serving, read_plan
from motet.engine.flower.superlink import SuperLink, check_listening
from motet.engine.interrupt import stop_on_signal
from motet.engine.runs import find_data
from motet.errors import InputError, Interrupted, MotetError
from motet.record.files import write_atomic
from motet.record.folder import RunFolder, take_lock

log = logging.getLogger("motet")

APP = App("motet.engine.flower.server_app:app", "motet.engine.flower.client_app:app")
STARTS_S = 90.0
"""In which Flower starts the run that it was given; 5 s on an idle machine."""
ENDS_S = 60.0
"""In which the run's process ends when Flower's has been killed; 30 s on a machine that is busy."""
GIVE_UP = 3
"""Times that a run is submitted again without a round in between."""
KEYS_S = 5.0
"""Time between two looks for new keys."""


def new_run(folder: Path, config: Config, serving: Serving, nodes: int, deadline: float, quorum: float) -> None:
    """Make the folder of a run that is to be served.

    Raises
    ------
    InputError
        If the configuration is wrong, or the folder holds anything; nothing is written then.
    """
    dataset = find_data(config)
    fitted(config, dataset)
    check_listening(serving.host, serving.certificates)
    if serving.local and serving.local > (clients := len(fit(config, dataset).partition.shares)):
        raise InputError(f"--nodes {serving.local} are more than there are clients ({clients}): some would have none")
    config = config.but(threads=config.run.threads or 1)  # the same everywhere, whatever machines nodes are
    RunFolder.create(folder, config.flat()).close()
    Plan(run=uuid4().hex, nodes=nodes, deadline=deadline, quorum=quorum).write(folder)
    serving.write(folder)


class Server:
    """Serves the run in a folder until it is over.

    Parameters
    ----------
    folder : Path
    serving : Serving
    show : function of Board
        Called whenever there is something new to see, and at least every second.
    """

    def __init__(self, folder: Path, serving: Serving, show: Callable[[Board], None]) -> None:
        self.folder, self.serving, self.show = folder, serving, show
        self.link = SuperLink(folder / "flower", serving.host, serving.port, serving.certificates)
        self._registered = folder / "flower" / "registered.json"
        self._looked = 0.0

    def run(self, beside: Callable[[], None] = lambda: None) -> None:
        """Serve the run.

        Parameters
        ----------
        beside : function
            Called every second.

        Raises
        ------
        Interrupted
            If the user stopped it: all that was done is kept.
        MotetError
            If it cannot go on.
        """
        read_plan(self.folder)
        (self.folder / board.FILE).unlink(missing_ok=True)
        tries, before = 0, -1
        with stop_on_signal() as stop:
            try:
                while True:
                    self.link.start()
                    self._register()
                    self._see_out(stop.check)
                    self.link.control.submit(APP, {"folder": str(self.folder.absolute())})
                    last = self._follow(stop.check, beside)
                    if last.state == "finished":
                        return
                    tries, before = (tries + 1 if last.round == before else 0), last.round
                    if tries >= GIVE_UP:
                        raise MotetError(
                            f"the server's process has ended {GIVE_UP} times without another round: look into "
                            f"{self.folder / 'server.log'} and {self.link.log}"
                        )
                    log.warning("the server's process has ended; it is started again after round %d", last.round)
            except Interrupted:
                last = board.read(self.folder) or Board()
                raise Interrupted(f"stopped after round {last.round} of {last.rounds}") from None
            finally:
                self.link.stop()

    def _see_out(self, check: Callable[[], None]) -> None:
        """Wait for the end of the run's process of before: one whose SuperLink was killed learns it from the next."""
        until = time.monotonic() + ENDS_S
        while self._at_work() and time.monotonic() < until:
            check()
            time.sleep(0.5)

    def _follow(self, check: Callable[[], None], beside: Callable[[], None]) -> Board:
        """Watch the run, and return what is on its board when it has ended, well or badly."""
        since, seen = time.monotonic(), False
        while True:
            check()
            beside()
            self._register()
            found = board.read(self.folder) or Board()
            self.show(found)
            if found.state == "failed":
                raise MotetError(found.why)
            at_work = self._at_work()
            if found.state == "finished" and not at_work:
                return found
            seen = seen or at_work
            ended = seen and not at_work
            if ended or not self.link.running or (not seen and time.monotonic() - since > STARTS_S):
                return board.read(self.folder) or found
            time.sleep(0.5)

    def _at_work(self) -> bool:
        """Return whether the run's process is there: it holds the lock of the folder."""
        try:
            os.close(take_lock(self.folder))
        except InputError:
            return True
        return False

    def _register(self) -> None:
        """Let nodes in whose keys lie with the server's, new ones too."""
        if self.serving.keys is None or time.monotonic() - self._looked < KEYS_S:
            return
        self._looked = time.monotonic()
        known = set(json.loads(self._registered.read_text())) if self._registered.exists() else set[str]()
        for path in sorted(Path(self.serving.keys).glob("*.pub")):
            if path.stem not in known:
                try:
                    self.link.control.register(path, path.stem)
                except MotetError as error:
                    log.warning("%s cannot be let in: %s", path.stem, error)
                    continue
                known.add(path.stem)
                write_atomic(self._registered, json.dumps(sorted(known)))
                log.info("%s may join", path.stem)
