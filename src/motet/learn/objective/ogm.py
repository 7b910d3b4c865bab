"""On-the-fly gradient modulation: a modality that is ahead learns more slowly (OGM-GE, Peng et al., CVPR 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from motet.learn.confidence import confidence
from motet.learn.objective import Phase
from motet.learn.objective.joint import Joint
from motet.learn.sample import Batch, Net, Slots
from motet.nets.network import State
from motet.values import NotNegative

SMALLEST_SCORE = 1e-12


@dataclass(frozen=True)
class Ogm(Joint):
    """Intermediate fusion whose encoders' gradients are multiplied by `coefficient`, plus noise of their own size.

    A modality's score is the mean probability of the true class in the minibatch when every other slot is zero, over
    the samples that use it (the authors, who miss none, take the sum). The noise is Gaussian, of the standard deviation
    that each gradient tensor has after that; our reading: the authors' code takes the deviation before, so that what is
    slowed down is as noisy as what is not, and gives noise to the kernels of two-dimensional convolutions alone.

    Parameters
    ----------
    strength : float
        a of the coefficient.
    noise : bool
        Whether there is any ("GE").
    """

    strength: NotNegative = 0.3
    noise: bool = True

    @property
    def noisy(self) -> bool:
        return self.noise

    def loss(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        factor = coefficient(*self._scores(net, slots, batch), self.strength)
        value = {
            m: factor[place] * z + (1 - factor[place]) * z.detach() for place, (m, z) in enumerate(slots.value.items())
        }
        return super().loss(net, aux, slots._replace(value=value), batch, phase)

    def _scores(self, net: Net, slots: Slots, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return each modality's score, (M,), and whether it has one, bool (M,)."""
        assert batch.y is not None
        sums, counts = [], []
        for m in slots.value:
            alone = {other: z.detach() if other == m else torch.zeros_like(z) for other, z in slots.value.items()}
            logits = self.logits(net.frozen(), slots._replace(value=alone))
            used = slots.used[m] & batch.mask
            sums.append((used * confidence(logits, batch.y)).sum())
            counts.append(used.sum())
        count = torch.stack(counts)
        return torch.stack(sums) / count.clamp(min=1), count > 0

    def correct(self, gradients: State, noise: State) -> State:
        return {
            name: value + deviation(value) * noise[name] if name.startswith("encoder.") else value
            for name, value in gradients.items()
        }


def coefficient(scores: Tensor, known: Tensor, strength: float) -> Tensor:
    """Return what each modality's gradient is multiplied by.

    1 - tanh(a rho_m) where rho_m > 1, else 1; rho_m is the modality's score over the mean score of the others. The
    authors have two modalities; the mean is our reading for more.

    Parameters
    ----------
    scores : Tensor (M,)
    known : bool (M,)
        Which modalities have a score.
    strength : float
        a.

    Returns
    -------
    Tensor (M,)
        Without gradient; 1 for a modality that is the only one with a score.
    """
    scores = torch.where(known, scores, 0).detach()
    count = known.sum() - known.to(torch.int64)
    others = (scores.sum() - scores) / count.clamp(min=1)
    ratio = scores / others.clamp(min=SMALLEST_SCORE)
    return torch.where((ratio > 1) & (count > 0), 1 - torch.tanh(strength * ratio), 1)


def deviation(gradient: Tensor) -> Tensor:
    """Standard deviation of a tensor's numbers, (); 0 for a single one."""
    return (gradient - gradient.mean()).square().mean().sqrt() if gradient.numel() > 1 else gradient.new_zeros(())
