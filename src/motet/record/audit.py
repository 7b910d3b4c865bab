"""The shape of `audit.json`: what an eavesdropper recovers of clients' samples from what they send."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

AUDIT_FORMAT: Literal["motet-audit/1"] = "motet-audit/1"
EXACT = 32
"""Bits of a number that is sent as it is."""
NEAREST, PROTOTYPE, GRADIENT = "nearest sample", "prototype inversion", "gradient inversion"


class Leak(BaseModel):
    """What one attack makes of messages that are protected in one way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bits: int = Field(description="per number of the message; 32 is exact")
    noise: float = Field(
        description="deviation of the noise on each number of a message, in lengths of the message; 0 is none"
    )
    mean: float = Field(description="over clients, on the attack's scale")
    sd: float | None = Field(description="standard deviation over clients; null with one")
    near: float | None = Field(description="mean cosine of reconstruction and sample, to be held against `held`")
    by_client: dict[str, float]
    by_modality: dict[str, float] = Field(description="over all clients' samples")


class Attempt(BaseModel):
    """An attack, on messages from unprotected to well protected."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: Literal["auroc", "recovery"] = Field(
        description="auroc: of telling the client's samples from held ones, .5 is guessing; "
        "recovery: 0 no better than held data, 1 exact"
    )
    samples: int | None = Field(description="in the minibatch that an update was made of; null for prototypes")
    held: float | None = Field(description="cosine that held data alone reach, where recovery is 0")
    leaks: list[Leak]


class Audit(BaseModel):
    """What an eavesdropper with the model and with held data recovers from one message of some clients."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["motet-audit/1"] = AUDIT_FORMAT
    recipe: str
    seed: int
    data: str
    round: int = Field(description="after which the model was received")
    clients: list[int] = Field(description="whose messages were read")
    held: int = Field(description="samples that the eavesdropper has: of the test split")
    steps: int = Field(description="of gradient descent in an inversion")
    attempts: dict[str, Attempt] = Field(description="attack -> what it makes of protected messages")
    notes: list[str] = Field(description="what was not attacked, and what the eavesdropper was given")
