"""Whether prototypes still mean something: by hand, where nothing can be said, and what must not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from motet.learn import prototypes as proto
from motet.measure.meaning import agreement, separation

Floats = NDArray[np.float64]
seeds = st.integers(0, 2**32 - 1)


def prototypes(
    means: dict[str, ArrayLike],
    known: dict[str, list[bool]] | None = None,
    variance: float = 1.0,
) -> dict[str, Tensor]:
    """Make the server's state from class means (C, d); every class is known unless said otherwise."""
    state = {}
    for m, rows in means.items():
        mean = torch.from_numpy(np.asarray(rows, dtype=np.float64))
        state[f"mean/{m}"] = mean
        state[f"updates/{m}"] = torch.tensor((known or {}).get(m, [True] * len(mean)), dtype=torch.int32)
        state[f"variance/{m}"] = torch.tensor(variance, dtype=torch.float64)
    return state


# --- By hand -----------------------------------------------------------------------------------------------------


def test_agreement_is_a_rank_correlation_of_distances() -> None:
    # distances of classes 01, 02, 12: in a 1, 3, 2; in b 2, 3, 1; ranks differ by -1, 0, 1: 1 - 6 * 2 / (3 * 8)
    assert agreement(prototypes({"a": [[0], [1], [3]], "b": [[0], [2], [3]]})) == {"a~b": 0.5}
    # in c 2, 5, 7 (as vectors of another width): ranks 1, 2, 3 against 1, 3, 2
    c = [[2, 0], [0, 0], [0, 7]]
    found = agreement(prototypes({"a": [[0], [1], [3]], "c": c}))
    # |c0 - c1| = 2, |c0 - c2| = sqrt(53) = 7.28, |c1 - c2| = 7: the order of a
    assert found == {"a~c": 1}


def test_agreement_averages_the_ranks_of_ties() -> None:
    # a: 1, 2, 1, so ranks 1.5, 3, 1.5; b: 1, 3, 2; covariance of ranks -.5 * -1 + 1 * 1 + -.5 * 0 = 1.5 over
    # sqrt((.25 + 1 + .25) * 2) = sqrt(3)
    found = agreement(prototypes({"a": [[0], [1], [2]], "b": [[0], [1], [3]]}))
    assert found["a~b"] == pytest.approx(1.5 / math.sqrt(3), abs=1e-6)


def test_each_pair_of_modalities_is_compared_once_in_their_order() -> None:
    rng = np.random.default_rng(0)
    found = agreement(prototypes({m: rng.standard_normal((4, 3)) for m in ("gyro", "acc", "heart")}))
    assert list(found) == ["gyro~acc", "gyro~heart", "acc~heart"]


def test_separation_is_a_silhouette() -> None:
    # d V = 2 * .5 = 1, so a = 1. Squared distances: 01 3, 02 8, 12 11, so b = 2, 2, 3 and s = 1/2, 1/2, 2/3.
    rows = [[0, 0], [math.sqrt(3), 0], [0, -math.sqrt(8)]]
    assert separation(prototypes({"a": rows}, variance=0.5)) == {"a": pytest.approx(5 / 9, abs=1e-6)}


def test_separation_at_its_ends() -> None:
    apart, together = [[0.0], [1.0]], [[1.0], [1.0]]
    assert separation(prototypes({"a": apart}, variance=0.0)) == {"a": 1}
    assert separation(prototypes({"a": together}, variance=2.0)) == {"a": 0}
    assert separation(prototypes({"a": together}, variance=0.0)) == {"a": 0}


# --- What cannot be said -----------------------------------------------------------------------------------------

LINE = [[0.0], [1.0], [3.0], [7.0]]


def test_before_any_contribution_nothing_can_be_said() -> None:
    state = proto.initial(["a", "b"], 5, 4, torch.float32)
    assert agreement(state) == {"a~b": None}
    assert separation(state) == {"a": None, "b": None}


def test_agreement_needs_three_classes_known_in_both() -> None:
    known = {"a": [True, True, True, False], "b": [False, True, True, True]}
    assert agreement(prototypes({"a": LINE, "b": LINE}, known)) == {"a~b": None}
    known["b"][0] = True
    assert agreement(prototypes({"a": LINE, "b": LINE}, known)) == {"a~b": 1}


