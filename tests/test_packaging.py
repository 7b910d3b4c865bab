"""What is handed out: the wheel holds all that Motet needs, the source archive all that it is tested with."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent
BUILD = "import sys, setuptools.build_meta as b; out = sys.argv[1]; b.build_sdist(out); b.build_wheel(out)"

pytestmark = pytest.mark.slow


def tracked(*folders: str) -> set[str]:
    """Return what belongs to the project, in some folders."""
    listed = subprocess.run(["git", "ls-files", *folders], cwd=HOME, capture_output=True, text=True, check=True)
    return set(listed.stdout.split("\n")) - {""}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the source archive and the wheel, built from a copy of what belongs to the project."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((HOME / name).read_bytes())
    subprocess.run([sys.executable, "-c", BUILD, str(out)], cwd=source, capture_output=True, check=True)
    return out


def test_the_wheel_holds_every_file_of_the_package(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.removeprefix("src/") for name in tracked("src")} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_the_source_archive_holds_the_tests(built: Path) -> None:
    [source] = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked("src", "tests", "examples", "docs", "benchmarks") <= names
    assert {"Makefile", "constraints.txt", "pyproject.toml", "README.md", "LICENSE"} <= names


@pytest.mark.timeout(900)
def test_the_wheel_runs_in_an_empty_environment_without_extras(built: Path, tmp_path: Path) -> None:
    [wheel] = built.glob("*.whl")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    pins = HOME / "constraints.txt"
    torch = next(line for line in pins.read_text().splitlines() if line.startswith("torch=="))
    pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(pins)]
    subprocess.run([*pip, torch], check=True)
    subprocess.run([*pip, str(wheel)], check=True)
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MOTET_HOME")}
    run = {"cwd": tmp_path, "env": clean, "capture_output": True, "text": True, "check": True}
    said = subprocess.run([str(python), "-m", "motet", "--version"], **run).stdout  # type: ignore[call-overload]
    assert wheel.name.split("-")[1] in said
    subprocess.run([str(python.parent / "motet"), "demo", "--out", "demo"], **run)  # type: ignore[call-overload]
    assert (tmp_path / "demo" / "report.html").is_file()
