"""Checkpoints: what is read is what was written, in the same order; any damage is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from motet.errors import InputError
from motet.record import checkpoint

TENSORS = {
    "shared/model/z": torch.tensor([[1.5, -0.0, float("nan")], [float("inf"), 2**-149, 3.0]]),
    "shared/model/a": torch.arange(10, dtype=torch.float64) / 3,
    "private/11/z": torch.tensor(2.5),
    "private/2/z": torch.zeros(0, 4),
    "flags/gyro": torch.tensor([[2**60, 1], [0, 7]]),
    "memory/seen": torch.tensor([True, False]),
}
REST: dict[str, Any] = {"round": 3, "up": {"b": 2, "a": 1}, "loss": 0.1 + 0.2, "tail": [{"accuracy": None}]}


def check_equal(found: tuple[dict[str, Tensor], dict[str, Any]]) -> None:
    tensors, rest = found
    assert list(tensors) == list(TENSORS)  # the order decides the order of sums
    for name, tensor in TENSORS.items():
        assert (tensors[name].dtype, tensors[name].shape) == (tensor.dtype, tensor.shape)
        assert tensors[name].numpy().tobytes() == tensor.numpy().tobytes()
    assert rest == REST
    assert list(rest["up"]) == ["b", "a"]


def written(folder: Path, round: int = 3) -> Path:  # noqa: A002
    checkpoint.save(folder, round, TENSORS, REST)
    return folder / f"checkpoint-{round:07d}.safetensors"


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    check_equal(checkpoint.load(written(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-0000003.safetensors"]


def test_views_of_larger_tensors_and_tensors_with_a_gradient(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4).requires_grad_()
    checkpoint.save(tmp_path, 1, {"column": whole[:, 1], "turned": whole.T}, {})
    tensors, _ = checkpoint.load(tmp_path / "checkpoint-0000001.safetensors")
    assert torch.equal(tensors["column"], torch.tensor([1.0, 5.0, 9.0]))
    assert torch.equal(tensors["turned"], whole.T)


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for number in (1, 2, 9, 10, 11, 9_999_999, 10_000_000):
        written(tmp_path, number)
        assert len(checkpoint.found(tmp_path)) <= 2
    assert [path.name for path in checkpoint.found(tmp_path)][1] == "checkpoint-9999999.safetensors"


def damaged(folder: Path, content: bytes) -> None:
    """Check that a file is refused, with a sentence that names it and says what to do."""
    path = folder / "checkpoint-0000009.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        checkpoint.load(path)
    assert str(path) in str(error.value)
    assert "remove it" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_file(tmp_path: Path) -> None:
    whole = written(tmp_path).read_bytes()
    for length in [*range(0, len(whole), 37), 7, 8, 9, len(whole) - 1]:
        damaged(tmp_path, whole[:length])
    damaged(tmp_path, whole + b"\0")


def test_a_foreign_file(tmp_path: Path) -> None:
    from safetensors.torch import save

    damaged(tmp_path, b"")
    damaged(tmp_path, b"PK\x03\x04 not safetensors at all")
    damaged(tmp_path, save({"w": torch.ones(3)}))
    damaged(tmp_path, save({"w": torch.ones(3)}, {"format": "pt"}))
    damaged(tmp_path, save({"w": torch.ones(3)}, {"format": checkpoint.FORMAT}))
    damaged(tmp_path, save({"w": torch.ones(3)}, {"format": checkpoint.FORMAT, "state": "{}", "digest": ""}))
    damaged(tmp_path, save({"w": torch.ones(3)}, {"format": "motet-checkpoint/2", "state": "{}", "digest": ""}))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere(tmp_path: Path, place: int, bit: int) -> None:
    """A flip either is seen, or leaves the content as it was."""
    whole = bytearray(written(tmp_path).read_bytes())
    whole[place % len(whole)] ^= 1 << bit
    path = tmp_path / "checkpoint-0000004.safetensors"
    path.write_bytes(whole)
    try:
        found = checkpoint.load(path)
    except InputError:
        return
    check_equal(found)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=20))
def test_overwritten_bytes(tmp_path: Path, places: list[tuple[int, int]]) -> None:
    whole = bytearray(written(tmp_path).read_bytes())
    for place, byte in places:
        whole[place % len(whole)] = byte
    path = tmp_path / "checkpoint-0000004.safetensors"
    path.write_bytes(whole)
    try:
        found = checkpoint.load(path)
    except InputError:
        return
    check_equal(found)


def test_a_flipped_bit_in_every_byte_of_the_header(tmp_path: Path) -> None:
    whole = written(tmp_path).read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    path = tmp_path / "checkpoint-0000004.safetensors"
    for place in range(header):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 7]) + whole[place + 1 :])
        try:
            found = checkpoint.load(path)
        except InputError:
            continue
        check_equal(found)


def test_contents_exchanged_between_tensors(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import save

    with safe_open(written(tmp_path), framework="pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    shape = tensors["shared/model/z"].shape
    for changes in (
        {"shared/model/z": tensors["shared/model/z"].reshape(*reversed(shape))},
        {"shared/model/z": tensors["shared/model/z"].view(torch.int32)},
        {"shared/model/more": torch.ones(1)},
    ):
        damaged(tmp_path, save({**tensors, **changes}, header))
    damaged(tmp_path, save(tensors, {**header, "state": header["state"].replace('"round": 3', '"round": 4')}))
    fewer = {name: tensor for name, tensor in tensors.items() if name != "flags/gyro"}
    damaged(tmp_path, save(fewer, header))
