"""The archive: what is read back, and the one sentence that every bad file gets."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motet.data.archive import load, npz, save
from motet.data.dataset import TEST, TRAIN, VALIDATION, ArrayDataset, Modality
from motet.data.holdout import hold_out_validation
from motet.errors import InputError

N = 12
Contents = dict[str, Any]
META = {
    "format": "motet-archive/1",
    "modalities": {
        "acc": {"kind": "signal", "rate_hz": 50, "unit": "g"},
        "photo": {"kind": "image"},
        "words": {"kind": "tokens", "vocabulary": 9, "pad": 0, "unknown": 1},
        "body": {"kind": "vector"},
    },
    "classes": ["still", "moving", "falling"],
    "source": "made up",
    "terms": "none",
}


def contents() -> Contents:
    rng = np.random.default_rng(0)
    return {
        "x.acc": rng.normal(size=(N, 3, 10)).astype(np.float16),
        "x.photo": rng.integers(0, 256, (N, 5, 4, 3)).astype(np.uint8),
        "x.words": rng.integers(0, 9, (N, 6)).astype(np.uint16),
        "x.body": rng.normal(size=(N, 7)),
        "y": np.arange(N) % 3,
        "client": np.repeat([4, 7, 9], 4),
        "split": np.array([0] * 8 + [2] * 4, dtype=np.uint8),
        "time": np.arange(N) * 0.5,
        "present.acc": np.arange(N) % 4 > 0,
        "meta": np.array(json.dumps(META)),
    }


def described(**changes: Any) -> np.ndarray:
    return np.array(json.dumps(META | changes))


def with_acc(**changes: Any) -> np.ndarray:
    return described(modalities=META["modalities"] | {"acc": {"kind": "signal"} | changes})


def written(folder: Path, arrays: Contents) -> Path:
    path = folder / "gestures.npz"
    np.savez_compressed(path, **arrays)
    return path


def refused(path: Path, *parts: str) -> str:
    with pytest.raises(InputError) as caught:
        load(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    for part in parts:
        assert part in sentence
    return sentence


def npy_bytes(header: str, payload: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + payload


def rezipped(path: Path, key: str, data: bytes, **how: Any) -> Path:
    """Replace the bytes of one member."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    members[f"{key}.npy"] = data
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, member in members.items():
            new.writestr(name, member, **how)
    return path


def test_kinds_become_what_networks_see(tmp_path: Path) -> None:
    raw = contents()
    data = load(written(tmp_path, raw))

    assert (data.name, data.classes, data.source, data.terms) == (
        "gestures",
        ("still", "moving", "falling"),
        "made up",
        "none",
    )
    assert list(data.modalities) == ["acc", "photo", "words", "body"]
    assert data.modalities["acc"] == Modality("acc", "signal", (3, 10), 50.0, "g")
    assert data.modalities["photo"].shape == (3, 5, 4)
    assert data.modalities["words"] == Modality("words", "tokens", (6,), vocabulary=9, pad=0, unknown=1)
    assert {m: x.dtype for m, x in data.x.items()} == {
        "acc": np.float32,
        "photo": np.float32,
        "words": np.int64,
        "body": np.float32,
    }
    np.testing.assert_array_equal(data.x["photo"][3, 2, 4, 1], np.float32(raw["x.photo"][3, 4, 1, 2]) / np.float32(255))
    np.testing.assert_array_equal(data.x["words"], raw["x.words"])
    np.testing.assert_array_equal(data.x["acc"][1], raw["x.acc"][1].astype(np.float32))
    np.testing.assert_array_equal(data.time, raw["time"])
    np.testing.assert_array_equal(data.client, raw["client"])
    np.testing.assert_array_equal(data.split, raw["split"])
    assert (data.y.dtype, data.client.dtype, data.split.dtype, data.time.dtype) == (
        np.int64,
        np.int64,
        np.uint8,
        np.float64,
    )


def test_values_of_an_absent_modality_mean_nothing(tmp_path: Path) -> None:
    raw = contents()
    raw["x.acc"][~raw["present.acc"]] = np.nan
    raw["present.words"] = np.arange(N) != 5
    raw["x.words"][5] = 99
    raw["meta"] = described(
        modalities=META["modalities"] | {"words": {"kind": "tokens", "vocabulary": 9, "pad": 2, "unknown": 3}}
    )
    data = load(written(tmp_path, raw))
    assert not data.x["acc"][~raw["present.acc"]].any()
    assert (data.x["words"][5] == 2).all()
    np.testing.assert_array_equal(data.present["acc"], raw["present.acc"])
    assert data.present["body"].all()


