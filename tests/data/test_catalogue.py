"""The data sets known by name: built in, fetched, or a file."""

from __future__ import annotations

import hashlib
import http.server
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from motet.data import catalogue
from motet.data.archive import save
from motet.data.catalogue import CATALOGUE, archive_of, find, home, obtain, open_dataset
from motet.data.dataset import ArrayDataset, Modality
from motet.data.summary import summarise
from motet.errors import InputError


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOTET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def small(n: int = 20) -> ArrayDataset:
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return ArrayDataset(
        name="small",
        modalities={"left": Modality("left", "vector", (3,)), "right": Modality("right", "vector", (3,))},
        classes=("a", "b"),
        y=np.arange(n) % 2,
        split=np.array([0] * (n - 6) + [2] * 6, dtype=np.uint8),
        x={"left": x, "right": -x},
        client=np.arange(n) % 5,
        present={"right": np.arange(n) % 4 > 0},
    )


def uci_folder() -> dict[str, str]:
    """Files of a tiny `UCI HAR Dataset`."""
    root = "UCI HAR Dataset"
    files = {f"{root}/activity_labels.txt": "1 WALKING\n2 SITTING\n"}
    for split in ("train", "test"):
        files[f"{root}/{split}/y_{split}.txt"] = "1\n2\n"
        files[f"{root}/{split}/subject_{split}.txt"] = "3\n4\n"
        for sensor in ("body_acc", "body_gyro", "total_acc"):
            for axis in "xyz":
                files[f"{root}/{split}/Inertial Signals/{sensor}_{axis}_{split}.txt"] = "0.5 1 2\n3 4 5\n"
    return files


