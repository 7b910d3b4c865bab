"""UCI-HAR: from the official folder of text files to an archive."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.data.archive import save
from motet.data.dataset import TEST, TRAIN, ArrayDataset, Modality
from motet.data.progress import Progress, silent
from motet.errors import InputError

SOURCE = "UCI HAR (Anguita et al. 2012): official windows of 2.56 s, official split by person"
TERMS = "cite Anguita et al. 2012; no commercial use"
RATE_HZ = 50.0
SENSORS: dict[str, tuple[str, str]] = {
    "body_acc": ("body_acc", "g"),
    "gyro": ("body_gyro", "rad/s"),
    "total_acc": ("total_acc", "g"),
}
"""Modality: the beginning of its files' names, and its unit."""

LAYOUT = (
    "the folder should hold activity_labels.txt, and train and test, each with y_<split>.txt, subject_<split>.txt and "
    "'Inertial Signals' of body_acc, body_gyro and total_acc in x, y and z"
)
_SPLITS = (("train", TRAIN), ("test", TEST))


def convert(
    folder: str | os.PathLike[str], destination: str | os.PathLike[str], progress: Progress | None = None
) -> None:
    """Turn the official folder of UCI-HAR into an archive of three signals.

    Parameters
    ----------
    folder : path-like
        ``UCI HAR Dataset``, or the folder that holds it.
    destination : path-like
        The archive to write.
    progress : function of (done, total), optional
        Told after each file.

    Raises
    ------
    InputError
        If a file is missing, or does not hold what it should; nothing is written then.
    """
    root = _root(Path(folder))
    tell = progress or silent
    classes, numbers = _activities(root)
    total = len(_SPLITS) * 3 * len(SENSORS)
    parts: dict[str, list[NDArray[Any]]] = {key: [] for key in ("y", "client", "split", *SENSORS)}
    for s, (split, code) in enumerate(_SPLITS):
        labels = _integers(root / split / f"y_{split}.txt")
        people = _integers(root / split / f"subject_{split}.txt")
        _same_lines(root / split / f"subject_{split}.txt", len(people), len(labels))
        parts["y"].append(_classes_of(root / split / f"y_{split}.txt", labels, numbers))
        parts["client"].append(people)
        parts["split"].append(np.full(len(labels), code, dtype=np.uint8))
        for m, (name, (beginning, _)) in enumerate(SENSORS.items()):
            axes = []
            for a, axis in enumerate("xyz"):
                path = root / split / "Inertial Signals" / f"{beginning}_{axis}_{split}.txt"
                axes.append(_windows(path, len(labels)))
                tell((s * len(SENSORS) + m) * 3 + a + 1, total)
            parts[name].append(_stacked(root / split, name, axes))
    x = {name: _joined(root, name, parts[name]) for name in SENSORS}
    save(
        ArrayDataset(
            name="ucihar",
            modalities={
                name: Modality(name, "signal", x[name].shape[1:], RATE_HZ, unit) for name, (_, unit) in SENSORS.items()
            },
            classes=classes,
            y=np.concatenate(parts["y"]),
            split=np.concatenate(parts["split"]),
            x=dict(x),
            client=np.concatenate(parts["client"]),
            source=SOURCE,
            terms=TERMS,
        ),
        destination,
    )


def _root(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder: name the unpacked 'UCI HAR Dataset'")
    inside = folder / "UCI HAR Dataset"
    return inside if inside.is_dir() else folder


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: is missing: {LAYOUT}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}): unpack the set again") from None


def _activities(root: Path) -> tuple[tuple[str, ...], dict[int, int]]:
    """Names of the classes, and the class 0, 1, ... of each number that the label files use."""
    path = root / "activity_labels.txt"
    names: dict[int, str] = {}
    for n, line in enumerate(_lines(path), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or not words[0].isdecimal() or int(words[0]) in names:
            raise InputError(f"{path}: line {n} should be a new number and a name, as '1 WALKING', not {line[:40]!r}")
        names[int(words[0])] = words[1].lower()
    return tuple(names.values()), {number: i for i, number in enumerate(names)}


def _classes_of(path: Path, labels: NDArray[np.int64], numbers: dict[int, int]) -> NDArray[np.int64]:
    for number in np.unique(labels).tolist():
        if number not in numbers:
            raise InputError(f"{path}: holds the label {number}, which activity_labels.txt does not name")
    return np.array([numbers[label] for label in labels.tolist()], dtype=np.int64)


def _integers(path: Path) -> NDArray[np.int64]:
    """One integer a line."""
    numbers = []
    for n, line in enumerate(_lines(path), start=1):
        try:
            numbers.append(int(line))
        except ValueError:
            raise InputError(f"{path}: line {n} should be one whole number, not {line[:40]!r}") from None
    if not numbers:
        raise InputError(f"{path}: is empty: {LAYOUT}")
    return np.array(numbers, dtype=np.int64)


def _windows(path: Path, count: int) -> NDArray[np.float32]:
    """One window a line: (count, time)."""
    if not path.is_file():
        raise InputError(f"{path}: is missing: {LAYOUT}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an empty file, which is refused below
            values = np.loadtxt(path, dtype=np.float32, comments=None, ndmin=2)
    except (OSError, ValueError) as error:
        why = str(error).split(";")[0].rstrip(".")
        raise InputError(f"{path}: cannot be read as a table of numbers ({why}): unpack the set again") from None
    _same_lines(path, len(values) if values.size else 0, count)
    return values


def _same_lines(path: Path, lines: int, labels: int) -> None:
    if lines != labels:
        raise InputError(f"{path}: has {lines} lines, but there are {labels} labels beside it: unpack the set again")


def _stacked(folder: Path, name: str, axes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    lengths = {axis.shape[1] for axis in axes}
    if len(lengths) > 1:
        raise InputError(f"{folder}: the x, y and z files of {name} hold windows of different lengths: {lengths}")
    return np.stack(axes, axis=1)


def _joined(root: Path, name: str, splits: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    lengths = {part.shape[2] for part in splits}
    if len(lengths) > 1:
        raise InputError(f"{root}: the {name} windows of train and test are of different lengths: {lengths}")
    return np.concatenate(splits)
