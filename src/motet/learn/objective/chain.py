"""One modality after another, each trained on what those before it leave to explain (FedMChain, arXiv 2606.01856)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from motet.learn.confidence import survey as take_survey
from motet.learn.objective import Phase
from motet.learn.objective.late import Late, modality_logits
from motet.learn.sample import Batch, Net, PerModality, Slots
from motet.nets.network import State
from motet.values import NotNegative


@dataclass(frozen=True)
class Chain(Late):
    """In a modality's phase its encoder and head learn from the samples that have it, everything else rests.

    L = (CE(z^m, y) + gamma CE(A + z^m, y)) / (1 + gamma), where A is the sum of the logits, without gradient, of the
    present modalities whose phase has been; CE(z^m, y) where there is none. The formulas are our reading of the paper,
    from its ancestors ReconBoost and TIES. Prediction is that of late fusion; what stands in for an absent modality
    counts there alone.

    Parameters
    ----------
    gamma : float
        Weight of the error that the chain so far leaves.
    order : {"fixed", "rotating", "weakest"}
        Of the phases. ``fixed``: as in the data. ``rotating``: another modality is the first in every round.
        ``weakest``: by the mean probability of the true class over all clients' samples in the round before, the lowest
        first.
    """

    gamma: NotNegative = 1.0
    order: Literal["fixed", "rotating", "weakest"] = "fixed"

    @property
    def surveys(self) -> bool:
        return self.order == "weakest"

    @property
    def shares_scores(self) -> bool:
        return self.order == "weakest"

    def phases(self, modalities: list[str], round: int, scores: Mapping[str, float]) -> tuple[Phase, ...]:  # noqa: A002
        order = self._order(modalities, round, scores)
        return tuple(
            Phase(m, frozenset({f"encoder.{m}", f"head.{m}"}), tuple(order[: place + 1]))
            for place, m in enumerate(order)
        )

    def _order(self, modalities: list[str], round: int, scores: Mapping[str, float]) -> list[str]:  # noqa: A002
        if self.order == "rotating":
            first = (round - 1) % len(modalities)
            return modalities[first:] + modalities[:first]
        if self.order == "weakest":
            return sorted(modalities, key=lambda m: scores.get(m, 0.0))
        return modalities

    def survey(self, net: Net, encoded: PerModality, batch: Batch) -> State:
        return take_survey({m: net(f"head.{m}", z) for m, z in encoded.items()}, batch)

    def counts(self, slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        return batch.mask & slots.own(batch)[_learning(phase)]

    def loss(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        assert batch.y is not None
        assert phase.sees is not None
        there = slots.own(batch)
        logits = modality_logits(net, slots._replace(used=there), phase.sees)
        own = logits.pop(_learning(phase))
        alone = F.cross_entropy(own, batch.y, reduction="none")
        if not logits:
            return alone
        before = torch.stack(list(logits.values())).sum(0).detach()
        visited = torch.stack([there[m] for m in logits]).any(0)
        together = F.cross_entropy(before + own, batch.y, reduction="none")
        return torch.where(visited, (alone + self.gamma * together) / (1 + self.gamma), alone)


def _learning(phase: Phase) -> str:
    assert phase.sees is not None
    return phase.sees[-1]
