"""Which encoder a modality gets: by its kind, or by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from motet.data.dataset import Modality
from motet.errors import InputError, unknown
from motet.nets.image import ImageConvolution
from motet.nets.signal import SignalConvolution, SignalFixed, SignalRecurrence, SignalSummary
from motet.nets.tokens import TokenAverage, TokenRecurrence
from motet.nets.vector import Perceptron

Build = Callable[[Modality, int], nn.Module]

ENCODERS: dict[str, dict[str, Build]] = {  # the first of each kind is its default
    "signal": {
        "conv": SignalConvolution,
        "lstm": partial(SignalRecurrence, cell=nn.LSTM),
        "gru": partial(SignalRecurrence, cell=nn.GRU),
        "mlp": Perceptron,
        "summary": SignalSummary,
        "fixed": SignalFixed,
    },
    "image": {"conv": ImageConvolution, "mlp": Perceptron},
    "tokens": {
        "lstm": partial(TokenRecurrence, cell=nn.LSTM),
        "gru": partial(TokenRecurrence, cell=nn.GRU),
        "mlp": TokenAverage,
    },
    "vector": {"mlp": Perceptron},
}


def choose(modalities: dict[str, Modality], wish: str) -> dict[str, str]:
    """Return the name of each modality's encoder.

    Parameters
    ----------
    modalities : dict of str to Modality
    wish : str
        ``auto`` (each kind's default); one name, used wherever the kind has it; or ``acc=conv,gyro=lstm``.

    Raises
    ------
    InputError
        If a name is unknown, or none of the modalities' kinds has such an encoder.
    """
    if "=" in wish:
        return _assigned(modalities, wish)
    default = {m: next(iter(ENCODERS[spec.kind])) for m, spec in modalities.items()}
    if wish == "auto":
        return default
    if wish not in {name for names in ENCODERS.values() for name in names}:
        raise unknown("encoder", wish, {"auto", *(name for names in ENCODERS.values() for name in names)})
    chosen = {m: wish for m, spec in modalities.items() if wish in ENCODERS[spec.kind]}
    if not chosen:
        kinds = sorted({spec.kind for spec in modalities.values()})
        raise InputError(f"no modality here has a {wish} encoder: they are of kind {', '.join(kinds)}")
    return default | chosen


def _assigned(modalities: dict[str, Modality], wish: str) -> dict[str, str]:
    chosen = choose(modalities, "auto")
    for part in wish.split(","):
        modality, _, name = (word.strip() for word in part.partition("="))
        if modality not in modalities:
            raise unknown("modality in --encoder", modality, modalities)
        kind = modalities[modality].kind
        if name not in ENCODERS[kind]:
            raise unknown(f"encoder of a modality of kind {kind}", name, ENCODERS[kind])
        chosen[modality] = name
    return chosen


def blank(modalities: dict[str, Modality]) -> dict[str, Tensor]:
    """Return what stands in the place of a sample that is not there, (1, *shape) of each modality."""
    kinds = {"tokens": torch.int64}
    return {
        m: torch.full((1, *spec.shape), spec.pad, dtype=kinds.get(spec.kind, torch.float32))
        for m, spec in modalities.items()
    }


def build(modality: Modality, name: str, features: int) -> nn.Module:
    """Make one encoder, (batch, *shape) to (batch, features)."""
    return ENCODERS[modality.kind][name](modality, features)