def test_separation_needs_two_known_classes() -> None:
    assert separation(prototypes({"a": LINE}, {"a": [False, True, False, False]})) == {"a": None}
    assert separation(prototypes({"a": LINE}, {"a": [False, True, False, True]}))["a"] is not None


def test_agreement_with_equal_distances_is_not_defined() -> None:
    assert agreement(prototypes({"a": np.zeros((4, 1)), "b": LINE})) == {"a~b": None}


def test_one_modality_agrees_with_none() -> None:
    assert agreement(prototypes({"a": LINE})) == {}


@pytest.mark.parametrize("broken", [math.inf, math.nan])
def test_an_overflowed_prototype_is_no_prototype(broken: float) -> None:
    three = [*LINE[:3], [broken]]
    assert agreement(prototypes({"a": LINE, "b": three})) == {"a~b": 1}
    assert separation(prototypes({"a": three})) == separation(prototypes({"a": LINE[:3]}))
    assert separation(prototypes({"a": LINE}, variance=broken)) == {"a": None}


# --- Invariants --------------------------------------------------------------------------------------------------


def spaces(seed: int, classes: int, *features: int) -> list[Floats]:
    """Draw class means in spaces of the given widths; no two distances are equal."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((classes, d)) for d in features]


def moved(space: Floats, seed: int, scale: float) -> Floats:
    """Turn, stretch and shift a space."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.standard_normal((space.shape[1],) * 2))
    return scale * (space @ turn) + rng.standard_normal(space.shape[1])


scales = st.floats(0.01, 100)
sizes = st.integers(1, 6)


@settings(deadline=None, max_examples=60)
@given(seeds, st.integers(3, 8), sizes, sizes, scales)
def test_agreement_sees_only_what_is_near_what(seed: int, classes: int, d: int, e: int, scale: float) -> None:
    a, b = spaces(seed, classes, d, e)
    before = agreement(prototypes({"a": a, "b": b}))["a~b"]
    assert before is not None
    assert -1 <= before <= 1
    assert agreement(prototypes({"a": moved(a, seed, scale), "b": b}))["a~b"] == before
    assert agreement(prototypes({"a": b, "b": a}))["a~b"] == before
    assert agreement(prototypes({"a": a, "b": moved(a, seed, scale)}))["a~b"] == 1


@settings(deadline=None, max_examples=40)
@given(seeds, st.integers(3, 6), sizes)
def test_classes_that_one_side_lacks_do_not_matter(seed: int, classes: int, d: int) -> None:
    a, b = spaces(seed, classes + 2, d, d)
    known = {"a": [True] * (classes + 1) + [False], "b": [True] * classes + [False, True]}
    assert agreement(prototypes({"a": a, "b": b}, known)) == agreement(prototypes({"a": a[:classes], "b": b[:classes]}))


@settings(deadline=None, max_examples=60)
@given(seeds, st.integers(2, 8), sizes, scales, st.floats(0.001, 10))
def test_separation_is_without_unit(seed: int, classes: int, d: int, scale: float, variance: float) -> None:
    (a,) = spaces(seed, classes, d)
    before = separation(prototypes({"a": a}, variance=variance))["a"]
    assert before is not None
    assert 0 <= before <= 1
    after = separation(prototypes({"a": moved(a, seed, scale)}, variance=variance * scale**2))["a"]
    assert after == pytest.approx(before, abs=2e-6)


@settings(deadline=None, max_examples=40)
@given(seeds, st.integers(2, 8), sizes, st.floats(0.01, 10))
def test_more_spread_is_less_separation(seed: int, classes: int, d: int, variance: float) -> None:
    (a,) = spaces(seed, classes, d)
    near, far = (separation(prototypes({"a": a}, variance=factor * variance))["a"] for factor in (2, 1))
    assert near is not None
    assert far is not None
    assert near < far


def test_neither_changes_the_state() -> None:
    a, b = spaces(0, 5, 3, 3)
    state = prototypes({"a": a, "b": b})
    before = {name: value.clone() for name, value in state.items()}
    agreement(state), separation(state)
    assert all(torch.equal(state[name], before[name]) for name in before)