def zipped(files: dict[str, str] | dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that `fetch ucihar` downloads: a zip within a zip, served by a server without ranges."""
    monkeypatch.setenv("no_proxy", "*")
    served = tmp_path / "served"
    served.mkdir()
    inner = zipped(uci_folder() | {"__MACOSX/._x": "rubbish"})
    (served / "set.zip").write_bytes(zipped({"UCI HAR Dataset.zip": inner, "UCI HAR Dataset.names": b"about"}))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        entry = replace(CATALOGUE["ucihar"], url=f"http://127.0.0.1:{server.server_port}/set.zip")
        monkeypatch.setitem(CATALOGUE, "ucihar", entry)
        yield served / "set.zip"
        server.shutdown()


def test_home_is_a_variable_or_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert home() == tmp_path / "home"
    monkeypatch.delenv("MOTET_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == tmp_path / ".cache" / "motet"


def test_every_entry_says_what_it_is_and_how_to_come_by_it() -> None:
    assert list(CATALOGUE) == ["wearables", "digits", "ucihar", "mvsa_single"]
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert entry.about
        assert entry.terms
        assert entry.obtain
        assert (entry.url is not None) == (entry.kind == "download")
        assert (entry.convert is not None) == (entry.kind != "built-in")


def test_wearables() -> None:
    data = open_dataset("wearables", clients=3, seed=5, modalities=["gyro", "acc"])
    assert list(data.modalities) == ["acc", "gyro"]
    assert data.client is not None
    assert set(data.client[data.split == 0].tolist()) == {0, 1, 2}
    assert (data.y != open_dataset("wearables", clients=3, seed=6).y).any()
    default = open_dataset("wearables")
    assert default.client is not None
    assert len(np.unique(default.client[default.split == 0])) == 20


def test_digits() -> None:
    data = open_dataset("digits", seed=1)
    assert data.name == "digits"
    assert (data.split != open_dataset("digits", seed=2).split).any()


def test_a_file(tmp_path: Path) -> None:
    save(small(), tmp_path / "own.npz")
    for name in ("own.npz", tmp_path / "own.npz", str(tmp_path / "own.npz"), "./own.npz"):
        assert len(open_dataset(name).y) == 20
    assert list(open_dataset("own.npz", modalities=["right"]).modalities) == ["right"]
    with pytest.raises(InputError, match="left"):
        open_dataset("own.npz", modalities=["lefd"])


def test_the_seed_draws_a_missing_split(tmp_path: Path) -> None:
    save(small(100), tmp_path / "own.npz")
    with np.load("own.npz") as stored:
        np.savez(tmp_path / "own.npz", **{key: stored[key] for key in stored.files if key != "split"})
    assert (open_dataset("own.npz", seed=1).split != open_dataset("own.npz", seed=2).split).any()


def test_archives_in_the_home_go_by_their_names(own_home: Path) -> None:
    save(small(), own_home / "ucihar.npz")
    save(small(), own_home / "kitchen.npz")
    assert open_dataset("ucihar").name == "ucihar"
    assert open_dataset("kitchen").name == "kitchen"
    with pytest.raises(InputError, match="did you mean 'kitchen'"):
        open_dataset("kitchn")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ucihar", ("not on this machine", "`motet data fetch ucihar`", "`motet data make ucihar FOLDER`")),
        ("mvsa_single", ("not on this machine", "ask its authors", "`motet data make mvsa_single FOLDER`")),
        ("wearable", ("unknown data set 'wearable'", "did you mean 'wearables'")),
        ("xyz", ("unknown data set 'xyz'", "digits, mvsa_single, ucihar, wearables")),
        ("none.npz", ("none.npz", "no such file")),
        ("folder/none", ("folder/none", "no such file")),
        ("/", ("is a folder",)),
        ("", ("is a folder",)),
        ("a\0b", ("unknown data set",)),
    ],
)
def test_what_is_not_there(name: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        open_dataset(name)
    for part in parts:
        assert part in str(caught.value)


def test_find() -> None:
    assert find("ucihar").kind == "download"
    with pytest.raises(InputError, match="did you mean 'ucihar'"):
        find("uci-har")


def test_obtain_downloads_unpacks_and_converts(download: Path, own_home: Path) -> None:
    steps: list[str] = []

    def step(name: str) -> catalogue.Progress:
        steps.append(name)
        return lambda done, total: None

    fetched = obtain("ucihar", step)
    sha256 = hashlib.sha256(download.read_bytes()).hexdigest()
    assert fetched.path == archive_of("ucihar") == own_home / "ucihar.npz"
    assert fetched.sha256 == sha256
    assert steps == ["download", "unpack", "unpack", "convert"]
    data = open_dataset("ucihar")
    assert data.classes == ("walking", "sitting")
    assert data.take(np.array([1]))["gyro"][0, 2].tolist() == [3, 4, 5]
    assert (own_home / "ucihar.zip.sha256").read_text().split() == [sha256, CATALOGUE["ucihar"].url]
    assert sorted(p.name for p in own_home.iterdir()) == ["ucihar.npz", "ucihar.zip.sha256"]


def test_a_download_is_not_repeated_after_a_failed_conversion(
    download: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = CATALOGUE["ucihar"]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(CATALOGUE, "ucihar", replace(entry, convert=stop))
    with pytest.raises(KeyboardInterrupt):
        obtain("ucihar")
    assert sorted(p.name for p in own_home.iterdir()) == ["ucihar.zip", "ucihar.zip.sha256"]
    monkeypatch.setitem(CATALOGUE, "ucihar", entry)
    download.unlink()
    obtain("ucihar")
    assert open_dataset("ucihar").classes == ("walking", "sitting")


def test_a_damaged_download_is_removed(download: Path, own_home: Path) -> None:
    whole = download.read_bytes()
    download.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged or no zip file"):
        obtain("ucihar")
    assert sorted(p.name for p in own_home.iterdir()) == ["ucihar.zip.sha256"]
    download.write_bytes(whole)
    obtain("ucihar")


def test_a_known_checksum_is_held_to(download: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "ucihar", replace(CATALOGUE["ucihar"], sha256="0" * 64))
    with pytest.raises(InputError, match="was removed"):
        obtain("ucihar")
    assert list(own_home.iterdir()) == []


@pytest.mark.parametrize(("name", "part"), [("digits", "built in"), ("mvsa_single", "ask its authors")])
def test_what_cannot_be_fetched(name: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        obtain(name)


def test_summary() -> None:
    summary = summarise(small())
    assert summary["samples"] == {"train": 14, "validation": 0, "test": 6, "all": 20}
    assert summary["classes"] == {label: {"train": 7, "validation": 0, "test": 3} for label in "ab"}
    assert summary["clients"] == {"train": 5, "validation": 0, "test": 5, "all": 5}
    assert summary["modalities"]["right"] == {
        "kind": "vector",
        "shape": [3],
        "rate_hz": None,
        "unit": None,
        "present": 0.75,
    }
    assert summary["ordered"] is False
    assert summary["notes"] == []


def test_notes_of_a_summary() -> None:
    data = small()
    photo = Modality("photo", "image", (32, 3, 32))
    odd = replace(
        data,
        classes=("a", "b", "c"),
        modalities=data.modalities | {"photo": photo},
        client=None,
        present={"right": data.split == 2},
    )
    notes = summarise(odd)["notes"]
    assert notes[:2] == ["no training sample of c", "no test sample of c"]
    assert "photo" in notes[3]
    assert "channels came first" in notes[3]
    assert notes[2] == "right is present in no training sample"
    assert summarise(odd)["clients"] is None


def test_opening_data_does_not_import_torch() -> None:
    use = "import sys, motet.data.catalogue as c; c.open_dataset('wearables', clients=2)"
    code = f"{use}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