def test_real_images_stay_as_they_are_and_integers_are_scaled(tmp_path: Path) -> None:
    raw = contents()
    pixels = raw["x.photo"]
    whole = load(written(tmp_path, raw | {"x.photo": pixels.astype(np.int64)})).x["photo"]
    real = load(written(tmp_path, raw | {"x.photo": pixels.astype(np.float64) - 100})).x["photo"]
    np.testing.assert_array_equal(whole, np.moveaxis(pixels.astype(np.float32) / np.float32(255), -1, 1))
    np.testing.assert_array_equal(real, np.moveaxis(pixels.astype(np.float32) - 100, -1, 1))


def test_a_signalling_nan(tmp_path: Path) -> None:
    """A NaN that complains when it is converted."""
    raw = contents()
    raw["x.acc"].view(np.uint16)[2, 1, 3] = 0x7C01
    refused(written(tmp_path, raw), "x.acc has 1 NaN or infinite value", "(2, 1, 3)")
    raw = contents()
    raw["time"].view(np.uint64)[3] = 0x7FF0000000000001
    raw["x.body"].view(np.uint64)[3, 1] = 0x7FF0000000000001
    refused(written(tmp_path, raw), "time has 1 NaN")
    del raw["time"]
    refused(written(tmp_path, raw), "x.body has 1 NaN")


def test_five_lines_are_enough(tmp_path: Path) -> None:
    meta = {"format": "motet-archive/1", "modalities": {"acc": {"kind": "signal"}}, "classes": ["a", "b"]}
    x = np.random.default_rng(0).normal(size=(50, 3, 16))
    np.savez(tmp_path / "own.npz", **{"x.acc": x, "y": np.arange(50) % 2, "meta": json.dumps(meta)})
    data = load(tmp_path / "own.npz")
    assert data.client is None
    assert data.time is None
    assert data.x["acc"].shape == (50, 3, 16)


def test_foreign_byte_order_and_fortran_order(tmp_path: Path) -> None:
    raw = contents()
    expected = load(written(tmp_path, raw))
    raw["x.body"] = np.asfortranarray(raw["x.body"].astype(">f8"))
    raw["y"] = raw["y"].astype(">i2")
    data = load(written(tmp_path, raw))
    np.testing.assert_array_equal(data.x["body"], expected.x["body"])
    np.testing.assert_array_equal(data.y, expected.y)


# ---- one sentence for every bad file


def _set(key: str, value: Any) -> Callable[[Contents], None]:
    def change(raw: Contents) -> None:
        raw[key] = value

    return change


def _put(key: str, index: Any, value: Any) -> Callable[[Contents], None]:
    def change(raw: Contents) -> None:
        raw[key] = raw[key].astype(np.float64) if isinstance(value, float) else raw[key].astype(np.int64)
        raw[key][index] = value

    return change


def _drop(key: str) -> Callable[[Contents], None]:
    def change(raw: Contents) -> None:
        del raw[key]

    return change


def _empty(raw: Contents) -> None:
    for key in raw:
        if key != "meta":
            raw[key] = raw[key][:0]


def _nothing_present(raw: Contents) -> None:
    for m in META["modalities"]:
        raw[f"present.{m}"] = np.arange(N) != 7


