"""Bytes until an accuracy is reached."""

from __future__ import annotations

import pytest

from motet.measure.reach import sent_until

HISTORY = [(None, 5), (0.2, 10), (None, 10), (0.6, 20), (0.5, 20), (0.7, 20)]


@pytest.mark.parametrize(
    ("target", "sent"),
    [(0.1, 15), (0.2, 15), (0.21, 45), (0.6, 45), (0.65, 85), (0.71, None)],
)
def test_bytes_add_up_until_the_first_round_that_reaches_it(target: float, sent: int | None) -> None:
    assert sent_until(target, HISTORY) == sent


def test_without_any_round_nothing_is_reached() -> None:
    assert sent_until(0, []) is None
