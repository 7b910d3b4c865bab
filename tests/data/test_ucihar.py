"""UCI-HAR: a tiny folder in the official layout, and what is said of a folder that is odd."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from motet.data.archive import load
from motet.data.dataset import TEST, TRAIN
from motet.data.ucihar import convert
from motet.errors import InputError

ACTIVITIES = "1 WALKING\n2 WALKING_UPSTAIRS\n3 WALKING_DOWNSTAIRS\n4 SITTING\n5 STANDING\n6 LAYING\n"
PEOPLE = {"train": [1, 1, 3, 3, 5], "test": [2, 4, 4]}
LABELS = {"train": [5, 1, 2, 6, 3], "test": [4, 6, 1]}
TIME = 8


def signal(sensor: str, axis: str, split: str) -> np.ndarray:
    seed = sum(map(ord, sensor + axis + split))
    return np.random.default_rng(seed).normal(size=(len(LABELS[split]), TIME)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`UCI HAR Dataset` with three training people and two test people."""
    root = tmp_path / "UCI HAR Dataset"
    for split, labels in LABELS.items():
        inside = root / split / "Inertial Signals"
        inside.mkdir(parents=True)
        (root / split / f"y_{split}.txt").write_text("".join(f"{label}\n" for label in labels))
        (root / split / f"subject_{split}.txt").write_text("".join(f"{person}\n" for person in PEOPLE[split]))
        for sensor in ("body_acc", "body_gyro", "total_acc"):
            for axis in "xyz":
                rows = signal(sensor, axis, split)
                text = "".join(" ".join(f"{v: .7e}" for v in row) + "\n" for row in rows)
                (inside / f"{sensor}_{axis}_{split}.txt").write_text("  " + text)
    (root / "activity_labels.txt").write_text(ACTIVITIES)
    (root / "README.txt").write_text("not read")
    return root


def test_the_official_split_by_person(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "out.npz")
    data = load(tmp_path / "out.npz")

    assert {m: (spec.kind, spec.shape, spec.rate_hz, spec.unit) for m, spec in data.modalities.items()} == {
        "body_acc": ("signal", (3, TIME), 50.0, "g"),
        "gyro": ("signal", (3, TIME), 50.0, "rad/s"),
        "total_acc": ("signal", (3, TIME), 50.0, "g"),
    }
    assert data.classes == ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "laying")
    assert data.y.tolist() == [4, 0, 1, 5, 2, 3, 5, 0]
    assert data.client is not None
    assert data.client.tolist() == PEOPLE["train"] + PEOPLE["test"]
    assert data.split.tolist() == [TRAIN] * 5 + [TEST] * 3
    for axis, name in enumerate("xyz"):
        np.testing.assert_allclose(data.x["gyro"][:5, axis], signal("body_gyro", name, "train"), rtol=1e-6)
        np.testing.assert_allclose(data.x["body_acc"][5:, axis], signal("body_acc", name, "test"), rtol=1e-6)
        np.testing.assert_allclose(data.x["total_acc"][5:, axis], signal("total_acc", name, "test"), rtol=1e-6)
    assert "commercial" in data.terms


