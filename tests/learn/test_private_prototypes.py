"""Prototypes in which no client shows, by hand."""

from __future__ import annotations

from typing import Any

import torch
from folding import doubles
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motet.config import RecipeSettings
from motet.learn import prototypes as proto
from motet.learn.privacy.prototypes import PrivateJoiner, vector_shapes, vectors
from motet.learn.prototypes import Joiner

State = dict[str, Tensor]


def summary(*clients: tuple[list[float], list[int]]) -> dict[str, dict[str, Tensor]]:
    """Return what clients find of modality a, in features of one number: means and counts by class."""
    return {
        "mean": {"a": doubles([[[value] for value in means] for means, _ in clients])},
        "count": {"a": torch.tensor([counts for _, counts in clients])},
        "variance": {"a": doubles([1.0 + k for k in range(len(clients))])},
    }


TWO = summary(([2.0, 9.0], [3, 0]), ([4.0, 8.0], [1, 5]), ([7.0, 7.0], [0, 0]))


def joined(state: State | None, deviation: float, bound: float | None, noise: State, *contents: State) -> State:
    before = proto.initial(["a"], 2, 1, torch.float64) if state is None else state
    made = PrivateJoiner(before, RecipeSettings(), deviation, bound, noise)
    for content in contents:
        made.add(content)
    return made.finish()


def test_a_vector_holds_means_where_there_is_a_sample_and_what_to_divide_by() -> None:
    found = {name: value.tolist() for name, value in vectors(TWO).items()}
    assert found == {
        "mean/a": [[[2], [0]], [[4], [8]], [[0], [0]]],
        "seen/a": [[1, 0], [1, 1], [0, 0]],
        "variance/a": [1, 2, 0],
        "some/a": [1, 1, 0],
    }
    assert {name: tuple(value.shape[1:]) for name, value in vectors(TWO).items()} == vector_shapes(["a"], 2, 1)


def test_without_noise_and_clipping_nothing_is_different() -> None:
    plain = Joiner(proto.initial(["a"], 2, 1, torch.float64), RecipeSettings())
    plain.add({f"{what}/{m}": value for what, own in TWO.items() for m, value in own.items()})
    for name, value in joined(None, 0.0, 1e9, {}, vectors(TWO)).items():
        torch.testing.assert_close(value, plain.finish()[name])


def test_a_clipped_vector_counts_less_but_means_the_same() -> None:
    """(2, 1, 1, 1) has a length of 2.65, with a bound of half of it both 2 and the count of 1 are halved."""
    one = vectors(summary(([2.0, 0.0], [3, 0])))
    found = joined(None, 0.0, 7**0.5 / 2, {}, one)
    torch.testing.assert_close(found["mean/a"], doubles([[2.0], [0.0]]))
    assert found["updates/a"].tolist() == [1, 0]
    torch.testing.assert_close(found["variance/a"], doubles(1.0))


def test_noise_is_added_to_sums_and_counts() -> None:
    """(2 + 4 + 1) / (2 + .5) and, of the variance, (1 + 2 - 1) / (2 + 2)."""
    noise = {"mean/a": doubles([[1.0], [0.0]]), "seen/a": doubles([0.5, -9.0]), "variance/a": doubles(-1.0)}
    found = joined(None, 0.1, 1e9, {**noise, "some/a": doubles(2.0)}, vectors(TWO))
    torch.testing.assert_close(found["mean/a"], doubles([[7 / 2.5], [0.0]]))
    torch.testing.assert_close(found["variance/a"], doubles(0.5))
    assert found["updates/a"].tolist() == [1, 0]  # of class 1 the count is below nothing


def test_what_may_be_noise_alone_changes_nothing() -> None:
    """A count of 2 is sure with a deviation of .49, and not with one of .5; nor is one of 1."""
    before = joined(None, 0.0, 1e9, {}, vectors(summary(([1.0, 1.0], [1, 1]))))
    sure = joined(before, 0.49, 1e9, {}, vectors(TWO))
    assert sure["updates/a"].tolist() == [2, 1]
    for name, value in joined(before, 0.5, 1e9, {}, vectors(TWO)).items():
        assert torch.equal(value, before[name])


def test_noise_of_devices_adds_up() -> None:
    """Three vectors with a deviation of .3 each have one of .52 in their sum: a count of 2 is not sure."""
    assert joined(None, 0.3, None, {}, vectors(TWO))["updates/a"].tolist() == [0, 0]
    assert joined(None, 0.28, None, {}, vectors(TWO))["updates/a"].tolist() == [1, 0]


def test_who_says_nothing_is_no_sender() -> None:
    assert joined(None, 0.28, None, {}, vectors(TWO), {})["updates/a"].tolist() == [1, 0]


@given(
    means=st.lists(st.lists(st.floats(-50, 50), min_size=2, max_size=2), min_size=1, max_size=5),
    counts=st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=2), min_size=5, max_size=5),
    left=st.integers(0, 4),
    bound=st.floats(0.01, 100),
)
def test_one_client_moves_the_sums_by_no_more_than_the_bound(
    means: list[Any], counts: list[Any], left: int, bound: float
) -> None:
    rows = vectors(summary(*zip(means, counts[: len(means)], strict=True)))
    rest = [k for k in range(len(means)) if k != left % len(means)]

    def totals(places: list[int]) -> State:
        made = PrivateJoiner(proto.initial(["a"], 2, 1, torch.float64), RecipeSettings(), 0.0, bound, {})
        for k in places:
            made.add({name: value[k : k + 1] for name, value in rows.items()})
        return made.totals

    whole, without = totals(list(range(len(means)))), totals(rest)
    moved = torch.cat([(value - without.get(name, torch.zeros_like(value))).flatten() for name, value in whole.items()])
    assert float(moved.norm()) <= bound * (1 + 1e-9)
