"""The record of a run's regret."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Regret(BaseModel):
    """How much more a run lost on its arrivals, as clean samples, than the best fixed model would have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["motet-regret/1"] = "motet-regret/1"
    config: dict[str, Any]
    seed: int
    rounds: list[int] = Field(description="where the regret was looked at")
    regret: list[float] = Field(description="after those rounds, in nats")
    slope: float | None = Field(description="of log regret over log rounds; null where regret is not positive")
    loss: float = Field(description="mean over rounds of the learner's loss on what arrived")
    comparator: Literal["solved", "trained"] = Field(
        description="solved: the best fixed model, of a convex loss; trained: by Adam on all that arrived"
    )
    comparator_loss: float = Field(description="mean over rounds")
    gradient_norm: float = Field(description="of the comparator's summed loss by its parameters, in means over rounds")
    accuracy: float = Field(description="on the test split, mean over the last ten rounds")