def test_the_folder_around_it_will_do(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "one.npz")
    convert(folder.parent, tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_activities_in_another_order(folder: Path, tmp_path: Path) -> None:
    (folder / "activity_labels.txt").write_text("".join(sorted(ACTIVITIES.splitlines(keepends=True), reverse=True)))
    convert(folder, tmp_path / "out.npz")
    data = load(tmp_path / "out.npz")
    assert data.classes[0] == "laying"
    assert [data.classes[label] for label in data.y[:3]] == ["standing", "walking", "walking_upstairs"]


def test_it_tells_how_far_it_is(folder: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    convert(folder, tmp_path / "out.npz", lambda done, total: told.append((done, total)))
    assert told == [(n, 18) for n in range(1, 19)]


def refused(folder: Path, *parts: str) -> None:
    out = folder.parent / "out.npz"
    with pytest.raises(InputError) as caught:
        convert(folder, out)
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize(
    "missing",
    [
        "activity_labels.txt",
        "train/y_train.txt",
        "test/subject_test.txt",
        "train/Inertial Signals/body_gyro_y_train.txt",
        "test/Inertial Signals/total_acc_z_test.txt",
    ],
)
def test_a_missing_file_names_itself_and_the_layout(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    refused(folder, str(folder / missing), "is missing", "activity_labels.txt", "'Inertial Signals'")


def test_no_folder(tmp_path: Path) -> None:
    refused(tmp_path / "none", "no such folder", "'UCI HAR Dataset'")


ODD = {
    "words among the numbers": ("train/Inertial Signals/body_acc_x_train.txt", "1 2 three\n" * 5, "table of numbers"),
    "ragged": ("train/Inertial Signals/body_acc_x_train.txt", "1 2\n1\n1 2\n1 2\n1 2\n", "table of numbers"),
    "too few windows": ("train/Inertial Signals/body_acc_x_train.txt", "1 2\n1 2\n", "has 2 lines, but there are 5"),
    "empty": ("test/Inertial Signals/body_acc_x_test.txt", "", "has 0 lines, but there are 3"),
    "short axis": ("test/Inertial Signals/body_acc_x_test.txt", "1 2\n" * 3, "different lengths"),
    "label of no activity": ("test/y_test.txt", "4\n7\n1\n", "label 7"),
    "label of a word": ("test/y_test.txt", "4\nSITTING\n1\n", "line 2 should be one whole number"),
    "no labels": ("test/y_test.txt", "", "is empty"),
    "too many people": ("test/subject_test.txt", "2\n4\n4\n4\n", "has 4 lines, but there are 3"),
    "activities without numbers": ("activity_labels.txt", "WALKING\n", "line 1 should be a new number and a name"),
    "activity twice": ("activity_labels.txt", "1 WALKING\n1 SITTING\n", "line 2 should be a new number"),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_file_names_itself_and_what_it_should_hold(folder: Path, case: str) -> None:
    name, text, part = ODD[case]
    (folder / name).write_text(text)
    refused(folder, str(folder), part)


def test_different_lengths_of_train_and_test(folder: Path) -> None:
    for sensor in ("body_acc", "body_gyro", "total_acc"):
        for axis in "xyz":
            (folder / "test" / "Inertial Signals" / f"{sensor}_{axis}_test.txt").write_text("1 2\n" * 3)
    refused(folder, "train and test are of different lengths")


def test_values_that_are_no_numbers(folder: Path) -> None:
    rows = ("nan " * TIME + "\n") * 3
    (folder / "test" / "Inertial Signals" / "body_acc_x_test.txt").write_text(rows)
    refused(folder, "x.body_acc has 24 NaN or infinite values")


def test_bytes_that_are_no_text(folder: Path) -> None:
    (folder / "test" / "y_test.txt").write_bytes(b"\xff\xfe\x00")
    refused(folder, "y_test.txt", "cannot be read as text")
    (folder / "test" / "y_test.txt").write_text("4\n6\n1\n")
    (folder / "test" / "Inertial Signals" / "body_acc_x_test.txt").write_bytes(b"\xff\xfe\x00")
    refused(folder, "body_acc_x_test.txt", "table of numbers")


def test_the_real_archive_has_the_same_form(folder: Path, tmp_path: Path) -> None:
    path = Path(os.environ.get("MOTET_DATA", ".")) / "ucihar.npz"
    if "MOTET_DATA" not in os.environ or not path.is_file():
        pytest.skip("set MOTET_DATA to a folder that holds ucihar.npz")
    convert(folder, tmp_path / "out.npz")
    ours, real = load(tmp_path / "out.npz"), load(path)
    assert ours.classes == real.classes
    for m, spec in real.modalities.items():
        own = ours.modalities[m]
        assert (own.kind, own.shape[0], own.rate_hz, own.unit) == (spec.kind, spec.shape[0], spec.rate_hz, spec.unit)
