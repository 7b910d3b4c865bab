"""The shape of `worth.json`: what each modality is worth to a trained model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

WORTH_FORMAT: Literal["motet-worth/1"] = "motet-worth/1"


class Share(BaseModel):
    """The modalities' worth on some samples: Shapley values of accuracy, which add up to accuracy minus chance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int
    accuracy: float
    worth: dict[str, float] = Field(description="modality -> Shapley value, a fraction of 1")


class Worth(BaseModel):
    """The exact Shapley value of accuracy over all subsets of the modalities, on the test split."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["motet-worth/1"] = WORTH_FORMAT
    recipe: str
    seed: int
    data: str
    chance: float = Field(description="1 / number of classes: what a sample counts where it has none of a subset")
    reached: dict[str, float] = Field(
        description="subset -> accuracy with its modalities alone over all samples, chance where one has none of them"
    )
    overall: Share
    by_class: dict[str, Share] = Field(description="of the classes that the test split holds")
    by_client: dict[str, Share] = Field(description="per client of the test split; empty where unknown")
