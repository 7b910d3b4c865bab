"""Messages that are damaged, or made up."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from motet.wire.message import MAGIC, decode, encode


def flipped(message: bytes, rng: np.random.Generator) -> bytes:
    """Flip up to eight bits, mostly near the start, where the layout stands."""
    damaged = bytearray(message)
    reach = len(damaged) if rng.random() < 0.3 else min(60, len(damaged))
    for place in rng.integers(0, 8 * reach, rng.integers(1, 9)):
        damaged[place // 8] ^= 1 << (place % 8)
    return bytes(damaged)


def cut(message: bytes, rng: np.random.Generator) -> bytes:
    return message[: rng.integers(0, len(message))]


def longer(message: bytes, rng: np.random.Generator) -> bytes:
    return message + rng.bytes(int(rng.integers(1, 50)))


def random_bytes(message: bytes, rng: np.random.Generator) -> bytes:
    """Return anything, behind a good start or not."""
    return message[: rng.integers(0, 30)] + rng.bytes(int(rng.integers(0, 200)))


def joint(message: bytes, rng: np.random.Generator) -> bytes:
    """Return the start of a message and the end of it, overlapping or with a gap."""
    return message[: rng.integers(1, len(message))] + message[rng.integers(1, len(message)) :]


def spoilt_numbers(message: bytes, rng: np.random.Generator) -> bytes:
    """Write a number that cannot be meant into a tensor."""
    content = decode(message)
    value = content[list(content)[rng.integers(len(content))]].reshape(-1)
    if value.is_floating_point():
        value[rng.integers(len(value))] = float(rng.choice([np.nan, np.inf, -np.inf, 1e30, -3e38]))
    elif value.dtype != torch.bool:
        value[rng.integers(len(value))] = int(rng.choice([-7, -(2**31), 2**31 - 1]))
    return encode(content)


def reshaped(message: bytes, rng: np.random.Generator) -> bytes:
    """Give a tensor another shape or number type, or another name."""
    content = decode(message)
    name = list(content)[rng.integers(len(content))]
    value = content.pop(name)
    changes: list[Callable[[], Any]] = [
        lambda: value.reshape(1, *value.shape),
        lambda: value.reshape(-1)[: value.numel() // 2],
        lambda: torch.cat([value.reshape(-1)] * 2),
        lambda: value.reshape(-1)[0],
        lambda: value.new_zeros(0, 3),
        lambda: value.to(torch.float64 if value.dtype != torch.float64 else torch.int64),
        lambda: value.to(torch.uint8),
    ]
    if rng.random() < 0.8:
        return encode({**content, name: changes[rng.integers(len(changes))]()})
    return encode({**content, name + rng.choice(["", " ", "/", "\0"]) * 2 + "x": value})


def lying(message: bytes, rng: np.random.Generator) -> bytes:
    """Claim tensors of any size, of which a few bytes are there."""
    entries = []
    for number in range(int(rng.integers(1, 200))):
        name, dims = str(number).encode(), int(rng.integers(1, 4))
        shape = rng.choice([0, 1, 3, 255, 2**12, 2**16, 2**24, 2**32 - 1], dims)
        layout = int(rng.integers(0, 3))
        head = struct.pack("<H", len(name)) + name
        head += struct.pack("<BBBB", int(rng.integers(0, 6)), int(rng.choice([1, 8, 32])), layout, dims)
        entries.append(head + struct.pack(f"<{dims}I", *shape) + struct.pack("<I", int(rng.choice([0, 1, 2**32 - 1]))))
    return MAGIC + struct.pack("<BBH", 2, 0, len(entries)) + b"".join(entries)


BOMB = encode({"w": torch.zeros(2**24)}, deflate=True)
"""64 MiB of zeros in a few megabytes; what stands for them inflates to gigabytes as well as to this."""


def bomb(message: bytes, rng: np.random.Generator) -> bytes:
    """Return what inflates to more than it says, or says more than makes sense."""
    size = int(rng.choice([1, 100, len(message), 2**20, 2**28, 2**32 - 1]))
    body = BOMB[12:] if rng.random() < 0.1 else BOMB[12:12_000]
    return BOMB[:8] + struct.pack("<I", size) + body


DAMAGE = [flipped, cut, longer, random_bytes, joint, spoilt_numbers, reshaped, lying, bomb]
