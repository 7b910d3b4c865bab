"""The data sets that Motet knows by name, where fetched ones are kept, and how any data set is opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from motet.data import mvsa, ucihar
from motet.data.archive import load
from motet.data.dataset import Dataset
from motet.data.fetch import checksum, fetch
from motet.data.progress import Progress, silent
from motet.data.unpack import unpack
from motet.errors import InputError, unknown

Convert = Callable[[Path, Path, Progress | None], None]

WEARABLES_CLIENTS = 20


@dataclass(frozen=True)
class Entry:
    """A data set that is known by name.

    Attributes
    ----------
    name, about : str
    kind : {"built-in", "download", "request"}
        Built in, free to download, or only given out by its authors.
    terms : str
        What its authors allow.
    obtain : str
        How to come by it.
    url : str, optional
    sha256 : str, optional
        Checksum of the download, where known.
    convert : function of (folder, destination, progress), optional
        Makes an archive of the official folder.
    """

    name: str
    about: str
    kind: Literal["built-in", "download", "request"]
    terms: str
    obtain: str
    url: str | None = None
    sha256: str | None = None
    convert: Convert | None = None


@dataclass(frozen=True)
class Fetched:
    """Where a fetched data set lies, and the checksum of the download that it was made from."""

    path: Path
    sha256: str


CATALOGUE: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "wearables",
            "simulated people who wear an accelerometer, a gyroscope and a heart-rate sensor; 8 activities",
            "built-in",
            "no restriction: no real person is recorded",
            "built in",
        ),
        Entry(
            "digits",
            "1,797 real handwritten digits, cut in two views; 10 classes",
            "built-in",
            "CC BY 4.0",
            "built in",
        ),
        Entry(
            "ucihar",
            "10,299 windows of a phone's accelerometer and gyroscope, 30 people; 6 activities",
            "download",
            ucihar.TERMS,
            "`motet data fetch ucihar`, or `motet data make ucihar FOLDER` with the unpacked 'UCI HAR Dataset'",
            url="https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip",
            convert=ucihar.convert,
        ),
        Entry(
            "mvsa_single",
            "4,511 tweets with a picture; sentiment of 3 classes",
            "request",
            mvsa.TERMS,
            "ask its authors (https://mcrlab.net/research/mvsa-sentiment-analysis-on-multi-view-social-data/), "
            "then `motet data make mvsa_single FOLDER` with the unpacked 'MVSA_Single'",
            convert=mvsa.convert,
        ),
    )
}


def home() -> Path:
    """Return the folder of fetched data: ``$MOTET_HOME``, else ``~/.cache/motet``; it may not exist yet."""
    chosen = os.environ.get("MOTET_HOME")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "motet"


def archive_of(name: str) -> Path:
    """Return where the archive of a known data set lies once it is fetched or made."""
    return home() / f"{name}.npz"


def own_archives() -> list[str]:
    """Return the names of the archives in the folder of fetched data that are not in the catalogue, in order."""
    return sorted({path.stem for path in home().glob("*.npz")} - set(CATALOGUE))


def find(name: str) -> Entry:
    """Return the entry of a name.

    Raises
    ------
    InputError
        If there is none; the sentence offers the nearest.
    """
    if name not in CATALOGUE:
        raise unknown("data set", name, CATALOGUE)
    return CATALOGUE[name]


def open_dataset(
    name_or_path: str | os.PathLike[str],
    *,
    clients: int | None = None,
    seed: int = 0,
    modalities: list[str] | None = None,
) -> Dataset:
    """Open a data set by name, or an archive by path.

    Parameters
    ----------
    name_or_path : str or path-like
        ``wearables``, ``digits``, a fetched set such as ``ucihar``, or the path of an ``.npz`` archive.
    clients : int, optional
        People to simulate; only for ``wearables``, 20 if not given.
    seed : int
        Of the simulation, or of a test split where the data has none.
    modalities : list of str, optional
        Keep these alone.

    Raises
    ------
    InputError
        If there is no such data set or file, it has not been fetched, or it is not a valid archive.
    """
    text = os.fspath(name_or_path)
    if text == "wearables":
        from motet.data.wearables import Wearables

        dataset: Dataset = Wearables(clients=WEARABLES_CLIENTS if clients is None else clients, seed=seed)
    elif text == "digits":
        from motet.data.digits import digits

        dataset = cast(Dataset, digits(seed))
    else:
        path = locate(text)
        assert path is not None, "what is built in is made above"
        dataset = cast(Dataset, load(path, seed=seed))
    return dataset if modalities is None else dataset.only(modalities)


def obtain(name: str, progress: Callable[[str], Progress] | None = None) -> Fetched:
    """Download a known data set and make its archive in the folder of fetched data.

    Parameters
    ----------
    name : str
    progress : function of a step's name, optional
        Returns the function that is told of the step's progress.

    Raises
    ------
    InputError
        If the set is built in, must be asked for, cannot be downloaded or is not what it should be.
    """
    entry = find(name)
    if entry.url is None or entry.convert is None:
        raise InputError(f"{name} cannot be fetched: {entry.obtain}")
    tell = progress or (lambda _: silent)
    download, folder = home() / f"{name}.zip", home() / f"{name}.folder"
    sha256 = _download(entry, download, tell)
    shutil.rmtree(folder, ignore_errors=True)  # left by a run that was killed
    try:
        _unpack_all(download, folder, tell)
        entry.convert(_official(folder), archive_of(name), tell("convert"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    download.unlink()
    return Fetched(archive_of(name), sha256)


def _download(entry: Entry, path: Path, tell: Callable[[str], Progress]) -> str:
    """Download an entry, unless an earlier run did and stopped after it; its checksum is noted beside it."""
    assert entry.url is not None
    note = path.with_name(path.name + ".sha256")
    if entry.sha256 is None and path.is_file() and note.is_file():
        sha256 = checksum(path)
        if note.read_text(encoding="utf-8").startswith(sha256):
            return sha256
    sha256 = fetch(entry.url, path, entry.sha256, tell("download"))
    note.write_text(f"{sha256}  {entry.url}\n", encoding="utf-8")
    return sha256


def _unpack_all(download: Path, folder: Path, tell: Callable[[str], Progress]) -> None:
    """Unpack a download and the zips within it; one that cannot be is removed, so that it is fetched anew."""
    try:
        unpack(download, folder, tell("unpack"))
        for nested in sorted(folder.glob("*.zip")):
            unpack(nested, nested.with_suffix(""), tell("unpack"))
    except InputError:
        download.unlink()
        raise


def _official(folder: Path) -> Path:
    """Go down to the folder that a zip within a zip was unpacked to."""
    inner = [path for path in folder.iterdir() if path.is_dir() and path.name != "__MACOSX"]
    return inner[0] if len(inner) == 1 else folder


def locate(text: str) -> Path | None:
    """Return the path of the archive that a name or a path stands for, which may not exist; None if it is built in.

    Raises
    ------
    InputError
        If it is a name, and there is no such data set on this machine.
    """
    if text in CATALOGUE and CATALOGUE[text].kind == "built-in":
        return None
    if text in CATALOGUE:
        path = archive_of(text)
        if not path.is_file():
            raise InputError(f"{text} is not on this machine: {CATALOGUE[text].obtain}")
        return path
    path = Path(text).expanduser()
    if path.exists() or path.suffix or len(path.parts) != 1:
        return path
    if archive_of(text).is_file():
        return archive_of(text)
    raise unknown("data set", text, [*CATALOGUE, *own_archives()])
