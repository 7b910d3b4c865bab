"""MVSA-Single: from the official folder of tweets (a picture, a text and two labels each) to an archive."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.data.archive import save
from motet.data.dataset import TEST, TRAIN, VALIDATION, ArrayDataset, Modality
from motet.data.progress import Progress, silent
from motet.errors import InputError
from motet.random import permutation

SOURCE = "MVSA-Single (Niu et al., MMM 2016), labels merged as by Xu and Mao (CIKM 2017)"
TERMS = "research use only, do not republish"
CLASSES = ("negative", "neutral", "positive")
SIDE = 40
LENGTH = 32
PAD, UNKNOWN = 0, 1
RAREST = 2
"""Times that a word is in the training texts to get an id; so rarer ones train the unknown word."""

LAYOUT = "the folder should hold labelResult.txt, and data with <id>.jpg and <id>.txt for each of its lines"
_WORD = re.compile(r"\w+(?:'\w+)*")
_LINK = re.compile(r"https?://\S*")


def convert(
    folder: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    progress: Progress | None = None,
    *,
    seed: int = 0,
) -> None:
    """Turn the official folder of MVSA-Single into an archive of images (40 x 40, RGB) and texts (32 word ids).

    A tenth of the samples, drawn by the seed, is validation and another test. Words are lower case, without links; the
    vocabulary is that of the training texts.

    Parameters
    ----------
    folder : path-like
        ``MVSA_Single``, or the folder that holds it.
    destination : path-like
        The archive to write.
    progress : function of (done, total), optional
        Told after each tweet.
    seed : int
        Of the split.

    Raises
    ------
    InputError
        If a file is missing, or does not hold what it should; nothing is written then.
    """
    root = _root(Path(folder))
    tell = progress or silent
    labelled = _labels(root / "labelResult.txt")
    images = np.empty((len(labelled), 3, SIDE, SIDE), dtype=np.float32)
    texts = []
    for i, name in enumerate(labelled):
        images[i] = _image(root / "data" / f"{name}.jpg")
        texts.append(words(_text(root / "data" / f"{name}.txt")))
        tell(i + 1, len(labelled))
    split = _split(len(labelled), seed)
    vocabulary = _vocabulary([text for text, part in zip(texts, split, strict=True) if part == TRAIN])
    save(
        ArrayDataset(
            name="mvsa_single",
            modalities={
                "image": Modality("image", "image", (3, SIDE, SIDE)),
                "text": Modality("text", "tokens", (LENGTH,), vocabulary=2 + len(vocabulary), pad=PAD, unknown=UNKNOWN),
            },
            classes=CLASSES,
            y=np.array([CLASSES.index(label) for label in labelled.values()], dtype=np.int64),
            split=split,
            x={"image": images, "text": _ids(texts, vocabulary)},
            source=SOURCE,
            terms=TERMS,
        ),
        destination,
    )


def merge(text: str, image: str) -> str | None:
    """Merge the labels of a tweet's text and picture.

    Returns
    -------
    str or None
        The label where both agree; the other one where one is neutral; None where one is positive and one negative.
    """
    if text == image or image == "neutral":
        return text
    return image if text == "neutral" else None


def words(text: str) -> list[str]:
    """Split a text into lower-case words, without links and punctuation; a hashtag is its word."""
    return _WORD.findall(_LINK.sub(" ", text.lower()))


def _root(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder: name the unpacked 'MVSA_Single'")
    inside = folder / "MVSA_Single"
    return inside if inside.is_dir() else folder


def _labels(path: Path) -> dict[str, str]:
    """Label of each tweet that has one, by id."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: is missing: {LAYOUT}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}): unpack the set again") from None
    labelled: dict[str, str] = {}
    seen: set[str] = set()
    for n, line in enumerate(lines, start=1):
        if not line.strip() or (n == 1 and line.startswith("ID")):
            continue
        name, _, both = (part.strip() for part in line.partition("\t"))
        text, _, image = (part.strip() for part in both.partition(","))
        if not name.isalnum() or name in seen or text not in CLASSES or image not in CLASSES:
            raise InputError(
                f"{path}: line {n} should be a new id, a tab and two of {', '.join(CLASSES)} with a comma between, "
                f"not {line[:60]!r}"
            )
        seen.add(name)
        label = merge(text, image)
        if label is not None:
            labelled[name] = label
    if not labelled:
        raise InputError(f"{path}: labels no tweet: it should have a line 'ID<tab>text,image' and one line per tweet")
    return labelled


def _image(path: Path) -> NDArray[np.float32]:
    """(3, SIDE, SIDE) in 0..1."""
    from PIL import Image

    if not path.is_file():
        raise InputError(f"{path}: is missing: {LAYOUT}")
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")  # odd palettes and sizes make no difference at this size
            small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    except Exception as error:  # what a decoder raises on a damaged picture is not a closed list
        why = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: cannot be read as a picture ({why}): unpack the set again") from None
    return np.moveaxis(np.asarray(small, dtype=np.float32) / np.float32(255), -1, 0)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")  # a few tweets hold bytes of other encodings
    except FileNotFoundError:
        raise InputError(f"{path}: is missing: {LAYOUT}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): check its permissions") from None


def _split(n: int, seed: int) -> NDArray[np.uint8]:
    order = permutation(seed, "mvsa split", n)
    tenth = max(1, round(n / 10))
    split = np.full(n, TRAIN, dtype=np.uint8)
    split[order[:tenth]] = TEST
    split[order[tenth : 2 * tenth]] = VALIDATION
    return split


def _vocabulary(texts: list[list[str]]) -> dict[str, int]:
    """Ids of the words, the most frequent first."""
    counts = Counter(word for text in texts for word in text)
    kept = sorted((word for word, count in counts.items() if count >= RAREST), key=lambda word: (-counts[word], word))
    return {word: i for i, word in enumerate(kept, start=2)}


def _ids(texts: list[list[str]], vocabulary: dict[str, int]) -> NDArray[np.int64]:
    ids: NDArray[Any] = np.full((len(texts), LENGTH), PAD, dtype=np.int64)
    for row, text in zip(ids, texts, strict=True):
        known = [vocabulary.get(word, UNKNOWN) for word in text[:LENGTH]]
        row[: len(known)] = known
    return ids
