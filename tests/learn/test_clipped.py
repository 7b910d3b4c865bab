"""Vectors that no client makes longer than a bound."""

from __future__ import annotations

import torch
from folding import doubles
from hypothesis import example, given
from hypothesis import strategies as st

from motet.learn.privacy import clipped


def test_a_vector_is_shortened_as_a_whole() -> None:
    """|(3, 4, 12)| = 13: over two names, a bound of 6.5 halves it; |(1, 2, 2)| = 3 stays."""
    found = clipped({"a": doubles([[3, 4], [1, 2]]), "b": doubles([12, 2])}, 6.5)
    assert found["a"].tolist() == [[1.5, 2], [1, 2]]
    assert found["b"].tolist() == [6, 2]


def test_nothing_stays_nothing() -> None:
    assert clipped({}, 1.0) == {}
    assert clipped({"a": doubles([[0.0, 0.0]])}, 1.0)["a"].tolist() == [[0, 0]]


NUMBERS = st.floats(-1e6, 1e6)


@example([[0.0, 0.0, 0.0, 0.0, 1.0]], 111.328125, torch.float32)  # 111.328125 times its reciprocal is not 1
@given(
    rows=st.lists(st.lists(NUMBERS, min_size=5, max_size=5), min_size=1, max_size=4),
    bound=st.floats(1e-3, 1e3),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_no_vector_is_longer_and_each_keeps_its_direction(
    rows: list[list[float]], bound: float, dtype: torch.dtype
) -> None:
    before = torch.tensor(rows, dtype=dtype)
    found = clipped({"matrix": before[:, :4].reshape(-1, 2, 2), "number": before[:, 4]}, bound)
    after = torch.cat([found["matrix"].reshape(-1, 4), found["number"][:, None]], dim=1)
    lengths, own = after.norm(dim=1), before.double().norm(dim=1)
    assert bool((lengths <= bound * (1 + 1e-12)).all())
    torch.testing.assert_close(after * own[:, None], before.double() * lengths[:, None], rtol=1e-9, atol=1e-9 * bound)
    assert bool((after[own <= bound] == before.double()[own <= bound]).all())
