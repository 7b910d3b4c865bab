"""How a message is protected before it is sent, by noise and by fewer bits, and what arrives of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from motet.nets.network import State
from motet.wire.codec import EXACT, Coding
from motet.wire.expected import Expected
from motet.wire.message import encode
from motet.wire.upload import encoded


class Protection(NamedTuple):
    """Noise first, then bits.

    Attributes
    ----------
    bits : int
        Per number, by the wire's own codecs; 32 is exact.
    noise : float
        sigma: each number of a message v gets N(0, (sigma |v|)^2). This is the noise multiplier of DP-SGD (Abadi et al.
        2016, arXiv 1607.00133), a deviation in units of the length that messages are clipped at, where that is a
        message's own, so that clipping changes nothing. In D dimensions the noise is sigma sqrt(D) times as long as v.
    """

    bits: int = EXACT
    noise: float = 0.0


PROTECTIONS = (
    *(Protection(bits=bits) for bits in (EXACT, 8, 4, 2)),
    *(Protection(noise=noise) for noise in (0.01, 0.1, 1.0)),
)


def arriving_prototypes(
    packed: State, protection: Protection, drawn: Mapping[str, Tensor], expected: Expected
) -> State:
    """Return what the server makes of a client's prototypes, ``mean/m`` (C, d) among it.

    Each prototype is a message by itself, in noise as in bits.

    Parameters
    ----------
    packed : State
        From `motet.learn.prototypes.pack`.
    protection : Protection
    drawn : mapping of modality to Tensor (C, d)
        Standard normal numbers.
    expected : Expected
        How the server reads messages.
    """
    sent = dict(packed)
    for m, numbers in drawn.items():
        if f"mean/{m}" in packed:
            seen = packed[f"count/{m}"] > 0
            sent[f"mean/{m}"] = noisy(packed[f"mean/{m}"], numbers[seen], protection.noise)
    arrived = expected.received_prototypes(encode(sent, protection.bits, by_row=True))
    return {name: value[0] for name, value in arrived.content.items()}


def arriving_update(update: State, protection: Protection, drawn: Tensor, expected: Expected) -> State:
    """Return what the server makes of a client's update, which is one message in noise and a tensor each in bits.

    Parameters
    ----------
    update : State
    protection : Protection
    drawn : Tensor (D,)
        Standard normal numbers.
    expected : Expected
    """
    flat = torch.cat([value.flatten() for value in update.values()])
    pieces = torch.split(noisy(flat[None], drawn[None], protection.noise)[0], [v.numel() for v in update.values()])
    sent = {name: piece.reshape(update[name].shape) for name, piece in zip(update, pieces, strict=True)}
    arrived = expected.received("model", encoded(sent, Coding(bits=protection.bits)))
    return {name: value[0] for name, value in arrived.content.items()}


def noisy(messages: Tensor, drawn: Tensor, noise: float) -> Tensor:
    """Return messages (R, D) with noise added to each, from standard normal numbers (R, D); see `Protection`."""
    length: Tensor = torch.linalg.vector_norm(messages, dim=1, keepdim=True)
    return messages + noise * length * drawn
