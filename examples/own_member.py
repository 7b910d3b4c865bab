"""A method of one's own: an absent modality's feature is the mean of the present ones'.

    python examples/own_member.py

A member is a frozen dataclass with one or two pure functions of tensors; its fields are its parameters. Whatever it is
combined with, its rounds are carried out, recorded, resumed and reported like those of any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field

import motet
from motet.learn.missing import Missing
from motet.learn.sample import Batch, Net, Slots


@motet.member("missing", "mean-feature")
@dataclass(frozen=True)
class MeanFeature(Missing):
    """weight * mean of the present modalities' features.

    Parameters
    ----------
    weight : float
        From 0 (a zero slot) to 1.
    """

    weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    looks_across = True

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        here = {m: torch.where(present[:, None], slots.value[m], 0) for m, present in batch.present.items()}
        count = torch.stack(list(batch.present.values())).sum(0).clamp(min=1)
        mean = self.weight * torch.stack(list(here.values())).sum(0) / count[:, None]
        value = {m: torch.where(present[:, None], here[m], mean) for m, present in batch.present.items()}
        used = {m: torch.where(present, slots.used[m], count > 0) for m, present in batch.present.items()}
        return slots._replace(value=value, used=used)


def main() -> None:
    """Hold it against leaving absent modalities out."""
    own = motet.Recipe("mean-feature", "the mean of the others", "this file", {"missing": "mean-feature:weight=0.5"})
    data = motet.wearables(clients=5, samples=40)
    for recipe in ("partial", own):
        result = motet.run(data, recipe=recipe, rounds=10, missing_rate=0.6, optimizer="adam", lr=0.01)
        name = result.recipe["name"]
        print(f"{name:14} {result.tail.accuracy:.3f}")


if __name__ == "__main__":
    main()
