"""MVSA-Single: a tiny folder in the official layout, the rule that merges labels, and what is said of an odd folder."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from motet.data.archive import load
from motet.data.dataset import TEST, TRAIN, VALIDATION
from motet.data.mvsa import CLASSES, convert, merge, words
from motet.errors import InputError

PAIRS = [*product(CLASSES, CLASSES)] * 4
KEPT = [merge(text, image) for text, image in PAIRS if merge(text, image)]


def colour(n: int) -> tuple[int, int, int]:
    return (7 * n % 256, 40, 255 - 5 * n)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`MVSA_Single` of 36 tweets, of which 8 have contrary labels."""
    root = tmp_path / "MVSA_Single"
    (root / "data").mkdir(parents=True)
    lines = ["ID\ttext,image"]
    for n, (text, image) in enumerate(PAIRS, start=1):
        lines.append(f"{n}\t{text},{image}")
        Image.new("RGB", (60 + n, 50), colour(n)).save(root / "data" / f"{n}.jpg", quality=95)
        (root / "data" / f"{n}.txt").write_text(f"Area{n % 3}, #Sunny day once{n} http://t.co/X{n}\n", encoding="utf-8")
    (root / "labelResult.txt").write_text("\n".join(lines) + "\n")
    return root


def test_the_rule_that_merges_labels() -> None:
    assert {(text, image): merge(text, image) for text, image in product(CLASSES, CLASSES)} == {
        ("positive", "positive"): "positive",
        ("neutral", "neutral"): "neutral",
        ("negative", "negative"): "negative",
        ("positive", "neutral"): "positive",
        ("neutral", "positive"): "positive",
        ("negative", "neutral"): "negative",
        ("neutral", "negative"): "negative",
        ("positive", "negative"): None,
        ("negative", "positive"): None,
    }


def test_words() -> None:
    assert words("RT @Ann: Isn't it #Sunny?! https://t.co/aB1 caf\u00e9 2day") == [
        *("rt", "ann", "isn't", "it", "sunny", "caf\u00e9", "2day")
    ]
    assert words(" http://t.co/x ") == []


def test_conversion(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "out.npz")
    data = load(tmp_path / "out.npz")
    assert data.classes == ("negative", "neutral", "positive")
    assert [data.classes[label] for label in data.y] == KEPT
    assert data.modalities["image"].shape == (3, 40, 40)
    assert data.modalities["text"].shape == (32,)
    assert (data.modalities["text"].pad, data.modalities["text"].unknown) == (0, 1)
    assert np.bincount(data.split).tolist() == [22, 3, 3]
    kept = [n for n, pair in enumerate(PAIRS, start=1) if merge(*pair)]
    np.testing.assert_allclose(
        data.x["image"].mean((2, 3)) * 255, [colour(n) for n in kept], atol=4, err_msg="colours, channels first"
    )
    assert "do not republish" in data.terms


def test_the_vocabulary_is_that_of_the_training_texts(folder: Path, tmp_path: Path) -> None:
    """A word that is only in other splits, or once in training, is unknown; ids follow the frequency."""
    convert(folder, tmp_path / "out.npz")
    data = load(tmp_path / "out.npz")
    kept = [n for n, pair in enumerate(PAIRS, start=1) if merge(*pair)]
    held = np.flatnonzero(data.split != TRAIN)
    for i in held:
        (folder / "data" / f"{kept[i]}.txt").write_text("elsewhere elsewhere sunny")
    convert(folder, tmp_path / "again.npz")
    text = load(tmp_path / "again.npz").x["text"]

    sunny = text[held[0], 2]
    assert text[held].tolist() == [[1, 1, sunny] + [0] * 29] * len(held)
    trained = text[data.split == TRAIN]
    assert (trained[:, 3] == 1).all()
    assert (trained[:, 4:] == 0).all()
    assert set(trained[:, [1, 2]].ravel().tolist()) == {2, 3}
    assert sunny in (2, 3)
    assert data.modalities["text"].vocabulary == 2 + 2 + 3


