"""Work that is kept by what it is: the same configuration on the same data is carried out once."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

import motet
from motet.config import Config
from motet.data.catalogue import locate
from motet.engine import runs
from motet.engine.interrupt import stop_on_signal
from motet.engine.pool import run_all
from motet.engine.run import run
from motet.engine.watch import Watch
from motet.record.files import write_atomic
from motet.record.folder import RunFolder, holds_run
from motet.record.result import Result, read, to_json

R = TypeVar("R", bound=BaseModel)


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
    folder.mkdir(parents=True, exist_ok=True)
    configs = [config.but(threads=config.run.threads or 1) for config in configs]
    names = [name_of(work, config) for config in configs]
    jobs = {name: (config, folder / name) for name, config in zip(names, configs, strict=True)}
    wanted = [job for job in jobs.values() if not _file(job[1]).is_file()]
    if wanted:
        run_all(wanted, watch, partial(do_once, work))
    found = {name: read(_file(path), work.record) for name, (_, path) in jobs.items()}
    return [found[name] for name in names]


def name_of(work: Work[R], config: Config) -> str:
    """Return the name of work: a digest of what it is, all keys, the data themselves and the version of Motet."""
    path = locate(config.data.data)
    data = config.data.data if path is None else _digest_of(path, path.stat().st_mtime_ns)
    content = {**config.flat(), "data": data, "version": motet.__version__, "record": work.record.__name__}
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=12).hexdigest()


def do_once(work: Work[R], config: Config, path: Path, watch: Watch) -> R:
    """Do some work, keep its record beside its folder, and let go of that."""
    found = work.carry_out(config, path, watch)
    write_atomic(_file(path), to_json(found))
    shutil.rmtree(path, ignore_errors=True)
    return found


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
def _digest_of(path: Path, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