TOKENS = META["modalities"] | {"words": {"kind": "tokens"}}
BAD: dict[str, tuple[Callable[[Contents], None], tuple[str, ...]]] = {
    "object array": (
        _set("x.body", np.array([{"a": 1}] * N, dtype=object)),
        ("x.body", "Python objects", "never unpickled"),
    ),
    "object labels": (_set("y", np.array([1, "a"] * 6, dtype=object)), ("y holds Python objects",)),
    "structured": (_set("x.body", np.zeros(N, dtype=[("a", "f4")])), ("x.body", "plain array of numbers")),
    "strings": (_set("x.body", np.full((N, 3), "a")), ("x.body", "real numbers or integers", "<U1")),
    "complex": (_set("x.acc", np.zeros((N, 3, 10), dtype=complex)), ("x.acc", "complex128")),
    "booleans": (_set("x.body", np.zeros((N, 3), dtype=bool)), ("x.body", "bool")),
    "short modality": (_set("x.acc", np.zeros((N - 1, 3, 10))), ("x.acc", "one entry per sample", "12", "(11, 3, 10)")),
    "long client": (_set("client", np.arange(N + 1)), ("client", "(13,)")),
    "scalar client": (_set("client", np.int64(3)), ("client", "()")),
    "square client": (_set("client", np.zeros((N, 2), dtype=int)), ("client", "one axis", "(12, 2)")),
    "square labels": (_set("y", np.zeros((N, 3), dtype=int)), ("y", "one axis", "(12, 3)")),
    "scalar labels": (_set("y", np.int64(1)), ("y", "one axis")),
    "no samples": (_empty, ("y is empty",)),
    "label too large": (_put("y", slice(4, 6), 3), ("y must be 0 to 2", "3 classes", "2 other labels", "sample 4 (3)")),
    "label negative": (_put("y", 2, -1), ("y must be 0 to 2", "sample 2 (-1)")),
    "label huge": (_set("y", np.full(N, 2**64 - 1, dtype=np.uint64)), ("y must hold integers below 2**63",)),
    "real labels": (_set("y", np.zeros(N)), ("y must hold integers", "float64", ".astype(int)")),
    "boolean labels": (_set("y", np.zeros(N, dtype=bool)), ("y must hold integers", "bool")),
    "text labels": (_set("y", np.full(N, "still")), ("y must hold integers",)),
    "real client": (_set("client", np.zeros(N)), ("client must hold integers",)),
    "split 3": (_put("split", 1, 3), ("split", "0 (train), 1 (validation) or 2 (test)", "sample 1 has 3")),
    "real split": (_set("split", np.zeros(N)), ("split must hold integers",)),
    "no test": (_set("split", np.zeros(N, dtype=np.uint8)), ("split has no test sample (2)",)),
    "no train": (_set("split", np.full(N, 2, dtype=np.uint8)), ("split has no train sample (0)",)),
    "nan": (_put("x.body", ([3, 5], [2, 1]), float("nan")), ("x.body has 2 NaN or infinite values", "(3, 2)", "nan")),
    "infinity": (_put("x.acc", (1, 2, 4), float("-inf")), ("x.acc has 1 NaN or infinite value", "(1, 2, 4)", "-inf")),
    "beyond float32": (_put("x.body", (3, 2), 1e300), ("x.body has 1 too large (for float32) value", "(3, 2)")),
    "nan time": (_put("time", 4, float("nan")), ("time has 1 NaN or infinite value", "sample 4")),
    "text time": (_set("time", np.full(N, "noon")), ("time must hold seconds",)),
    "integer presence": (_set("present.acc", np.ones(N, dtype=int)), ("present.acc", "true or false", "int64")),
    "short presence": (_set("present.acc", np.ones(N - 2, dtype=bool)), ("present.acc", "one entry per sample")),
    "nothing present": (_nothing_present, ("present.acc", "1 sample without any modality", "first is 7")),
    "presence of nothing": (_set("present.gps", np.ones(N, dtype=bool)), ("present.gps", "no modality in meta")),
    "array of no modality": (_set("x.gps", np.zeros((N, 2))), ("x.gps", "no modality in meta", "acc, photo")),
    "modality of no array": (_drop("x.words"), ("x.words is missing", "'words'")),
    "no labels": (_drop("y"), ("y is missing",)),
    "unexpected key": (_set("labels", np.zeros(N)), ("'labels' is no key of an archive",)),
    "two axes of a signal": (_set("x.acc", np.zeros((N, 10))), ("x.acc", "(samples, channels, time)", "(12, 10)")),
    "three axes of an image": (_set("x.photo", np.zeros((N, 5, 4))), ("x.photo", "(samples, height, width, channels)")),
    "one axis of a vector": (_set("x.body", np.zeros(N)), ("x.body", "(samples, features)", "(12,)")),
    "zero width": (_set("x.acc", np.zeros((N, 3, 0))), ("x.acc has zero width", "'time'", "(12, 3, 0)")),
    "zero features": (_set("x.body", np.zeros((N, 0))), ("x.body has zero width", "'features'")),
    "token too large": (_put("x.words", (2, 3), 9), ("x.words has 1 value out of range", "(2, 3) (9)", "0 to 8")),
    "token negative": (_put("x.words", (2, 3), -4), ("x.words has 1 value out of range", "(2, 3) (-4)", "0 to 8")),
    "real tokens": (_set("x.words", np.zeros((N, 6))), ("x.words", "integer ids", "float64")),
    "integer image too bright": (
        _put("x.photo", (1, 2, 3, 0), 256),
        ("x.photo has 1 value out of range", "(256)", "0 to 255"),
    ),
    "integer image negative": (
        _put("x.photo", (1, 2, 3, 0), -1),
        ("x.photo has 1 value out of range", "(-1)", "0 to 255"),
    ),
    "no meta": (_drop("meta"), ("meta is missing", "motet-archive/1")),
    "meta of numbers": (_set("meta", np.array(4)), ("meta must be one text", "int64")),
    "meta in a list": (_set("meta", np.array([json.dumps(META)])), ("meta must be one text", "(1,)")),
    "meta not JSON": (_set("meta", np.array("{format: 1}")), ("meta is not JSON",)),
    "meta too deep": (_set("meta", np.array("[" * 100_000)), ("meta is not JSON",)),
    "meta bytes": (_set("meta", np.array(b"\xff\xfe{")), ("meta is not valid Unicode",)),
    "meta a list": (_set("meta", np.array("[1]")), ("meta must be a JSON object, not a list",)),
    "no format": (_set("meta", described(format=None)), ("meta must have format 'motet-archive/1'", "None")),
    "another format": (_set("meta", described(format="motet-archive/2")), ("motet-archive/1", "'motet-archive/2'")),
    "no modalities": (_set("meta", described(modalities={})), ("meta must name at least one modality",)),
    "modalities in a list": (_set("meta", described(modalities=["acc"])), ("meta must name at least one modality",)),
    "modality of text": (_set("meta", described(modalities={"acc": "signal"})), ("'acc'", "not text")),
    "odd name": (_set("meta", described(modalities={"a,b": {"kind": "signal"}})), ("'a,b'", "letters, digits")),
    "unknown kind": (_set("meta", with_acc(kind="signals")), ("unknown kind", "'acc'", "'signals'", "'signal'")),
    "kind of a number": (_set("meta", with_acc(kind=3)), ("unknown kind", "vector")),
    "no kind": (_set("meta", described(modalities={"acc": {}})), ("unknown kind", "None")),
    "negative rate": (_set("meta", with_acc(rate_hz=-5)), ("rate_hz must be a number above 0", "-5")),
    "rate of text": (_set("meta", with_acc(rate_hz="50 Hz")), ("rate_hz must be a number", "'50 Hz'")),
    "rate NaN": (_set("meta", with_acc(rate_hz=float("nan"))), ("rate_hz must be a number",)),
    "rate beyond floats": (_set("meta", with_acc(rate_hz=10**400)), ("rate_hz must be a number",)),
    "unit of a number": (_set("meta", with_acc(unit=3)), ("unit must be text, not a number",)),
    "no vocabulary": (_set("meta", described(modalities=TOKENS)), ("'words': vocabulary must be", "None")),
    "vast vocabulary": (
        _set("meta", described(modalities=TOKENS | {"words": {"kind": "tokens", "vocabulary": 10**12}})),
        ("vocabulary must be the number of ids, 1 to 10,000,000",),
    ),
    "pad outside": (
        _set("meta", described(modalities=TOKENS | {"words": {"kind": "tokens", "vocabulary": 9, "pad": 9}})),
        ("pad must be an id from 0 to 8, not 9",),
    ),
    "one class": (_set("meta", described(classes=["a"])), ("classes must be a list of at least two",)),
    "no classes": (_set("meta", described(classes=None)), ("classes must be a list of at least two",)),
    "class twice": (_set("meta", described(classes=["a", "b", "a"])), ("classes names 'a' twice",)),
    "class of a number": (_set("meta", described(classes=[1, 2, 3])), ("classes must be names, not 1",)),
    "class that clears the screen": (_set("meta", described(classes=["a", "\x1b[2J"])), ("classes must be names",)),
    "source of a number": (_set("meta", described(source=3)), ("source must be text",)),
}


