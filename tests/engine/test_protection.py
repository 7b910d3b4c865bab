"""What arrives of protected messages: the wire's own loss, and noise of the size that was asked for."""

from __future__ import annotations

import pytest
import torch
from people import federation

from motet.engine.audit.eavesdropper import Eavesdropper
from motet.engine.audit.protection import (
    PROTECTIONS,
    Protection,
    arriving_prototypes,
    arriving_update,
    noisy,
)
from motet.engine.state import initial_state

FEDERATION = federation(recipe="qqr")
EXPECTED = Eavesdropper(FEDERATION, initial_state(FEDERATION)).client.expected
CLASSES, WIDTH = 3, 4


def test_from_unprotected_to_well_protected() -> None:
    assert PROTECTIONS[0] == (32, 0.0)
    assert [p.bits for p in PROTECTIONS if not p.noise] == [32, 8, 4, 2]
    assert [p.noise for p in PROTECTIONS if p.bits == 32] == [0, 0.01, 0.1, 1]


def test_noise_is_in_lengths_of_each_message() -> None:
    messages = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert torch.equal(
        noisy(messages, torch.tensor([[1.0, -2.0], [1.0, 1.0]]), 0.1), messages + torch.tensor([[0.5, -1.0], [0, 0]])
    )


def packed() -> dict[str, torch.Tensor]:
    """Make a message that lacks the second class."""
    return {
        "mean/move": torch.tensor([[0.0, 1.0, 2.0, 3.0], [10.0, 11.0, 12.0, 14.0]]),
        "count/move": torch.tensor([5, 0, 2], dtype=torch.int32),
        "variance/move": torch.tensor(1.0),
    }


def arrived(protection: Protection) -> torch.Tensor:
    drawn = {"move": torch.ones(CLASSES, WIDTH), "body": torch.ones(CLASSES, WIDTH)}
    return arriving_prototypes(packed(), protection, drawn, EXPECTED)["mean/move"]


def test_prototypes_arrive_with_a_row_for_every_class() -> None:
    assert torch.equal(arrived(Protection())[[0, 2]], packed()["mean/move"])
    assert torch.equal(arrived(Protection())[1], torch.zeros(WIDTH))


def test_each_prototype_is_quantised_between_its_own_ends() -> None:
    two = arrived(Protection(bits=2))
    assert two[0].tolist() == [0, 1, 2, 3]
    assert two[2].tolist() == pytest.approx([10, 10 + 4 / 3, 10 + 2 * 4 / 3, 14])


def test_each_prototype_has_noise_of_its_own_length() -> None:
    added = arrived(Protection(noise=0.1))[[0, 2]] - packed()["mean/move"]
    lengths = 0.1 * packed()["mean/move"].norm(dim=1, keepdim=True)
    torch.testing.assert_close(added, lengths.expand(2, WIDTH))


def test_an_update_is_one_message_in_noise_and_a_tensor_each_in_bits() -> None:
    state = FEDERATION.method.network.state()
    update = {name: torch.zeros_like(value) for name, value in state.items()}
    first, second = list(update)[:2]
    update[first].flatten()[0], update[second].flatten()[0] = 3.0, 4.0
    size = sum(value.numel() for value in update.values())
    exact = arriving_update(update, Protection(), torch.ones(size), EXPECTED)
    assert all(torch.equal(exact[name], value) for name, value in update.items())
    noise = arriving_update(update, Protection(noise=0.1), torch.ones(size), EXPECTED)
    assert all(torch.allclose(noise[name] - value, torch.tensor(0.5)) for name, value in update.items())
    coarse = arriving_update(update, Protection(bits=2), torch.ones(size), EXPECTED)
    assert {*coarse[first].flatten().tolist()} == {0, 3}
    assert {*coarse[second].flatten().tolist()} == {0, 4}
