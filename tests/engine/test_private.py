"""What clients keep: a mapping that a round leaves as it was, in a file, and that a checkpoint can hold."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motet.engine.private import Private

CLIENTS = 4
State = dict[str, Tensor]


def state(number: float) -> State:
    """Return a state whose every number is different."""
    return {"w": number + torch.arange(6.0).reshape(2, 3) / 10, "b": torch.tensor(-number), "none": torch.zeros(0, 2)}


def same(found: State, expected: State) -> bool:
    return list(found) == list(expected) and all(torch.equal(found[n], expected[n]) for n in expected)


rounds = st.lists(st.dictionaries(st.integers(0, CLIENTS - 1), st.integers(0, 99), max_size=CLIENTS), max_size=6)


@given(rounds, st.dictionaries(st.integers(0, CLIENTS - 1), st.just(-1)))
def test_it_is_a_dictionary_that_rounds_replace(told: list[dict[int, int]], failed: dict[int, int]) -> None:
    found, expected = Private(CLIENTS), {}
    for own in told:
        before, known = found, dict(expected)
        for client in failed:  # a round that fails half-way
            found.put(client, state(-1))
        for client, number in own.items():
            found.put(client, state(number))
        found, expected = found.after(own), expected | own
        for private, numbers in ((before, known), (found, expected)):
            assert list(private) == sorted(numbers)
            assert len(private) == len(numbers)
            assert all(same(private[client], state(number)) for client, number in numbers.items())
    again = Private(CLIENTS).filled(found.to_tensors())
    assert list(again) == list(found)
    assert all(same(again[client], found[client]) for client in found)


def test_who_keeps_nothing_has_nothing() -> None:
    found = Private(CLIENTS)
    assert (len(found), found.get(2), found.to_tensors()) == (0, None, {})
    found.put(1, state(1))
    assert len(found) == 0  # not before the round is over
    after = found.after([1])
    assert list(after) == [1]
    with pytest.raises(KeyError):
        after[2]
    assert set(after.to_tensors()) == {"clients", "w", "b", "none"}


def test_states_lie_in_one_file_that_no_folder_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = Private(CLIENTS)
    for client in range(CLIENTS):
        found.put(client, state(client))
    found = found.after(range(CLIENTS))
    assert list(tmp_path.iterdir()) == []
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert f"{tmp_path}/" in maps.read_text()
    addresses = {own["w"].untyped_storage().data_ptr() for own in found.values()}
    assert len(addresses) == 1


def test_a_full_disk_is_said_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*where: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        Private(CLIENTS).put(0, state(0))


def test_numbers_keep_their_type() -> None:
    found = Private(2)
    found.put(0, {"w": torch.tensor([1 / 3], dtype=torch.float64)})
    assert found.after([0])[0]["w"].numpy().tobytes() == np.float64(1 / 3).tobytes()


def test_it_works_where_no_room_can_be_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    found = Private(CLIENTS)
    found.put(3, state(3))
    assert same(found.after([3])[3], state(3))