@pytest.mark.parametrize("case", BAD)
def test_one_sentence_names_file_key_and_what_was_expected(case: str, tmp_path: Path) -> None:
    change, parts = BAD[case]
    raw = contents()
    change(raw)
    refused(written(tmp_path, raw), *parts)


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.npz", "no such file")


def test_folder(tmp_path: Path) -> None:
    refused(tmp_path, "is a folder", "motet data make")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    path = written(tmp_path, contents())
    path.chmod(0)
    refused(path, "permissions")


@pytest.mark.parametrize("text", [b"", b"x", b"y,client\n1,2\n", np.lib.format.MAGIC_PREFIX + b"\x01\x00"])
def test_not_a_zip(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "table.npz"
    path.write_bytes(text)
    refused(path, "not a zip file", "savez_compressed")


def test_truncated(tmp_path: Path) -> None:
    path = written(tmp_path, contents())
    whole = path.read_bytes()
    for length in range(4, len(whole), 97):
        path.write_bytes(whole[:length])
        refused(path, "cut short")


def test_a_flipped_bit_in_the_samples_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, contents())
    with zipfile.ZipFile(path) as file:
        at = file.getinfo("x.acc.npy").header_offset + 300
    damaged = bytearray(path.read_bytes())
    damaged[at] ^= 16
    path.write_bytes(damaged)
    refused(path, "x.acc cannot be read", "damaged")


