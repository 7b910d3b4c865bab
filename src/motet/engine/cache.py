"""Work that is kept by what it is: the same configuration on the same data is carried out once."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Generic, TypeVar

import torch
from pydantic import BaseModel

import motet
from motet.config import Config
from motet.data.catalogue import locate
from motet.engine import runs
from motet.engine.interrupt import stop_on_signal
from motet.engine.pool import run_all
from motet.engine.run import run
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.record.files import write_atomic
from motet.record.folder import RunFolder, holds_run
from motet.record.result import Result, read, to_json

R = TypeVar("R", bound=BaseModel)

SHOWN = ("cli", "study")
"""Packages that no number of a record depends on."""


@dataclass(frozen=True)
class Work(Generic[R]):
    """What is done for a configuration; of a module, so that it can be passed to a process.

    Attributes
    ----------
    carry_out : function of (Config, Path, Watch)
        Returns a record; what it needs meanwhile lies in the folder, and goes with it.
    record : type
    """

    carry_out: Callable[[Config, Path, Watch], R]
    record: type[R]


def carry_out(work: Work[R], configs: Sequence[Config], folder: Path, watch: Watch) -> list[R]:
    """Do some work side by side, or read what is kept of it already; one thread each.

    Parameters
    ----------
    work : Work
    configs : sequence of Config
    folder : Path
        Where records are kept, by `name_of`; work that is under way has a folder there until it is over.
    watch : Watch

    Returns
    -------
    list of records
        In the order of the configurations.

    Raises
    ------
    MotetError
        The first failure; the others are stopped after a checkpoint.
    """
    make(folder)
    configs = [config.but(threads=config.run.threads or 1) for config in configs]
    names = [name_of(work, config) for config in configs]
    jobs = {name: (config, folder / name) for name, config in zip(names, configs, strict=True)}
    found = {name: _kept(work, path) for name, (_, path) in jobs.items()}
    wanted = [name for name, record in found.items() if record is None]
    if wanted:
        new = run_all([jobs[name] for name in wanted], watch, partial(do_once, work))
        found |= dict(zip(wanted, new, strict=True))
    return [record for record in map(found.get, names) if record is not None]


def make(folder: Path) -> None:
    """Make the folder of records.

    Raises
    ------
    InputError
        If it cannot be made, or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".lock").touch()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written to ({error.strerror}): choose another folder of records"
        ) from None


def name_of(work: Work[R], config: Config) -> str:
    """Return the name of work: a digest of what it is, all keys, the data themselves, the code and PyTorch."""
    path = locate(config.data.data)
    data = config.data.data if path is None else _digest_of(path, path.stat().st_mtime_ns)
    code = [_code(), torch.__version__, work.record.__name__]
    content = {**config.flat(), "data": data, "code": code}
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=12).hexdigest()


def do_once(work: Work[R], config: Config, path: Path, watch: Watch) -> R:
    """Do some work, keep its record beside its folder, and let go of that; whoever else wants it waits for it."""
    with open(path.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _kept(work, path)
        if found is None:
            found = work.carry_out(config, path, watch)
            write_atomic(_file(path), to_json(found))
            shutil.rmtree(path, ignore_errors=True)
        else:
            watch.round(config.training.rounds, None)
    return found


def _kept(work: Work[R], path: Path) -> R | None:
    """Return the record of some work; None where there is none that can be read."""
    try:
        return read(_file(path), work.record) if _file(path).is_file() else None
    except InputError:
        return None


def train(config: Config, path: Path, watch: Watch) -> Result:
    """Carry out a run in a folder, or go on with it."""
    folder = RunFolder.open(path) if holds_run(path) else RunFolder.create(path, config.flat())
    try:
        with stop_on_signal():
            return run(config, runs.find_data(config), folder, watch).result
    finally:
        folder.close()


TRAINING = Work(train, Result)


def _file(path: Path) -> Path:
    return path.with_suffix(".json")


@cache
def _code() -> str:
    """Return a digest of Motet's own code: another formula gives other numbers under the same settings."""
    digest, home = hashlib.blake2b(digest_size=16), Path(motet.__file__).parent
    for path in sorted(home.rglob("*.py")):
        if path.relative_to(home).parts[0] not in SHOWN:
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _digest_of(path: Path, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
