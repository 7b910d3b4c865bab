"""Runs that are kept by what they are: the same configuration on the same data is carried out once."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

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


def carry_out(configs: Sequence[Config], folder: Path, watch: Watch) -> list[Result]:
    """Carry out runs side by side, or read those that are kept already; one thread each.

    Parameters
    ----------
    configs : sequence of Config
    folder : Path
        Where results are kept, by `name_of`; a run that is under way has a folder there until it is over.
    watch : Watch

    Returns
    -------
    list of Result
        In the order of the configurations.

    Raises
    ------
    MotetError
        The first failure; the other runs are stopped after a checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    configs = [config.but(threads=config.run.threads or 1) for config in configs]
    names = [name_of(config) for config in configs]
    jobs = {name: (config, folder / name) for name, config in zip(names, configs, strict=True)}
    wanted = [job for job in jobs.values() if not _file(job[1]).is_file()]
    if wanted:
        run_all(wanted, watch, run_once)
    results = {name: read(_file(path), Result) for name, (_, path) in jobs.items()}
    return [results[name] for name in names]


def name_of(config: Config) -> str:
    """Return the name of a configuration: a digest of all its keys, the data themselves and the version of Motet."""
    path = locate(config.data.data)
    data = config.data.data if path is None else _digest_of(path, path.stat().st_mtime_ns)
    content = {**config.flat(), "data": data, "version": motet.__version__}
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=12).hexdigest()


def run_once(config: Config, path: Path, watch: Watch) -> Result:
    """Carry out a run in a folder, or go on with it; keep its result beside the folder and let go of that."""
    begun = holds_run(path)
    folder = RunFolder.open(path) if begun else RunFolder.create(path, config.flat())
    try:
        with stop_on_signal():
            result = run(config, runs.find_data(config), folder, watch).result
        write_atomic(_file(path), to_json(result))
        shutil.rmtree(path)
    finally:
        folder.close()
    return result


def _file(path: Path) -> Path:
    return path.with_suffix(".json")


@cache
def _digest_of(path: Path, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