def test_a_member_that_is_no_array(tmp_path: Path) -> None:
    path = written(tmp_path, contents())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("readme.txt", "hello")
    refused(path, "'readme.txt'", "no array of an archive")


def test_a_name_that_breaks_the_sentence(tmp_path: Path) -> None:
    path = rezipped(written(tmp_path, contents()), "x.bo\n\x1b[2Jdy", b"")
    refused(path, r"'x.bo\n\x1b[2Jdy.npy'")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice(tmp_path: Path) -> None:
    path = written(tmp_path, contents())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("y.npy", file.read("y.npy"))
    refused(path, "'y' twice")


def test_a_compression_that_numpy_does_not_write(tmp_path: Path) -> None:
    path = rezipped(written(tmp_path, contents()), "spare", b"", compress_type=zipfile.ZIP_LZMA)
    refused(path, "compressed in a way")


# ---- files made to exhaust memory are refused by the zip directory and the headers alone


@pytest.fixture
def nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that reads more of a file than its `meta`."""
    read = npz.Npz.read

    def only_meta(self: npz.Npz, key: str) -> Any:
        assert key == "meta"
        return read(self, key)

    monkeypatch.setattr(npz.Npz, "read", only_meta)


@pytest.mark.usefixtures("nothing_is_read")
@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (12, 7)}", ("x.body should take", "8,000,")),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (12, 10**9)}", ("x.body",)),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (12, 1000000000000)}", ("x.body should take 48,000,",)),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (12, -7)}", ("x.body", "(12, -7)")),
        ("{'descr': '|V0', 'fortran_order': False, 'shape': (12, 7)}", ("x.body", "plain array of numbers")),
    ],
)
def test_a_member_larger_than_its_header_says(tmp_path: Path, header: str, parts: tuple[str, ...]) -> None:
    path = rezipped(written(tmp_path, contents()), "x.body", npy_bytes(header, bytes(8_000_000)))
    refused(path, *parts)


@pytest.mark.usefixtures("nothing_is_read")
def test_an_honest_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, contents() | {"x.body": np.zeros((N, 1_000_000))})
    assert path.stat().st_size < 500_000
    monkeypatch.setattr(npz, "LIMIT", 2**26)
    refused(path, "GiB of memory", "Motet reads from one file")


@pytest.mark.usefixtures("nothing_is_read")
def test_a_bomb_that_grows_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, contents() | {"x.photo": np.zeros((N, 500, 500, 1), dtype=np.uint8)})
    monkeypatch.setattr(npz, "LIMIT", 2**23)
    refused(path, "GiB of memory")


def test_a_limit_beyond_the_machine_is_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "_memory", lambda: 1000)
    refused(written(tmp_path, contents()), "GiB of memory")


def test_negative_sizes_that_multiply_to_the_right_one(tmp_path: Path) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({N}, -3, -10)}}"
    path = rezipped(written(tmp_path, contents()), "x.acc", npy_bytes(header, bytes(N * 3 * 10 * 4)))
    refused(path, "x.acc", "(12, -3, -10)", "plain array of numbers")


@pytest.mark.parametrize("size", [2**33, 2**31, 100])
def test_a_directory_that_lies(tmp_path: Path, size: int) -> None:
    """The directory's size of a member is changed, and the header of the member with it."""
    path = written(tmp_path, contents())
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({N}, {size // N}), }}"
    rezipped(path, "x.body", npy_bytes(header, bytes(5000)))
    whole = bytearray(path.read_bytes())
    entry = whole.rfind(b"x.body.npy") - 46
    assert whole[entry : entry + 4] == b"PK\x01\x02"
    struct.pack_into("<I", whole, entry + 24, min(len(npy_bytes(header)) + size // N * N, 2**32 - 2))
    path.write_bytes(whole)
    refused(path, "x.body", "damaged")


@pytest.mark.parametrize(
    "header", ["{'descr': '<f4'}", "(" * 3000, "{'descr': 'O'}", "\x00", "{" + "1:" * 300, "9" * 5000]
)
def test_a_header_of_rubbish(tmp_path: Path, header: str) -> None:
    refused(rezipped(written(tmp_path, contents()), "x.body", npy_bytes(header)), "x.body cannot be read")


def test_a_header_of_rubbish_does_not_warn(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """A header is parsed as Python, which has an opinion on this escape."""
    refused(rezipped(written(tmp_path, contents()), "x.body", npy_bytes("{'\\e'}")), "x.body cannot be read")
    assert not list(recwarn)


@pytest.mark.parametrize(
    "member", [b"", b"PK", b"\x93NUMPY", b"\x93NUMPY\x09\x00\x10\x00", b"\x93NUMPY\x02\x00\xff\xff\xff\xff"]
)
def test_a_member_of_rubbish(tmp_path: Path, member: bytes) -> None:
    refused(rezipped(written(tmp_path, contents()), "x.body", member), "x.body cannot be read")


@pytest.mark.parametrize("point", [0x110000, 0xD800, 0xFFFFFFFF])
@pytest.mark.parametrize("order", ["<", ">"])
def test_text_beyond_unicode(tmp_path: Path, point: int, order: str) -> None:
    """numpy makes a string of it that crashes later, in the middle of a sentence."""
    points = [ord(c) for c in json.dumps(META)]
    points[points.index(ord("k"))] = point
    header = f"{{'descr': '{order}U{len(points)}', 'fortran_order': False, 'shape': (), }}"
    member = npy_bytes(header, struct.pack(f"{order}{len(points)}I", *points))
    refused(rezipped(written(tmp_path, contents()), "meta", member), "meta is not valid Unicode")


@pytest.mark.parametrize("type_", [">U2000", "<U2000", "S2000"])
def test_meta_in_other_types(tmp_path: Path, type_: str) -> None:
    meta = np.array(json.dumps(META | {"source": "ours"}), dtype=type_)
    assert load(written(tmp_path, contents() | {"meta": meta})).source == "ours"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_corrupt_bytes_give_the_data_or_one_sentence(data: st.DataObject, tmp_path: Path) -> None:
    """Never another exception: the file loads as before, or differs where no checksum reaches, or is refused."""
    path = written(tmp_path, contents())
    damaged = bytearray(path.read_bytes())
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), min_size=1, max_size=8)
    ):
        damaged[at] = value
    cut = data.draw(st.one_of(st.just(len(damaged)), st.integers(0, len(damaged))))
    path.write_bytes(damaged[:cut])
    try:
        load(path)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_corrupt_members_give_the_data_or_one_sentence(data: st.DataObject, tmp_path: Path) -> None:
    """As above behind valid checksums: the damage reaches the arrays and their headers."""
    raw = contents()
    key = data.draw(st.sampled_from(sorted(raw)))
    buffer = io.BytesIO()
    np.save(buffer, raw[key])
    damaged = bytearray(buffer.getvalue())
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, min(len(damaged) - 1, 200)), st.integers(0, 255)), min_size=1, max_size=4)
    ):
        damaged[at] = value
    path = rezipped(written(tmp_path, raw), key, bytes(damaged))
    try:
        load(path)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


