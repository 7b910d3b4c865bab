"""How sure a modality alone is of the right class: the score by which modalities are called strong and weak."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from motet.learn.prototypes import one_hot
from motet.learn.sample import Batch, PerModality
from motet.nets.network import State


def confidence(logits: Tensor, y: Tensor) -> Tensor:
    """Softmax probability of the true class, (B,)."""
    return (torch.softmax(logits, dim=-1) * one_hot(y, logits.shape[-1], logits.dtype)).sum(-1)


def survey(logits: PerModality, batch: Batch) -> State:
    """Summarise one client's samples.

    Parameters
    ----------
    logits : dict of modality to Tensor (B, C)
        Of each modality alone.
    batch : Batch

    Returns
    -------
    dict with, per modality
        ``confidence/m`` (C,): mean probability of the true class over the samples of a class that have the modality,
        zero where there is none; ``count/m`` (C,): number of such samples.
    """
    assert batch.y is not None
    found = {}
    for m, own in logits.items():
        member = one_hot(batch.y, own.shape[-1], own.dtype) * (batch.present[m] & batch.mask).to(own.dtype)[:, None]
        count = member.sum(0)
        found[f"confidence/{m}"] = (confidence(own, batch.y) @ member) / count.clamp(min=1)
        found[f"count/{m}"] = count
    return found


def scores(survey: Mapping[str, Tensor]) -> State:
    """Return what clients tell of their surveys, (..., C) to (...): summed confidence, and number of samples."""
    found = {}
    for name, count in survey.items():
        if name.startswith("count/"):
            m = name.removeprefix("count/")
            found[f"confidence/{m}"] = (survey[f"confidence/{m}"] * count).sum(-1)
            found[name] = count.sum(-1)
    return found


def strongest(score: Tensor) -> Tensor:
    """Mark the highest of scores, bool (M,); the first of equal ones."""
    best = score == score.amax()
    return best & (best.to(torch.int32).cumsum(0) == 1)


class Joiner:
    """The server's fold over what clients tell, in client order."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}

    def add(self, content: Mapping[str, Tensor]) -> None:
        """Add what K clients tell: ``confidence/m`` (K,) and ``count/m`` (K,)."""
        for name, value in content.items():
            self.sums[name] = self.sums.get(name, torch.zeros((), dtype=torch.float64)) + value.double().sum()

    def finish(self, before: Mapping[str, Tensor]) -> State:
        """Return each modality's mean confidence; as it was before where nobody has a sample."""
        after = dict(before)
        for name, total in self.sums.items():
            if name.startswith("confidence/"):
                m = name.removeprefix("confidence/")
                count = self.sums[f"count/{m}"]
                after[m] = torch.where(count > 0, total / count.clamp(min=1), before.get(m, torch.zeros_like(total)))
        return after
