"""A device's data beside those of the server: the same modalities, or one sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motet.data.absent import like
from motet.data.dataset import ArrayDataset, Modality
from motet.errors import InputError

SPECS = {
    "words": Modality("words", "tokens", (4,), vocabulary=9, pad=0, unknown=1),
    "move": Modality("move", "signal", (2, 8), rate_hz=20.0),
}


def device(*names: str) -> ArrayDataset:
    x = {"words": np.full((3, 4), 2), "move": np.ones((3, 2, 8), dtype=np.float32)}
    return ArrayDataset(
        name="kitchen",
        modalities={m: SPECS[m] for m in names},
        classes=("a", "b"),
        y=np.array([0, 1, 0]),
        split=np.zeros(3, dtype=np.uint8),
        x={m: x[m] for m in names},
        present={m: np.ones(3, dtype=bool) for m in names},
    )


def test_what_a_device_lacks_is_absent_everywhere() -> None:
    found = like(device("move"), SPECS, ("a", "b"))
    assert list(found.modalities) == ["words", "move"]
    assert not found.present["words"].any()
    assert (found.take(np.arange(3))["words"] == SPECS["words"].pad).all()


@pytest.mark.parametrize(
    ("modality", "changes"),
    [("words", {"pad": 8}), ("words", {"unknown": 7}), ("move", {"rate_hz": 50.0}), ("words", {"vocabulary": 10})],
)
def test_numbers_that_would_mean_something_else_are_refused(modality: str, changes: dict[str, float]) -> None:
    asked = {**SPECS, modality: replace(SPECS[modality], **changes)}  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"{modality} of kitchen .* make an archive"):
        like(device("words", "move"), asked, ("a", "b"))
