"""The size of updates, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.measure.update import update_norms
from motet.wire.upload import Upload

YES, NO = True, False


def upload(held: dict[str, list[bool]], **content: list[list[float]]) -> Upload:
    return Upload(
        {name: torch.tensor(rows) for name, rows in content.items()},
        {name: torch.tensor(who) for name, who in held.items()},
        np.array([100, 100]),
    )


def test_the_norm_is_over_all_parameters_of_a_block() -> None:
    # client 0: 2 * 2 + 3 * 3 + 6 * 6 = 49; client 1: 4 * 4 + 3 * 3 = 25
    both = upload({"a": [YES, YES], "b": [YES, YES]}, a=[[2.0, 3.0], [4.0, 0.0]], b=[[6.0], [-3.0]])
    found = update_norms(both, ["a", "b"])
    assert found.tolist() == pytest.approx([7, 5])
    assert found.dtype == torch.float64
    assert update_norms(both, ["b"]).tolist() == pytest.approx([6, 3])


def test_who_sent_nothing_of_it_does_not_count() -> None:
    some = upload({"a": [NO, YES], "b": [NO, NO]}, a=[[0.0, 0.0], [4.0, 3.0]], b=[[0.0], [0.0]])
    assert update_norms(some, ["a", "b"]).tolist() == pytest.approx([5])
    assert update_norms(some, ["b"]).tolist() == []
    assert update_norms(some, ["c"]).tolist() == []


def test_a_parameter_of_any_shape() -> None:
    held = dict.fromkeys("ab", torch.tensor([YES, YES]))
    cube = Upload({"a": torch.ones(2, 2, 4, 2), "b": torch.zeros(2)}, held, np.ones(2, dtype=np.int64))
    assert update_norms(cube, ["a", "b"]).tolist() == pytest.approx([4, 4])
