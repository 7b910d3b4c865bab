"""Real handwritten digits, cut in two: a strong view of the upper rows and a weaker one of the lower rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import TEST, TRAIN, ArrayDataset, Modality
from motet.errors import InputError
from motet.random import permutation

UPPER_ROWS = 5  # of eight
BRIGHTEST = 16.0
TEST_SHARE = 0.2


def digits(seed: int = 0) -> ArrayDataset:
    """The handwritten digits that come with scikit-learn, as two views that share no pixel.

    The images are 8 x 8 pixels, scaled to 0..1. `upper` holds the five upper rows as an image and is the stronger
    view; `lower` holds the three lower rows as a plain list of 24 numbers. Neither is simulated, but the cut is ours:
    the two are parts of one picture and were not recorded by two sensors. The writers are not known, so there is no
    `client`.

    Parameters
    ----------
    seed : int
        Chooses which fifth of each class is the test split.

    Returns
    -------
    ArrayDataset
        1,797 samples of ten classes; `upper` float32 (N, 1, 5, 8), `lower` float32 (N, 24).

    Raises
    ------
    InputError
        If scikit-learn, which holds the images, is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as missing:
        raise InputError("the digits come with scikit-learn: pip install scikit-learn") from missing
    bundle = load_digits()
    images = (bundle.images / BRIGHTEST).astype(np.float32)
    y = bundle.target.astype(np.int64)
    upper, lower = images[:, None, :UPPER_ROWS], images[:, UPPER_ROWS:].reshape(len(y), -1)
    return ArrayDataset(
        name="digits",
        modalities={
            "upper": Modality("upper", "image", upper.shape[1:]),
            "lower": Modality("lower", "vector", lower.shape[1:]),
        },
        classes=tuple(str(digit) for digit in range(10)),
        y=y,
        split=_hold_out(y, seed),
        x={"upper": np.ascontiguousarray(upper), "lower": lower},
        source="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), as scikit-learn ships it",
        terms="CC BY 4.0",
    )


def _hold_out(y: NDArray[np.int64], seed: int) -> NDArray[np.uint8]:
    """The split that makes a fifth of each class the test samples."""
    split = np.full(len(y), TRAIN, dtype=np.uint8)
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        order = permutation(seed, "digits split", len(members), client=int(label))
        split[members[order[: round(TEST_SHARE * len(members))]]] = TEST
    return split
