"""What is kept of a round's updates, and what it takes."""

from __future__ import annotations

import torch
from folding import doubles
from hypothesis import given
from hypothesis import strategies as st

from motet.learn.aggregate.kept import Kept, Rows


@given(rows=st.integers(1, 4), size=st.integers(1, 9), sent=st.floats(0, 1), seed=st.integers(0, 99), data=st.data())
def test_rows_say_what_was_kept(rows: int, size: int, sent: float, seed: int, data: st.DataObject) -> None:
    rng = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, size, generator=rng) * (torch.rand(rows, size, generator=rng) < sent)
    found = Rows.of(torch.arange(rows), values)
    assert (found.columns is not None) == (int((values != 0).sum()) * 2 < rows * size)
    low = data.draw(st.integers(0, size - 1))
    high = data.draw(st.integers(low + 1, size))
    assert torch.equal(found.between(low, high), values[:, low:high].double())


def test_what_is_mostly_zero_takes_eight_bytes_a_number() -> None:
    values = torch.zeros(50, 1000)
    values[:, ::5] = 1.0
    found = Rows.of(torch.arange(50), values)
    assert found.columns is not None
    assert found.values.nbytes + found.columns.nbytes == 50 * 200 * 8


def test_numbers_that_are_not_finite_are_not_lost() -> None:
    values = torch.zeros(2, 9)
    values[1, 4], values[0, 7] = torch.nan, torch.inf
    torch.testing.assert_close(
        Rows.of(torch.arange(2), values).between(0, 9), values.double(), rtol=0, atol=0, equal_nan=True
    )


def test_what_is_kept_knows_who_sent_what() -> None:
    """Names are in the network's order, though b came first."""
    found = Kept({"encoder.a": "a", "head.a": "a", "b": "b", "c": "c"})
    found.add({"b": doubles([[5.0], [6.0]])}, {"b": torch.tensor([False, True])}, doubles([1, 2]))
    found.add(
        {"head.a": doubles([[1.0, 2.0]]), "b": doubles([[7.0]])}, dict.fromkeys(["head.a", "b"], torch.ones(1) > 0),
        doubles([3]),
    )  # fmt: skip
    assert found.names == ["head.a", "b"]
    assert found.blocks == {"a": ["head.a"], "b": ["b"]}
    assert found.weights.tolist() == [1, 2, 3]
    assert found.holders(["b"]).tolist() == [1, 2]
    assert found.holders(["head.a"]).tolist() == [2]
    everyone = found.holders(found.names)
    assert [piece.tolist() for piece in found.pieces(found.names, everyone)] == [[[0, 0, 6], [1, 2, 7]]]
    parts = found.by_key(found.names, doubles([1, 2, 3]))
    assert {name: value.tolist() for name, value in parts.items()} == {"head.a": [1, 2], "b": [3]}
