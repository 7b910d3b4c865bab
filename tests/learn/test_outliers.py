"""Prototypes that lie apart are left out of the mean, by hand and in a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from checks import assert_close, assert_same_bits, finish, story, toy
from folding import doubles
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motet.config import RecipeSettings, configure
from motet.errors import InputError
from motet.learn import prototypes as proto
from motet.learn.outliers import Rejecting, joiner, outlying

State = dict[str, Tensor]


def contributed(*clients: tuple[list[float], list[int]]) -> State:
    """Return what clients tell of modality a with features of one number: means and counts by class."""
    return {
        "mean/a": doubles([[[value] for value in means] for means, _ in clients]),
        "count/a": torch.tensor([counts for _, counts in clients], dtype=torch.int32),
        "variance/a": doubles([1.0 + k for k in range(len(clients))]),
    }


def joined(*contents: State, **choices: Any) -> State:
    classes = contents[0]["mean/a"].shape[1]
    made = joiner(proto.initial(["a"], classes, 1, torch.float64), RecipeSettings(**choices))
    for content in contents:
        made.add(content)
    return made.finish()


def test_what_lies_farther_than_so_many_median_distances_is_outlying() -> None:
    """The median is (1, 2): distances 1, 0, 1, 5 and 2, whose median is 1."""
    means = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [4.0, 6.0], [-1.0, 2.0]])
    assert outlying(means, 1).tolist() == [False, False, False, True, True]
    assert outlying(means, 2).tolist() == [False, False, False, True, False]  # 2 is not farther than 2
    assert outlying(means, 5).tolist() == [False] * 5


def test_of_one_or_two_none_is_outlying() -> None:
    assert outlying(np.array([[7.0, 1.0]]), 1).tolist() == [False]
    assert outlying(np.array([[0.0], [8.0]]), 1).tolist() == [False, False]


def test_whoever_differs_where_all_others_agree_is_outlying() -> None:
    assert outlying(np.array([[1.0], [1.0], [1.0], [1.5]]), 9).tolist() == [False, False, False, True]


def test_outlying_prototypes_are_left_out_class_by_class() -> None:
    """Of class 0 there are 1, 2, 3, 50, 2 and 2, of class 1 there are 5 and 7; and of class 2 nothing."""
    some = ([1, 0, 0], [3, 0, 0]), ([2, 5, 0], [1, 1, 0]), ([3, 7, 0], [1, 9, 0]), ([50, 0, 0], [9, 0, 0])
    content = contributed(*some, *[([2, 0, 0], [1, 0, 0])] * 2)
    found = joined(content, prototype_reject=3)
    assert found["mean/a"].flatten().tolist() == [2, 6, 0]
    assert found["updates/a"].tolist() == [1, 1, 0]
    assert found["variance/a"] == pytest.approx((1 + 2 + 3 + 5 + 6) / 5)  # the fourth has nothing left to tell
    weighed = joined(content, prototype_reject=3, prototype_weights="samples")
    assert weighed["mean/a"].flatten().tolist() == pytest.approx([12 / 7, 6.8, 0])
    assert joined(content)["mean/a"].flatten().tolist() == [10, 6, 0]


def test_nobody_s_prototypes_change_nothing() -> None:
    before = proto.initial(["a"], 3, 1, torch.float64)
    assert_same_bits(joiner(before, RecipeSettings(prototype_reject=2)).finish(), before)


@given(st.lists(st.lists(st.floats(-9, 9), min_size=2, max_size=2), min_size=1, max_size=9), st.integers(1, 9))
def test_blocks_of_clients_are_joined_as_clients_one_by_one(values: list[list[float]], size: int) -> None:
    clients = [(own, [int(value > -5) for value in own]) for own in values]
    blocks = [contributed(*clients[low : low + size]) for low in range(0, len(clients), size)]
    whole = joined(*(contributed(client) for client in clients), prototype_reject=2)
    for name, value in joined(*blocks, prototype_reject=2).items():
        if not name.startswith("variance/"):  # which the helper numbers block by block
            assert torch.equal(value, whole[name])


@given(st.lists(st.lists(st.floats(-9, 9), min_size=2, max_size=2), min_size=1, max_size=9))
def test_where_nothing_lies_apart_it_is_the_mean(values: list[list[float]]) -> None:
    content = contributed(*((own, [1, 1]) for own in values))
    means = content["mean/a"].numpy()
    if not any(outlying(means[:, c], 1e6).any() for c in (0, 1)):
        assert_close(joined(content, prototype_reject=1e6), joined(content), 1e-12)


def test_it_is_off_by_default() -> None:
    assert RecipeSettings().prototype_reject is None
    assert type(joiner({}, RecipeSettings())) is proto.Joiner
    assert isinstance(joiner({}, RecipeSettings(prototype_reject=1)), Rejecting)


@pytest.mark.parametrize("times", [0.9, 0, -1, "nan", "inf"])
def test_at_least_half_must_stay(times: Any) -> None:
    with pytest.raises(InputError, match="--prototype-reject must be"):
        configure({"prototype_reject": times})


@pytest.mark.parametrize("engine", ["loop", "vector"])
def test_poisoned_prototypes_are_left_out_of_a_run(engine: str) -> None:
    """One of seven clients tells the classes' prototypes under wrong names, which lie apart where data are easy."""
    data, hostile = toy(clients=7, each=24, easy=True), {"attack": "prototype-poisoning", "hostile_share": 0.15}
    choices: dict[str, Any] = {"recipe": "pmm", "rounds": 1, "partition": "natural", "engine": engine}

    def means(**more: Any) -> State:
        state = story(data, **choices, **more).states[0]
        return {name: value for name, value in state.items() if name.startswith("shared/prototypes/mean/")}

    honest, poisoned, defended = means(), means(**hostile), means(**hostile, prototype_reject=3)
    for name, value in honest.items():
        far, near = ((other[name] - value).norm() for other in (poisoned, defended))
        assert near < far / 2


def test_engines_agree_on_what_is_left_out() -> None:
    found, expected = (
        finish(toy(clients=5), dtype="float64", prototype_reject=1.5, recipe="pmm", missing_rate=0.5, **engine)
        for engine in ({"engine": "vector", "chunk": 2}, {"engine": "loop"})
    )
    assert_close(found.state.to_checkpoint()[0], expected.state.to_checkpoint()[0], 1e-9)
