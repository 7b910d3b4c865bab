"""The one place that says which name was meant."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from motet.errors import LISTED, nearest, unknown

NAMES = st.lists(st.text(string.ascii_lowercase + "-", min_size=1, max_size=12), unique=True, max_size=20)


def test_the_nearest_comes_alone_where_the_others_are_farther() -> None:
    assert nearest("--lrr", ["--lr", "--lr-min", "--order"]) == ["--lr"]
    assert nearest("missing_rat", ["missing_rate", "missing_pattern", "degraded_rate"]) == ["missing_rate"]


def test_those_that_are_as_near_stand_in_order() -> None:
    assert nearest("m5", ["m2", "m0", "m1", "m3"]) == ["m0", "m1", "m2"]


def test_case_does_not_count() -> None:
    assert nearest("QQR", ["qqr", "pmm"]) == ["qqr"]


def test_a_name_like_none() -> None:
    assert nearest("zzz", ["qqr", "pmm"]) == []
    assert nearest("zzz", []) == []


def test_a_long_list_is_left_out_beside_a_suggestion() -> None:
    names = [f"study-{letter}" for letter in string.ascii_lowercase[: LISTED + 1]]
    assert str(unknown("study", "study-a1", names)) == "unknown study 'study-a1': did you mean 'study-a'?"
    assert str(unknown("study", "study-a1", names[:2])).endswith(" 'study-a'? (all: study-a, study-b)")
    assert str(unknown("study", "x", names)).endswith(f"choose one of: {', '.join(names)}")


@given(names=NAMES, name=st.text(max_size=12))
def test_a_suggestion_exists_and_the_order_of_names_does_not_matter(names: list[str], name: str) -> None:
    near = nearest(name, names)
    assert set(near) <= set(names)
    assert len(near) <= 3
    assert near == nearest(name, names[::-1])


@given(names=NAMES.filter(len), data=st.data())
def test_a_name_that_exists_comes_first(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    assert nearest(name, names)[0] == name
