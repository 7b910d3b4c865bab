"""What the values of settings may be, and how they may be written as text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

Rate = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
AtLeastOne = Annotated[float, Field(ge=1, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _assigned(value: object) -> object:
    """Read ``acc=0.5,gyro=1`` as a mapping."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in _listed(value)]  # type: ignore[attr-defined]
    if any(not sign for _, sign, _ in pairs):
        raise ValueError("must read modality=number, with commas between several")
    return {name.strip(): number for name, _, number in pairs}


def _size(value: object) -> object:
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value


Names = Annotated[list[str], BeforeValidator(_listed)]
Levels = Annotated[dict[str, NotNegative], BeforeValidator(_assigned)]
Rounds = Annotated[list[Count], BeforeValidator(_listed)]
Samples = Annotated[Count | Literal["all"], BeforeValidator(_size)]
Attack = Literal["sign-flip", "scaled", "label-flip", "prototype-poisoning", "colluding", "noise"]
Pattern = Literal["independent", "correlated", "persistent", "bursty", "alternating"]
UPLOADS = ("dense", "q8", "q4", "topk", "topk+memory", "topk+memory+q8+deflate", "ternary", "ternary+deflate")
"""Uploads to suggest; `motet.wire.codec` reads any chain of their steps."""
