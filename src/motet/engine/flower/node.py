"""A node: answers the server's letters for the clients that live on it, and keeps what they keep, through restarts.

The server asks three things: to make itself known for a run (`greet`), to begin (`begin`), and to train for a round
(`train`). A server that was killed asks again for the round that it had not finished, so a node holds what its clients
kept before its last round as well as after it: the same question has the same answer.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

import motet
from motet.config import Config, configure
from motet.data.dataset import Dataset, Modality
from motet.engine.flower import figures
from motet.engine.flower.cohort import Cohort, Share, threads
from motet.engine.flower.letter import Letter
from motet.errors import InputError, MotetError
from motet.nets.network import State
from motet.record import checkpoint
from motet.record.files import sweep, write_atomic
from motet.record.folder import take_lock

log = logging.getLogger("motet")

Open = Callable[[Config], Dataset]
NOT_GREETED = "it has not been greeted for this run"


@dataclass
class Kept:
    """What clients keep after a round."""

    round: int = 0
    private: dict[int, State] = field(default_factory=dict)


class Node:
    """The clients of a node, in one run after another.

    Parameters
    ----------
    name : str
    folder : Path
        What it keeps; locked, as no two processes may share it.
    data : function of a configuration to Dataset
        Opens the node's data.
    share : Share, optional
        Of those data; without it all of them are this node's own.
    device : str
        That trains.

    Raises
    ------
    InputError
        If the folder is in use, or cannot be written to.
    """

    def __init__(self, name: str, folder: Path, data: Open, share: Share | None = None, device: str = "cpu") -> None:
        self.name, self.folder, self.data, self.share, self.device = name, folder, data, share, device
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(folder)
        except OSError as error:
            raise InputError(f"{folder} cannot be written to ({error.strerror}): choose another --folder") from None
        self.run: str | None = None
        self.cohort: Cohort | None = None
        self.numbers: list[int] = []
        self.before, self.now = Kept(), Kept()

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._lock)

    def answer(self, letter: Letter) -> Letter:
        """Answer a letter; where that cannot be, with a sentence that says why."""
        answers = {"greet": self._greet, "begin": self._begin, "train": self._train}
        kind = letter.header.get("kind")
        try:
            if kind not in answers:
                raise MotetError(f"a letter of kind {kind!r} is not known here")
            return answers[kind](letter)
        except MotetError as error:
            return Letter({"error": str(error)})
        except Exception as error:  # whatever it is, the server is not left waiting
            log.exception("a letter that could not be answered")
            return Letter({"error": f"{type(error).__name__}: {error}"})

    def _greet(self, letter: Letter) -> Letter:
        header = letter.header
        self._open(str(header["run"]), header["config"], header["modalities"], header["classes"])
        assert self.cohort is not None
        own = {"name": self.name, "version": motet.__version__, **self.cohort.greeting()}
        log.info("run %s: %s", self.run, _hosts(len(own["samples"])))
        return Letter(own, self.cohort.sums() if header["sums"] else {})

    def _open(self, run: str, config: dict[str, Any], modalities: dict[str, Any], classes: list[str]) -> None:
        if not re.fullmatch(r"[0-9a-f]{8,64}", run):  # it names a folder
            raise MotetError(f"{run!r} names no run")
        settings = configure({**config, "device": self.device})
        threads(settings)
        specs = {m: Modality(**{**spec, "shape": tuple(spec["shape"])}) for m, spec in modalities.items()}
        self.cohort = Cohort(settings, self.data(settings), self.share, specs, tuple(classes))
        self.run, self.before, self.now = run, Kept(), Kept()

    def _begin(self, letter: Letter) -> Letter:
        header = letter.header
        if self.cohort is None or header["run"] != self.run:
            raise MotetError(NOT_GREETED)
        self.numbers = [int(k) for k in header["numbers"]]
        owned = np.asarray(header["owned"], dtype=bool)
        engine = self.cohort.begin(self.numbers, owned, letter.messages["scale"])
        self._restore()
        write_atomic(self._path / "begun.json", json.dumps(header | {"scale": letter.messages["scale"].hex()}))
        return Letter({"engine": engine.model_dump(mode="json"), "round": self.now.round})

    @property
    def _path(self) -> Path:
        found = self.folder / str(self.run)
        found.mkdir(exist_ok=True)
        return found

    def _restore(self) -> None:
        """Read what the clients kept before this process began."""
        sweep(self._path)
        found = [_kept(*checkpoint.load(path)) for path in checkpoint.found(self._path)]
        if found:
            self.now, self.before = found[0], found[1] if len(found) > 1 else Kept()
            log.info("run %s: goes on after round %d", self.run, self.now.round)

    def _train(self, letter: Letter) -> Letter:
        header, began = letter.header, time.monotonic()
        if self.cohort is None or header["run"] != self.run or not self.numbers:
            raise MotetError(NOT_GREETED)
        number, clients = int(header["round"]), [int(k) for k in header["clients"]]
        if not set(clients) <= set(self.numbers):
            raise MotetError(f"it does not host client {min(set(clients) - set(self.numbers))}")
        threads(self.cohort.config)  # of the thread that trains, which is another one for every letter
        base = self._after(number)
        account, messages, changed = self.cohort.train(number, clients, letter.messages, base.private)
        kept = Kept(number, base.private | changed)
        if kept.private:
            checkpoint.save(self._path, number, *_written(kept))
        seconds = time.monotonic() - began
        own = {"round": number, "clients": clients, "account": figures.write(account), "seconds": seconds}
        self.before, self.now = base, kept
        answer = Letter(own, messages)
        log.info("round %d: %s, %.1f s, %d bytes", number, _hosts(len(clients)), seconds, answer.size)
        return answer

    def _after(self, number: int) -> Kept:
        """Return what the clients kept before a round."""
        for found in (self.now, self.before):
            if found.round < number:
                return found
        if not self.now.private:
            return Kept()
        raise MotetError(
            f"it is asked for round {number}, and has kept nothing from before round {self.before.round}: start the "
            "run again"
        )


def _hosts(clients: int) -> str:
    return f"{clients} client{'' if clients == 1 else 's'}"


def _written(kept: Kept) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors = {f"{k}/{name}": value for k, state in kept.private.items() for name, value in state.items()}
    return tensors, {"round": kept.round}


def _kept(tensors: dict[str, Tensor], rest: dict[str, Any]) -> Kept:
    private: dict[int, State] = {}
    for name, value in tensors.items():
        client, _, own = name.partition("/")
        private.setdefault(int(client), {})[own] = value
    return Kept(rest["round"], private)
