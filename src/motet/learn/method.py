"""A method: one member of each family, put together into what a device and the server compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from motet.config import DataSettings, RecipeSettings
from motet.data.dataset import Modality
from motet.learn import projection
from motet.learn import prototypes as proto
from motet.learn.aggregate import Aggregate
from motet.learn.degraded import Degraded
from motet.learn.drift import Drift
from motet.learn.family import create
from motet.learn.missing import Missing
from motet.learn.objective import Objective, Phase
from motet.learn.sample import Batch, Net, PerModality, Slots
from motet.learn.ternary import Ternary
from motet.nets.encoder import build, choose
from motet.nets.network import Network, State, make_part


@dataclass(frozen=True)
class Method:
    """What the engine runs; every function here is pure and for one client.

    Attributes
    ----------
    network : Network
    modalities : list of str
    classes : int
    features : int
        Width d of a feature.
    settings : RecipeSettings
    ternary : Ternary
        What the network sees of its parameters in training; everything else takes them as they are.
    """

    network: Network
    modalities: list[str]
    classes: int
    features: int
    settings: RecipeSettings
    objective: Objective
    missing: Missing
    degraded: Degraded
    drift: Drift
    aggregate: Aggregate
    ternary: Ternary = field(default_factory=Ternary)

    @property
    def uses_prototypes(self) -> bool:
        """Whether clients build and exchange prototypes."""
        return self.missing.uses_prototypes or self.degraded.uses_prototypes or self.drift.uses_prototypes

    def prototypes_due(self, round: int) -> bool:  # noqa: A002
        """Return whether clients build prototypes in a round."""
        return self.uses_prototypes and (round - 1) % self.settings.prototype_delay == 0

    @property
    def uses_quality(self) -> bool:
        """Whether a sample's quality matters: to its treatment, or to whether it enters a prototype."""
        return self.degraded.uses_quality or self.uses_prototypes

    @property
    def uses_received(self) -> bool:
        """Whether the loss asks for the received model's features of a sample."""
        return self.objective.uses_received or self.drift.uses_received

    @property
    def looks_first(self) -> bool:
        """Whether a client looks at all its samples with the model received before it trains, prototypes apart."""
        return self.uses_received or self.objective.surveys

    @property
    def corrects(self) -> bool:
        """Whether gradients are corrected before a step."""
        return self.objective.noisy or self.drift.corrects

    def phases(self, round: int = 1, shared: Mapping[str, State] | None = None) -> tuple[Phase, ...]:  # noqa: A002
        """Return the phases of one local cycle, in a round and after what the server broadcast."""
        scores = {m: float(value) for m, value in (shared or {}).get("scores", {}).items()}
        return self.objective.phases(self.modalities, round, scores)

    def sees(self, phase: Phase) -> list[str]:
        """Return the modalities whose features the loss of a phase takes."""
        across = self.uses_prototypes or self.uses_received or self.missing.looks_across
        if phase.sees is None or across:
            return self.modalities
        return [m for m in self.modalities if m in phase.sees]

    def trains(self, phase: Phase) -> list[str]:
        """Return the names of what learns in a phase, scales last; parts that no phase speaks of learn in each."""
        phases = self.phases()
        learning = [part for part in self.network.names if phase.holds(part) or not any(p.holds(part) for p in phases)]
        names = [name for part in learning for name in self.network.names[part]]
        return names + [self.ternary.scales[name] for name in names if name in self.ternary.scales]

    def encode(self, params: State, x: PerModality, phase: Phase | None = None) -> PerModality:
        """Encode what a phase sees, or every modality, (B, *shape) to (B, d); the rest is zero."""
        seen = self.modalities if phase is None else self.sees(phase)
        return self.padded({m: self.network(params, f"encoder.{m}", x[m]) for m in seen})

    def padded(self, encoded: PerModality) -> PerModality:
        """Return features of every modality: zero for those that were not encoded."""
        nothing = next(iter(encoded.values())).detach()
        return {m: encoded[m] if m in encoded else torch.zeros_like(nothing) for m in self.modalities}

    def aux(self, shared: Mapping[str, State]) -> dict[str, Any]:
        """Return what loss and prediction need besides parameters, from the server's broadcast."""
        aux: dict[str, Any] = {"model": shared["model"]}
        if self.uses_prototypes:
            aux["prototypes"] = proto.from_state(shared["prototypes"], self.settings.prototype_temperature)
        if self.objective.shares_scores:
            aux["scores"] = shared.get("scores", {})
        if "fusion" in shared:
            aux["fusion"] = shared["fusion"]
        return aux

    def survey(self, params: State, encoded: PerModality, batch: Batch) -> State:
        """Return what a client finds in its samples with the model just received."""
        return self.objective.survey(self.network.bind(params), encoded, batch)

    def loss(self, params: State, aux: dict[str, Any], batch: Batch, phase: Phase) -> Tensor:
        """Return the mean loss over the rows that count, (); where there is none, what drift alone costs."""
        return self.loss_of(params, aux, self.encode(params, batch.x, phase), batch, phase)[0]

    def loss_of(
        self, params: State, aux: dict[str, Any], encoded: PerModality, batch: Batch, phase: Phase
    ) -> tuple[Tensor, Tensor]:
        """Return `loss` where the samples are encoded already, and how many rows count, ()."""
        net, aux = self.network.bind(params), {**aux, "teacher": self.network.bind(aux["model"])}
        slots, aux = self._slots(net, aux, encoded, batch)
        each = self.objective.loss(net, aux, slots, batch, phase)
        each = each + self.degraded.penalty(net, aux, slots, batch)
        if projection.PART in self.network.parts:  # whichever members brought it, it is trained once
            each = each + projection.training_loss(net, aux["prototypes"], slots.encoded, batch)
        each = each + self.drift.feature_penalty(slots, aux, batch)
        counts = self.objective.counts(slots, batch, phase)
        mean = torch.where(counts, each, 0).sum() / counts.sum().clamp(min=1)
        return mean + self.drift.penalty(params, aux), counts.sum()

    def correct(
        self, gradients: State, own: State, common: State, reached: Mapping[str, Tensor], noise: State
    ) -> State:
        """Return the gradients to step by (see `Objective.correct` and `Drift.correct`)."""
        return self.drift.correct(self.objective.correct(gradients, noise), own, common, reached)

    def logits(self, params: State, aux: dict[str, Any], encoded: PerModality, batch: Batch) -> Tensor:
        """Predict class scores (B, C) from encoded samples, without labels."""
        net = self.network.bind(params)
        slots, _ = self._slots(net, aux, encoded, batch._replace(y=None))
        if "fusion" not in aux:
            return self.objective.logits(net, slots)
        own = self.objective.own_logits(net, slots)
        return torch.stack([aux["fusion"][m] * z for m, z in own.items()]).sum(0)

    def own_logits(self, params: State, aux: dict[str, Any], encoded: PerModality, batch: Batch) -> Tensor:
        """Predict class scores by each modality alone, (B, M, C), where the prediction is their sum."""
        net = self.network.bind(params)
        slots, _ = self._slots(net, aux, encoded, batch._replace(y=None))
        return torch.stack(list(self.objective.own_logits(net, slots).values()), dim=1)

    def _slots(self, net: Net, aux: dict[str, Any], encoded: PerModality, batch: Batch) -> tuple[Slots, dict[str, Any]]:
        """Return the slots that the fusion sees, and `aux` with what good features would be (``expected``)."""
        if self.uses_prototypes:
            aux = {**aux, "expected": proto.expected(aux["prototypes"], encoded, batch)}
        slots = Slots(encoded=encoded, value=encoded, used=batch.present)
        slots = self.degraded.adjust(net, aux, slots, batch)
        slots = self.objective.project(net, self.missing.fill(net, aux, slots, batch))
        return self.missing.fill_projected(net, slots, batch), aux


def build_method(
    data: DataSettings,
    settings: RecipeSettings,
    modalities: dict[str, Modality],
    classes: int,
    seed: int,
    gradient: str | None = None,
) -> Method:
    """Put a method together: its members by name, and a network with the parts that they ask for.

    Parameters
    ----------
    gradient : {"positive", "exact"}, optional
        Of the scales of ternary weights (`Ternary`); without one no weights are ternary.

    Raises
    ------
    InputError
        If a member or an encoder does not exist, or has no such parameter.
    """
    members = {
        family: create(family, getattr(settings, family))
        for family in ("objective", "missing", "degraded", "drift", "aggregate")
    }
    names = list(modalities)
    encoders = choose(modalities, data.encoder)
    parts = {f"encoder.{m}": partial(build, modalities[m], encoders[m], data.features) for m in names}
    parts |= members["objective"].parts(names, data.features, classes)
    parts |= members["missing"].parts(names, data.features) | members["degraded"].parts(data.features)
    network = Network({name: make_part(seed, name, make) for name, make in parts.items()})
    ternary = Ternary() if gradient is None else Ternary.of(network, gradient)
    network.begin(ternary.joined(network.state()))
    return Method(network, names, classes, data.features, settings, **members, ternary=ternary)