# ---- splits


def many(n: int, **arrays: Any) -> Contents:
    rng = np.random.default_rng(1)
    meta = {"format": "motet-archive/1", "modalities": {"v": {"kind": "vector"}}, "classes": ["a", "b", "c"]}
    return {"x.v": rng.normal(size=(n, 2)), "y": np.arange(n) % 3, "meta": np.array(json.dumps(meta))} | arrays


def test_without_a_split_a_seeded_fifth_of_each_class_is_test(tmp_path: Path) -> None:
    path = written(tmp_path, many(150))
    data = load(path)
    assert np.bincount(data.y[data.split == TEST]).tolist() == [10, 10, 10]
    assert set(data.split.tolist()) == {TRAIN, TEST}
    np.testing.assert_array_equal(load(path).split, data.split)
    assert (load(path, seed=1).split != data.split).any()


def test_a_class_of_one_sample_is_trained_on(tmp_path: Path) -> None:
    y = np.array([0, 0, 1, 1, 1, 2])
    data = load(written(tmp_path, many(6, y=y)))
    assert np.bincount(y[data.split == TEST], minlength=3).tolist() == [1, 1, 0]
    refused(written(tmp_path, many(3, y=np.arange(3))), "no class has two samples")


def test_validation_is_whole_clients_where_train_and_test_are_different_people(tmp_path: Path) -> None:
    client = np.repeat(np.arange(100, 120), 6)
    data = load(written(tmp_path, many(120, client=client, split=np.where(client < 115, 0, 2))))
    held = hold_out_validation(data, 3)
    people = np.unique(client[held.split == VALIDATION])
    assert len(people) == 3
    assert not np.isin(client[held.split == TRAIN], people).any()
    np.testing.assert_array_equal(held.split == TEST, data.split == TEST)
    assert (data.split != VALIDATION).all()
    np.testing.assert_array_equal(held.split, hold_out_validation(data, 3).split)
    assert (held.split != hold_out_validation(data, 4).split).any()


