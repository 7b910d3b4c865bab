"""A study in its folder: data, picture and page; begun again, it goes on."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from motet.data.catalogue import open_dataset
from motet.engine.cache import make
from motet.engine.watch import Watch
from motet.errors import InputError, unknown
from motet.record.files import left_behind, sweep, write_atomic
from motet.record.folder import take_lock
from motet.study.carry_out import carry_out, check_all
from motet.study.data import Found, load, write
from motet.study.design import Design, Settings, Study
from motet.study.page import page
from motet.study.picture import picture
from motet.study.prepared import STUDIES

PLAN, DATA, PAGE, FIGURE = "study.json", "study.jsonl", "study.md", "figure.svg"


def find(name: str) -> Study:
    """Return a prepared study.

    Raises
    ------
    InputError
        If there is none of that name; the nearest is offered.
    """
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return STUDIES[name]


def plan(study: Study, preset: str, seeds: int | None, given: Settings) -> Design:
    """Return what is to be run: a preset, with a user's own seeds and settings.

    Raises
    ------
    InputError
        If it cannot be run, before anything is.
    """
    design = study.design(preset)
    if "data" in given and study.fit is not None:
        design = study.fit(design, list(open_dataset(str(given["data"])).modalities))
    design = design.given(given)
    if seeds is not None:
        design = replace(design, seeds=seeds)
    check_all(design, study.kind)
    return design


def run(study: Study, preset: str, design: Design, command: str, folder: Path, kept: Path, watch: Watch) -> Found:
    """Carry out a study in a folder, or go on with the same one.

    Parameters
    ----------
    study : Study
    preset, command : str
        For the record.
    design : Design
    folder : Path
        Of the study: its plan, data, figure and page.
    kept : Path
        Where runs are kept, for this study and others.
    watch : Watch

    Raises
    ------
    InputError
        If the folder holds anything else.
    """
    told = {"study": study.name, "preset": preset, "design": asdict(design)}
    _claim(folder, json.loads(json.dumps(told)))
    make(kept)
    content = json.dumps({**told, "command": f"{command} --kept {kept} --out {folder}"}, indent=1) + "\n"
    lock = take_lock(folder)
    try:
        sweep(folder)
        write_atomic(folder / PLAN, content)
        found = carry_out(study, preset, design, command, kept, watch)
        write_atomic(folder / DATA, write(found))
        write_figure_and_page(study, found, folder)
    finally:
        os.close(lock)
    return found


def write_figure_and_page(study: Study, found: Found, folder: Path) -> None:
    """Write what is made of a study's data."""
    write_atomic(folder / FIGURE, picture(study, found))
    write_atomic(folder / PAGE, page(study, found))


def read(path: Path) -> tuple[Study, Found]:
    """Read a study's data, in its folder or a file.

    Raises
    ------
    InputError
        If it is none.
    """
    found = load(path / DATA if path.is_dir() else path)
    return find(found.header.study), found


def is_study(folder: Path) -> bool:
    """Return whether a folder holds a study."""
    return (folder / PLAN).is_file()


def command(folder: Path) -> str:
    """Return the command that a study began with.

    Raises
    ------
    InputError
        If its plan is damaged.
    """
    return str(_plan(folder)["command"])


def _plan(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        found["command"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / PLAN} is damaged ({error}): start the study again elsewhere") from None
    return found


def report(folder: Path) -> Path:
    """Write a finished study's figure and page again, and return the page's path.

    Raises
    ------
    InputError
        If it is not finished.
    """
    if not (folder / DATA).is_file():
        raise InputError(f"{folder} holds no finished study: go on with `{command(folder)}`")
    study, found = read(folder)
    write_figure_and_page(study, found, folder)
    return folder / PAGE


def _claim(folder: Path, told: dict[str, Any]) -> None:
    """Make a folder, or accept one that holds the same study.

    Raises
    ------
    InputError
        If it holds anything else, or cannot be made.
    """
    plan_file = folder / PLAN
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}): choose another folder with --out") from None
    if plan_file.is_file():
        begun = _plan(folder)
        if any(begun.get(key) != value for key, value in told.items()):
            raise InputError(f"{folder} holds another study, or other settings: choose another folder with --out")
    elif any(entry.name != "lock" and not left_behind(entry) for entry in folder.iterdir()):
        raise InputError(f"{folder} is not empty: choose an empty or a new folder with --out")
