"""A node: answers the server's letters for the clients that live on it, and keeps what they keep, through restarts.

The server asks three things: to make itself known for a run (`greet`), to begin (`begin`), and to train for a round
(`train`). A server that was killed asks again for the round that it had not finished; the same question has the same
answer.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import motet
from motet.config import Config, configure
from motet.data.dataset import Dataset, Modality
from motet.engine.flower import figures
from motet.engine.flower.cohort import Cohort, Share
from motet.engine.flower.kept import Kept
from motet.engine.flower.letter import Letter
from motet.engine.run import threads
from motet.errors import InputError, MotetError
from motet.record.folder import take_lock

log = logging.getLogger("motet")

Open = Callable[[Config], Dataset]
NOT_GREETED = "it has not been greeted for this run"


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
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = take_lock(folder)
        except OSError as error:
            raise InputError(f"{folder} cannot be written to ({error.strerror}): choose another --folder") from None
        self.run: str | None = None
        self.cohort: Cohort | None = None
        self.numbers: list[int] = []
        self.kept: Kept | None = None

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
        specs = {m: Modality(**{**spec, "shape": tuple(spec["shape"])}) for m, spec in modalities.items()}
        self.cohort = Cohort(settings, self.data(settings), self.share, specs, tuple(classes))
        self.run, self.numbers, self.kept = run, [], None

    def _begin(self, letter: Letter) -> Letter:
        header = letter.header
        if self.cohort is None or header["run"] != self.run:
            raise MotetError(NOT_GREETED)
        self.numbers = [int(k) for k in header["numbers"]]
        owned = np.asarray(header["owned"], dtype=bool)
        with threads(self.cohort.config.run.threads):
            engine = self.cohort.begin(self.numbers, owned, letter.messages["scale"])
        self.kept = Kept(self.folder / str(self.run))
        return Letter({"engine": f"{engine.name}, {engine.threads} threads, {engine.why}"})

    def _train(self, letter: Letter) -> Letter:
        header, began = letter.header, time.monotonic()
        if self.cohort is None or self.kept is None or header["run"] != self.run:
            raise MotetError(NOT_GREETED)
        number, clients = int(header["round"]), [int(k) for k in header["clients"]]
        after = {k: int(last) for k, last in zip(clients, header["after"], strict=True)}
        if not set(clients) <= set(self.numbers):
            raise MotetError(f"it does not host client {min(set(clients) - set(self.numbers))}")
        private = {k: self.kept.after(k, after[k]) for k in clients} if self.cohort.keeps else {}
        try:
            with threads(self.cohort.config.run.threads):  # bits of sums depend on it
                account, messages, changed = self.cohort.train(number, clients, letter.messages, private)
        except MotetError as error:
            return Letter({"error": str(error), "training": True})
        self.kept.put(number, after, changed)
        seconds = time.monotonic() - began
        own = {"round": number, "clients": clients, "account": figures.write(account), "seconds": seconds}
        answer = Letter(own, messages)
        log.info("round %d: %s, %.1f s, %d bytes", number, _hosts(len(clients)), seconds, answer.size)
        return answer


def _hosts(clients: int) -> str:
    return f"{clients} client{'' if clients == 1 else 's'}"