def test_long_and_empty_texts(folder: Path, tmp_path: Path) -> None:
    (folder / "data" / "1.txt").write_text("day " * 50)
    (folder / "data" / "2.txt").write_bytes(b"\xff\xfe http://t.co/x")
    convert(folder, tmp_path / "out.npz")
    text = load(tmp_path / "out.npz").x["text"]
    assert len(set(text[0].tolist()) - {0}) == 1
    assert not text[1, 2:].any()


def test_the_seed_draws_the_split(folder: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        convert(folder, tmp_path / f"{name}.npz", seed=seed)
    one, same, other = (load(tmp_path / f"{name}.npz").split for name in "abc")
    assert (one == same).all()
    assert (one != other).any()
    assert {TRAIN, VALIDATION, TEST} == set(one.tolist())


def test_grey_transparent_and_wide_pictures(folder: Path, tmp_path: Path) -> None:
    Image.new("L", (500, 3), 90).save(folder / "data" / "1.jpg")
    Image.new("RGBA", (3, 50), (0, 255, 0, 128)).save(folder / "data" / "2.jpg", format="PNG")
    convert(folder, tmp_path / "out.npz")
    image = load(tmp_path / "out.npz").x["image"]
    np.testing.assert_allclose(image[0] * 255, 90, atol=2)
    np.testing.assert_allclose(image[1].mean((1, 2)), [0, 1, 0])


def test_it_tells_how_far_it_is(folder: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    convert(folder.parent, tmp_path / "out.npz", lambda done, total: told.append((done, total)))
    assert told == [(n, 28) for n in range(1, 29)]


def refused(folder: Path, *parts: str) -> None:
    out = folder.parent / "out.npz"
    with pytest.raises(InputError) as caught:
        convert(folder, out)
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize("missing", ["labelResult.txt", "data/1.jpg", "data/10.txt"])
def test_a_missing_file_names_itself_and_the_layout(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    refused(folder, str(folder / missing), "is missing", "labelResult.txt, and data with <id>.jpg")


def test_files_of_dropped_tweets_are_not_needed(folder: Path, tmp_path: Path) -> None:
    dropped = next(n for n, pair in enumerate(PAIRS, start=1) if merge(*pair) is None)
    (folder / "data" / f"{dropped}.jpg").unlink()
    convert(folder, tmp_path / "out.npz")


def test_no_folder(tmp_path: Path) -> None:
    refused(tmp_path / "none", "no such folder", "'MVSA_Single'")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("1\tpositive,positive", "line 38"),
        ("99\tpositive", "line 38"),
        ("99\thappy,positive", "'99\\thappy,positive'"),
        ("../../secret\tpositive,positive", "a new id"),
        ("99 positive,positive", "a tab"),
        ("99\tpositive,positive\tneutral,neutral", "line 38"),
    ],
)
def test_odd_lines(folder: Path, line: str, part: str) -> None:
    with open(folder / "labelResult.txt", "a") as file:
        file.write(line + "\n")
    refused(folder, "labelResult.txt", part)


def test_no_labels(folder: Path) -> None:
    (folder / "labelResult.txt").write_text("ID\ttext,image\n1\tpositive,negative\n")
    refused(folder, "labels no tweet")
    (folder / "labelResult.txt").write_bytes(b"\x80\x81")
    refused(folder, "cannot be read as text")


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0"])
def test_a_damaged_picture(folder: Path, data: bytes) -> None:
    (folder / "data" / "5.jpg").write_bytes(data)
    refused(folder, "5.jpg", "cannot be read as a picture")


def test_a_picture_cut_short(folder: Path) -> None:
    path = folder / "data" / "5.jpg"
    path.write_bytes(path.read_bytes()[:400])
    refused(folder, "5.jpg", "cannot be read as a picture")


def test_the_real_archive_has_the_same_form(folder: Path, tmp_path: Path) -> None:
    path = Path(os.environ.get("MOTET_DATA", ".")) / "mvsa_single.npz"
    if "MOTET_DATA" not in os.environ or not path.is_file():
        pytest.skip("set MOTET_DATA to a folder that holds mvsa_single.npz")
    convert(folder, tmp_path / "out.npz")
    ours, real = load(tmp_path / "out.npz"), load(path)
    assert ours.classes == real.classes
    assert {m: spec.shape for m, spec in ours.modalities.items()} == {m: s.shape for m, s in real.modalities.items()}