def test_at_least_two_clients_validate(tmp_path: Path) -> None:
    client = np.repeat(np.arange(5), 6)
    data = load(written(tmp_path, many(30, client=client, split=np.where(client < 4, 0, 2))))
    assert len(np.unique(client[hold_out_validation(data, 0).split == VALIDATION])) == 2


@pytest.mark.parametrize("client", [None, np.arange(150) % 9, np.repeat([0, 1, 2], [60, 60, 30])])
def test_otherwise_validation_is_a_fifth_of_each_class(client: np.ndarray | None, tmp_path: Path) -> None:
    """No clients; clients in both splits; too few clients to spare two."""
    split = np.repeat([0, 2], [120, 30])
    raw = many(150, split=split) | ({} if client is None else {"client": client})
    held = hold_out_validation(load(written(tmp_path, raw)), 0)
    assert np.bincount(held.y[held.split == VALIDATION]).tolist() == [8, 8, 8]
    assert (held.split[120:] == TEST).all()


def test_validation_that_is_there_stays(tmp_path: Path) -> None:
    data = load(written(tmp_path, many(150, split=np.arange(150) % 3)))
    assert hold_out_validation(data, 0) is data


def test_nothing_to_validate_on(tmp_path: Path) -> None:
    data = load(written(tmp_path, many(6, y=np.arange(6) % 3, split=np.repeat([0, 2], 3))))
    with pytest.raises(InputError, match="none can be held out"):
        hold_out_validation(data, 0)


# ---- saving


def same(a: ArrayDataset, b: ArrayDataset) -> None:
    assert (a.modalities, a.classes, a.source, a.terms) == (b.modalities, b.classes, b.source, b.terms)
    assert list(a.modalities) == list(b.modalities)
    for one, other in [
        (a.y, b.y),
        (a.split, b.split),
        (a.client, b.client),
        (a.time, b.time),
        *((a.x[m], b.x[m]) for m in a.modalities),
        *((a.present[m], b.present[m]) for m in a.modalities),
    ]:
        np.testing.assert_array_equal(one, other)
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None)


TEXT = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=8)


@st.composite
def datasets(draw: st.DrawFn) -> ArrayDataset:
    n = draw(st.integers(2, 6))
    dims = st.integers(1, 4)
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    modalities: dict[str, Modality] = {}
    x: dict[str, Any] = {}
    names = draw(st.lists(st.sampled_from(["acc", "gyro_2", "photo", "heart rate", "é"]), min_size=1, unique=True))
    for name in names:
        kind = draw(st.sampled_from(["signal", "image", "tokens", "vector"]))
        shape = tuple(draw(dims) for _ in range({"signal": 2, "image": 3}.get(kind, 1)))
        if kind == "tokens":
            vocabulary = draw(st.integers(2, 70_000))
            modalities[name] = Modality(name, kind, shape, vocabulary=vocabulary, pad=1, unknown=0)
            x[name] = draw(hnp.arrays(np.int64, (n, *shape), elements=st.integers(0, vocabulary - 1)))
        else:
            rate = draw(st.none() | st.floats(0.1, 1e5))
            modalities[name] = Modality(name, kind, shape, rate, draw(st.none() | TEXT))
            pixels = st.integers(0, 255).map(lambda p: float(np.float32(p) / np.float32(255)))
            x[name] = draw(hnp.arrays(np.float32, (n, *shape), elements=pixels if draw(st.booleans()) else finite))
    always = draw(st.sampled_from(names))
    present = {m: draw(hnp.arrays(bool, n)) | (m == always) for m in names}
    for m, flags in present.items():
        x[m][~flags] = modalities[m].pad if modalities[m].kind == "tokens" else 0
    classes = tuple(draw(st.lists(TEXT, min_size=2, max_size=4, unique=True)))
    return ArrayDataset(
        name="gestures",
        modalities=modalities,
        classes=classes,
        y=draw(hnp.arrays(np.int64, n, elements=st.integers(0, len(classes) - 1))),
        split=np.array([0, 2, *draw(st.lists(st.integers(0, 2), min_size=n - 2, max_size=n - 2))], dtype=np.uint8),
        x=x,
        client=draw(st.none() | hnp.arrays(np.int64, n)),
        time=draw(st.none() | hnp.arrays(np.float64, n, elements=st.floats(-1e9, 1e9))),
        present=present,
        source=draw(TEXT),
        terms=draw(TEXT),
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dataset=datasets())
def test_what_is_saved_is_loaded(dataset: ArrayDataset, tmp_path: Path) -> None:
    path = tmp_path / "gestures.npz"
    save(dataset, path)
    same(load(path), dataset)


