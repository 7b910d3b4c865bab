"""What `motet doctor` looks at: facts of the installation, this machine and a folder, and what is wrong with them."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import tempfile
import warnings
import zipfile
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import motet
from motet.errors import InputError

EXTRAS = {
    "digits": ("scikit-learn", "the data set digits"),
    "privacy": ("dp-accounting", "--privacy, whose budget it accounts for"),
    "flower": ("flwr", "fleet, serve, join and keys: runs over a network"),
    "track": ("tensorboard", "--track, by which TensorBoard or MLflow follow a run"),
}
"""What each extra of the package brings, and what for."""
LEAST_MEMORY, LEAST_DISK = 2**30, 2**28
"""Bytes; with less, a run of the built-in data may not come to its end."""


@dataclass
class Health:
    """What was found.

    Attributes
    ----------
    facts : dict
        By section, ready for JSON.
    wrong, notes : list of str
        Sentences, each with how to mend it: what stops runs, and what only hampers them.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def examine(folder: Path) -> Health:
    """Look at everything; with a package that is broken, at no more than packages, as the rest needs them."""
    health = Health()
    _look_at_packages(health)
    _look_at_extras(health)
    if not health.wrong:
        _look_at_data(health)
        _look_at_devices(health)
        _look_at_memory(health)
        _look_at_folder(health, folder)
    return health


def _look_at_packages(health: Health) -> None:
    versions = {"motet": motet.__version__, "python": platform.python_version()}
    for needed in _requirements(""):
        versions[needed.name] = _version(needed.name) or "none"
        _check_version(health, needed)
        if not health.wrong:
            _check_import(health, needed)
    if len(versions) == 2:
        health.notes.append("motet is not installed as a package, so no version can be checked: pip install it")
    health.facts |= {"versions": versions, "platform": platform.platform(), "source": str(Path(motet.__file__).parent)}


def _look_at_extras(health: Health) -> None:
    health.facts["extras"] = {
        extra: {"package": package, "version": _version(package), "for": purpose}
        for extra, (package, purpose) in EXTRAS.items()
    }
    for extra in EXTRAS:
        for needed in _requirements(extra):
            if _version(needed.name) is not None:
                _check_version(health, needed)


def _requirements(extra: str) -> list[Requirement]:
    """Return what motet, or one of its extras, requires."""
    try:
        every = [Requirement(text) for text in metadata.requires("motet") or ()]
    except metadata.PackageNotFoundError:
        return []
    asked = [needed for needed in every if (needed.marker is not None) == bool(extra)]
    return [needed for needed in asked if needed.marker is None or needed.marker.evaluate({"extra": extra})]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _check_version(health: Health, needed: Requirement) -> None:
    version, wanted = _version(needed.name), f"{needed.name}{needed.specifier}"
    if version is None:
        health.wrong.append(f"{needed.name} is not installed: pip install '{wanted}'")
    elif not needed.specifier.contains(version, prereleases=True):
        health.wrong.append(
            f"{needed.name} {version} is a version that motet does not work with: pip install '{wanted}'"
        )


def _check_import(health: Health, needed: Requirement) -> None:
    try:
        importlib.import_module(needed.name)
    except Exception as error:  # what is broken can raise anything
        why = " ".join(str(error).split())[:200]
        health.wrong.append(
            f"{needed.name} cannot be imported ({why}): pip install --force-reinstall '{needed.name}{needed.specifier}'"
        )


def _look_at_data(health: Health) -> None:
    from motet.data.catalogue import CATALOGUE, archive_of, home, own_archives

    chosen, sets = home(), {}
    if chosen.exists() and not chosen.is_dir():
        health.wrong.append(f"{chosen}, where data sets are kept, is no folder: set MOTET_HOME to one")
    for name in [*CATALOGUE, *own_archives()]:
        built_in = name in CATALOGUE and CATALOGUE[name].kind == "built-in"
        path = archive_of(name)
        here = path.is_file()
        sets[name] = "built in" if built_in else str(path) if here else None
        if here and not built_in and not zipfile.is_zipfile(path):
            health.wrong.append(f"{path} is damaged: remove it, and fetch, make or write it again")
    health.facts["data"] = {"home": str(chosen), "sets": sets}


def _look_at_devices(health: Health) -> None:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    limits = [f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ]
    if threads < cores and limits:
        health.notes.append(
            f"PyTorch uses {threads} of {cores} cores, because of {' and '.join(limits)}: unset that, or give --threads"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is said below
        found = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if found:
        _check_cuda(health)
    elif Path("/dev/nvidia0").exists():
        health.notes.append(
            "there is an NVIDIA device that PyTorch does not see: install a PyTorch built for CUDA, and NVIDIA's driver"
            if torch.version.cuda is None
            else f"PyTorch is built for CUDA {torch.version.cuda} and sees no device: update NVIDIA's driver"
        )
    health.facts["devices"] = {"cpu": {"cores": cores, "threads": threads}, "cuda": found}


def _check_cuda(health: Health) -> None:
    """See whether a device computes; a driver may show one that does not."""
    import torch

    try:
        torch.ones(1, device="cuda").add(1).item()
    except RuntimeError as error:
        why = (str(error).splitlines() or ["no reason is given"])[0]
        health.wrong.append(f"the CUDA device does not compute ({why}): use --device cpu, or mend its driver")


def _look_at_memory(health: Health) -> None:
    free = _free_memory()
    if free is not None and free < LEAST_MEMORY:
        health.notes.append(f"only {_size(free)} of memory are free: end other programs, or a run may be killed")
    health.facts["memory"] = {"free": free}


def _free_memory() -> int | None:
    """Return the bytes that programs may still take, where the system says so."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _look_at_folder(health: Health, folder: Path) -> None:
    """Try in a folder what every run's own folder must be able to do."""
    free = shutil.disk_usage(folder).free
    health.facts["folder"] = {"path": str(folder), "free": free, "locks": False, "atomic": False}
    if free < LEAST_DISK:
        health.wrong.append(f"only {_size(free)} are free in {folder}: make room, or write elsewhere with --out")
    try:
        with tempfile.TemporaryDirectory(prefix=".motet-doctor-", dir=folder) as trial:
            found = {"locks": _locks(Path(trial)), "atomic": _replaces(Path(trial))}
    except OSError as error:
        health.wrong.append(f"{folder} cannot be written to ({error.strerror}): write elsewhere with --out")
        return
    health.facts["folder"] |= found
    if not found["atomic"]:
        health.wrong.append(f"a file in {folder} cannot be replaced at one stroke: write to another disk with --out")
    if not found["locks"]:
        health.wrong.append(f"two processes can lock the same file in {folder}: write to another disk with --out")


def _replaces(folder: Path) -> bool:
    from motet.record.files import write_atomic

    for text in ("old", "new"):
        write_atomic(folder / "file", text)
    return (folder / "file").read_text() == "new" and {path.name for path in folder.iterdir()} <= {"file", "lock"}


def _locks(folder: Path) -> bool:
    """Return whether a lock that is taken cannot be taken again."""
    from motet.record.folder import take_lock

    first = take_lock(folder)
    try:
        os.close(take_lock(folder))
    except InputError:
        return True
    finally:
        os.close(first)
    return False


def _size(count: int) -> str:
    from motet.record.wording import short_size

    return short_size(count)
