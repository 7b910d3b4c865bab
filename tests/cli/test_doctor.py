"""`motet doctor`: what it finds, what it calls wrong and how that is mended."""

from __future__ import annotations

import fcntl
import json
import shutil
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import Here, content
from packaging.requirements import Requirement

import motet
from motet.cli import health
from motet.data.catalogue import CATALOGUE
from motet.record import files

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, with no data fetched, and with the requirements of this version."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("MOTET_HOME", str(tmp_path / "home"))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    required(monkeypatch, *PROJECT["dependencies"])
    return tmp_path / "here"


def required(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    monkeypatch.setattr(metadata, "requires", lambda _: list(texts))


def examined(here: Here, status: int = 0) -> dict[str, Any]:
    """Return what the command finds, as JSON; nothing else is on the standard output."""
    ran = here("doctor", "--json")
    assert (ran.status, ran.err) == (status, "")
    found: dict[str, Any] = json.loads(ran.out)
    assert found["well"] == (status == 0)
    return found


def test_a_healthy_place(here: Here, place: Path) -> None:
    found = examined(here)
    assert (found["wrong"], found["well"]) == ([], True)
    facts = found["facts"]
    assert facts["versions"]["motet"] == motet.__version__
    assert facts["versions"]["torch"] == metadata.version("torch")
    assert facts["data"]["sets"]["wearables"] == "built in"
    assert facts["data"]["sets"]["ucihar"] is None
    assert set(facts["data"]["sets"]) == set(CATALOGUE)
    assert facts["devices"]["cpu"]["threads"] == torch.get_num_threads()
    assert facts["folder"] | {"free": 0} == {"path": str(place), "free": 0, "locks": True, "atomic": True}
    assert facts["folder"]["free"] > 0
    assert content(place) == {}


def test_the_same_for_people(here: Here, place: Path) -> None:
    ran = here("doctor")
    assert (ran.status, ran.err) == (0, "")
    assert f"torch {metadata.version('torch')}" in ran.out
    assert "data ucihar       not here: motet data info ucihar" in ran.out
    assert "locks work, atomic writes work" in ran.out
    assert ran.out.endswith("all that a run needs is there\n")


def test_the_extras_are_those_of_the_package() -> None:
    extras = {name: of for name, of in PROJECT["optional-dependencies"].items() if name != "dev"}
    assert {name: package for name, (package, _) in health.EXTRAS.items()} == {
        name: Requirement(needed).name for name, (needed, *_) in extras.items()
    }


def test_an_extra_that_is_not_there_is_no_fault(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name == "flwr":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    assert examined(here)["facts"]["extras"]["flower"]["version"] is None
    assert "not installed: pip install 'motet[flower]'" in here("doctor").out


def test_versions_that_do_not_go(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    required(monkeypatch, "torch>=999", "scipy", "nowhere>=1", 'numpy<1; extra == "digits"', 'x; extra == "dev"')
    found = examined(here, 1)
    version = metadata.version("torch")
    assert found["wrong"] == [
        f"torch {version} is a version that motet does not work with: pip install 'torch>=999'",
        "nowhere is not installed: pip install 'nowhere>=1'",
        f"numpy {metadata.version('numpy')} is a version that motet does not work with: pip install 'numpy<1'",
    ]
    assert "folder" not in found["facts"]
    ran = here("doctor")
    assert ran.status == 1
    assert "wrong: nowhere is not installed" in ran.out
    assert "all that a run needs" not in ran.out


def test_a_package_that_is_broken(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise OSError("libtorch.so: cannot open\nshared object")

    monkeypatch.setattr(health.importlib, "import_module", broken)
    required(monkeypatch, "torch>=2.6")
    assert examined(here, 1)["wrong"] == [
        "torch cannot be imported (libtorch.so: cannot open shared object): pip install --force-reinstall 'torch>=2.6'"
    ]


def test_not_installed(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "requires", nothing)
    assert "pip install it" in examined(here)["notes"][0]


def test_data_that_is_there_or_damaged(here: Here, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(data, home / "kitchen.npz")
    assert examined(here)["facts"]["data"]["sets"]["kitchen"] == str(home / "kitchen.npz")
    (home / "ucihar.npz").write_text("half")
    assert examined(here, 1)["wrong"] == [
        f"{home / 'ucihar.npz'} is damaged: remove it, and fetch, make or write it again"
    ]
    monkeypatch.setenv("MOTET_HOME", str(home / "kitchen.npz"))
    assert "set MOTET_HOME to one" in examined(here, 1)["wrong"][0]


def test_a_folder_that_cannot_be_written_to(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(health.tempfile, "mkdtemp", read_only)
    found = examined(here, 1)
    assert "cannot be written to (Read-only file system): write elsewhere with --out" in found["wrong"][0]
    assert (found["facts"]["folder"]["locks"], found["facts"]["folder"]["atomic"]) == (False, False)


def test_locks_that_hold_nobody_off(here: Here, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    found = examined(here, 1)
    assert found["wrong"] == [f"two processes can lock the same file in {place}: write to another disk with --out"]
    assert (found["facts"]["folder"]["locks"], found["facts"]["folder"]["atomic"]) == (False, True)
    assert "locks do not work" in here("doctor").out


def test_files_that_are_not_replaced(here: Here, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "replace", shutil.copyfile)
    assert "cannot be replaced at one stroke" in examined(here, 1)["wrong"][0]
    assert content(place) == {}


def test_little_room(here: Here, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LEAST_DISK", 2**80)
    monkeypatch.setattr(health, "LEAST_MEMORY", 2**80)
    found = examined(here, 1)
    assert f"are free in {place}: make room" in found["wrong"][0]
    assert ("memory are free" in found["notes"][0]) == (found["facts"]["memory"]["free"] is not None)


def test_cores_that_are_not_used(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(health.os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert examined(here)["notes"] == [
        "PyTorch uses 1 of 3 cores, because of OMP_NUM_THREADS=1: unset that, or give --threads"
    ]


def test_a_device_that_does_not_compute(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel image is available\nmore")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "GPU")
    monkeypatch.setattr(torch, "ones", broken)
    found = examined(here, 1)
    assert found["facts"]["devices"]["cuda"] == ["cuda:0 GPU"]
    assert found["wrong"] == [
        "the CUDA device does not compute (no kernel image is available): use --device cpu, or mend its driver"
    ]