def test_values_are_stored_in_the_smallest_type_that_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "again.npz"
    save(load(written(tmp_path, contents())), path)
    with np.load(path) as stored:
        types = {key: stored[key].dtype for key in stored.files if key.startswith("x.")}
    assert types == {"x.acc": np.float16, "x.photo": np.uint8, "x.words": np.uint8, "x.body": np.float32}


def test_equal_datasets_give_equal_bytes(tmp_path: Path) -> None:
    data = load(written(tmp_path, contents()))
    save(data, tmp_path / "a" / "one.npz")
    save(load(tmp_path / "a" / "one.npz"), tmp_path / "two.npz")
    assert (tmp_path / "a" / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def _nan(data: ArrayDataset) -> ArrayDataset:
    x = data.x["acc"].copy()
    x[1, 0, 0] = np.nan
    return replace(data, x=data.x | {"acc": x})


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (_nan, "x.acc has 1 NaN or infinite value,"),
        (lambda d: replace(d, y=d.y + 1), "y must be 0 to 2"),
        (lambda d: replace(d, split=d.split * 0), "no test sample"),
        (lambda d: replace(d, x=d.x | {"acc": d.x["acc"][:, 0]}), "x.acc must hold numbers in shape (12, 3, 10)"),
        (lambda d: replace(d, x=d.x | {"body": d.x["body"].astype(object)}), "x.body must hold numbers"),
        (lambda d: replace(d, client=d.client.astype(object)), "client holds Python objects"),
        (lambda d: replace(d, modalities={"a,b": Modality("a,b", "vector", (7,))}, x={"a,b": d.x["body"]}), "'a,b'"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(spoil: Any, part: str, tmp_path: Path) -> None:
    path = tmp_path / "out.npz"
    path.write_text("the old file")
    data = load(written(tmp_path, contents()))
    with pytest.raises(InputError) as caught:
        save(spoil(data), path)
    assert part in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert path.read_text() == "the old file"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gestures.npz", "out.npz"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        save(load(written(tmp_path, contents())), tmp_path / "file" / "out.npz")


# ---- real archives


def real(name: str) -> Path:
    folder = os.environ.get("MOTET_DATA")
    path = Path(folder or ".") / name
    if not folder or not path.is_file():
        pytest.skip(f"set MOTET_DATA to a folder that holds {name}")
    return path


@pytest.mark.parametrize(
    ("name", "shapes", "validation_clients"),
    [
        ("ucihar.npz", {"body_acc": (3, 128), "gyro": (3, 128), "total_acc": (3, 128)}, 4),
        ("phonewatch.npz", dict.fromkeys(("phone_acc", "phone_gyro", "watch_acc", "watch_gyro"), (3, 64)), None),
        ("avdigits.npz", {"audio": (32, 64), "image": (1, 28, 28)}, None),
        ("mvsa_single.npz", {"image": (3, 40, 40), "text": (32,)}, None),
    ],
)
def test_real_archives(name: str, shapes: Any, validation_clients: int | None, tmp_path: Path) -> None:
    data = load(real(name))
    assert {m: spec.shape for m, spec in data.modalities.items()} == shapes
    held = hold_out_validation(data, 0)
    assert (held.split == VALIDATION).sum() > 0
    if validation_clients and held.client is not None:
        assert len(np.unique(held.client[held.split == VALIDATION])) == validation_clients
    save(data, tmp_path / name)
    same(load(tmp_path / name), data)


def test_a_real_file_that_is_no_archive() -> None:
    refused(real("phonewatch_stream.npz"), "meta is missing")
