"""Knowledge infiltrating from the dominant modality into the others (FedCMI, arXiv 2401.00894)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from motet.learn.confidence import confidence, strongest
from motet.learn.confidence import survey as take_survey
from motet.learn.objective import Parts, Phase
from motet.learn.objective.joint import Joint
from motet.learn.prototypes import one_hot
from motet.learn.sample import Batch, Net, PerModality, Slots
from motet.nets.network import State
from motet.values import NotNegative

UNTAUGHT, TAUGHT = Phase("untaught"), Phase("taught")
SMALLEST_CONFIDENCE = 1e-6


@dataclass(frozen=True)
class Infiltrate(Joint):
    """Two projectors behind each encoder, one classifier for both; the fusion sees the self features.

    The loss of a sample is CE(F, y) + lambda_1 sum_m CE(z_self^m, y) + lambda_2 L_inf, with one modality CE(F, y).
    L_inf is the cross-entropy of the weaker modalities' infiltration logits to the self logits that the received model
    gives the dominant modality, at a temperature of each class; there is none in the first round, in which the model
    received knows nothing yet. After the authors' code; for more than two modalities the dominant one teaches every
    other, which is our reading, as is that a sample which lacks all modalities but one counts as a client with one.
    The pull to the model received is a drift and holds every client; the published loss has it where there are several.

    Parameters
    ----------
    self_weight : float
        lambda_1.
    infiltration_weight : float
        lambda_2.
    temperature : {"class", "none"}
        See `temperature`; ``none``: 1 for every class.
    dominance : {"local", "global"}
        Which modality dominates. ``local``: that with the largest summed confidence in the minibatch. ``global``: that
        with the highest mean over all clients' samples in the round before.
    """

    self_weight: NotNegative = 2.0
    infiltration_weight: NotNegative = 1.0
    temperature: Literal["class", "none"] = "class"
    dominance: Literal["local", "global"] = "local"

    uses_received: ClassVar[bool] = True

    @property
    def surveys(self) -> bool:
        return True

    @property
    def shares_scores(self) -> bool:
        return self.dominance == "global"

    def parts(self, modalities: list[str], features: int, classes: int) -> Parts:
        parts = super().parts(modalities, features, classes)
        for m in modalities:
            parts |= {f"{name}.{m}": partial(nn.Linear, features, features) for name in ("self", "infiltration")}
            parts[f"classifier.{m}"] = partial(nn.Linear, features, classes)
        return parts

    def phases(self, modalities: list[str], round: int, scores: Any) -> tuple[Phase, ...]:  # noqa: A002
        return (TAUGHT if round > 1 else UNTAUGHT,)

    def survey(self, net: Net, encoded: PerModality, batch: Batch) -> State:
        return take_survey({m: self_logits(net, m, z) for m, z in encoded.items()}, batch)

    def project(self, net: Net, slots: Slots) -> Slots:
        value = {m: torch.where(slots.used[m][:, None], net(f"self.{m}", z), 0) for m, z in slots.value.items()}
        return slots._replace(value=value)

    def loss(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch, phase: Phase) -> Tensor:
        assert batch.y is not None
        loss = F.cross_entropy(self.logits(net, slots), batch.y, reduction="none")
        speaks = _among_several(slots, batch)
        own = {m: net(f"classifier.{m}", slots.value[m]) for m in speaks}
        for m, logits in own.items():
            loss = loss + self.self_weight * speaks[m] * F.cross_entropy(logits, batch.y, reduction="none")
        if phase == UNTAUGHT or self.infiltration_weight == 0:
            return loss
        return loss + self.infiltration_weight * self._infiltration(net, aux, own, slots, batch)

    def _infiltration(self, net: Net, aux: dict[str, Any], own: PerModality, slots: Slots, batch: Batch) -> Tensor:
        """L_inf of each sample, (B,)."""
        assert batch.y is not None
        speaks, names = _among_several(slots, batch), list(own)
        dominant = self._dominant(aux, own, speaks, batch)
        total = torch.zeros_like(own[names[0]][:, 0])
        for place, strong in enumerate(names):
            teacher = self_logits(aux["teacher"], strong, batch.received[strong]).detach()
            for weak in names:
                if weak == strong:
                    continue
                student = net(f"classifier.{weak}", net(f"infiltration.{weak}", slots.encoded[weak]))
                tau = self._temperatures(aux["survey"], strong, weak, batch.y)[:, None]
                each = -(torch.softmax(teacher / tau, -1) * torch.log_softmax(student / tau, -1)).sum(-1)
                total = total + dominant[place] * (speaks[strong] & speaks[weak]) * each
        return total

    def _dominant(self, aux: dict[str, Any], own: PerModality, speaks: PerModality, batch: Batch) -> Tensor:
        """Mark the dominant modality, (M,)."""
        assert batch.y is not None
        if self.dominance == "global":
            score = torch.stack([aux["scores"][m] for m in own])
        else:
            summed = [((speaks[m] & batch.mask) * confidence(z.detach(), batch.y)).sum() for m, z in own.items()]
            score = torch.stack(summed)
        return strongest(score).to(next(iter(own.values())).dtype)

    def _temperatures(self, survey: State, strong: str, weak: str, y: Tensor) -> Tensor:
        """Return the temperature of each sample, (B,)."""
        p, q = survey[f"confidence/{strong}"], survey[f"confidence/{weak}"]
        if self.temperature == "none":
            return torch.ones_like(y, dtype=p.dtype)
        seen = (survey[f"count/{strong}"] > 0) & (survey[f"count/{weak}"] > 0)
        return one_hot(y, len(p), p.dtype) @ temperature(p, q, seen)


def self_logits(net: Net, m: str, z: Tensor) -> Tensor:
    """Return a modality's self logits, (B, d) to (B, C)."""
    return net(f"classifier.{m}", net(f"self.{m}", z))


def temperature(strong: Tensor, weak: Tensor, seen: Tensor) -> Tensor:
    """Class-wise temperature of what a stronger modality teaches a weaker one.

    With q_c = p_strong,c / p_weak,c, each clamped at 1e-6, and its mean over the classes seen: 1 / (1 + 2 ln(q_c /
    mean)) where q_c exceeds the mean, else 1; a class not seen has 1. So a class in which the strong modality leads by
    more than usual is taught by sharper labels. The authors' code divides the other direction by a harmonic mean; we
    use one form both ways.

    Parameters
    ----------
    strong, weak : Tensor (C,)
        Mean probability of the true class.
    seen : bool (C,)

    Returns
    -------
    Tensor (C,)
    """
    ratio = strong.clamp(min=SMALLEST_CONFIDENCE) / weak.clamp(min=SMALLEST_CONFIDENCE)
    there = seen.to(ratio.dtype)
    mean = (ratio * there).sum() / there.sum().clamp(min=1)
    lead = torch.where(seen & (ratio > mean), ratio / torch.where(mean > 0, mean, 1), 1)
    return 1 / (1 + 2 * torch.log(lead))


def _among_several(slots: Slots, batch: Batch) -> PerModality:
    """Return where a modality speaks for itself and is not the only one, bool (B,)."""
    own = slots.own(batch)
    several = torch.stack(list(own.values())).sum(0) > 1
    return {m: there & several for m, there in own.items()}
