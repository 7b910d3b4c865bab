"""A method: one member of each family, put together into what a device and the server compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

    @property
    def uses_prototypes(self) -> bool:
        """Whether clients build and exchange prototypes."""
        return self.missing.uses_prototypes or self.degraded.uses_prototypes

    @property
    def uses_quality(self) -> bool:
        """Whether a sample's quality matters: to its treatment, or to whether it enters a prototype."""
        return self.degraded.uses_quality or self.uses_prototypes

    def phases(self) -> tuple[Phase, ...]:
        """Return the phases of one local cycle."""
        return self.objective.phases(self.modalities)

    def trains(self, phase: Phase) -> list[str]:
        """Return the names of the parameters that learn in a phase."""
        return [name for part, names in self.network.names.items() if phase.holds(part) for name in names]

    def encode(self, params: State, x: PerModality) -> PerModality:
        """Encode every modality, (B, *shape) to (B, d)."""
        return {m: self.network(params, f"encoder.{m}", x[m]) for m in self.modalities}

    def aux(self, shared: Mapping[str, State]) -> dict[str, Any]:
        """Return what loss and prediction need besides parameters, from the server's broadcast."""
        aux: dict[str, Any] = {"model": shared["model"]}
        if self.uses_prototypes:
            aux["prototypes"] = proto.from_state(shared["prototypes"], self.settings.prototype_temperature)
        return aux

    def loss(self, params: State, aux: dict[str, Any], batch: Batch, phase: Phase) -> Tensor:
        """Return the mean loss over the rows of the mask, (); 0 where it is empty."""
        return self.loss_of(params, aux, self.encode(params, batch.x), batch, phase)

    def loss_of(self, params: State, aux: dict[str, Any], encoded: PerModality, batch: Batch, phase: Phase) -> Tensor:
        """Return `loss` where the samples are encoded already."""
        net = self.network.bind(params)
        slots, aux = self._slots(net, aux, encoded, batch)
        each = self.objective.loss(net, aux, slots, batch, phase)
        each = each + self.degraded.penalty(net, aux, slots, batch)
        if projection.PART in self.network.parts:  # whichever members brought it, it is trained once
            each = each + projection.training_loss(net, aux["prototypes"], slots.encoded, batch)
        mean = torch.where(batch.mask, each, 0).sum() / batch.mask.sum().clamp(min=1)
        return mean + self.drift.penalty(params, aux)

    def logits(self, params: State, aux: dict[str, Any], encoded: PerModality, batch: Batch) -> Tensor:
        """Predict class scores (B, C) from encoded samples, without labels."""
        net = self.network.bind(params)
        slots, _ = self._slots(net, aux, encoded, batch._replace(y=None))
        return self.objective.logits(net, slots)

    def _slots(self, net: Net, aux: dict[str, Any], encoded: PerModality, batch: Batch) -> tuple[Slots, dict[str, Any]]:
        """Return the slots that the fusion sees, and `aux` with what good features would be (``expected``)."""
        if self.uses_prototypes:
            aux = {**aux, "expected": proto.expected(aux["prototypes"], encoded, batch)}
        slots = Slots(encoded=encoded, value=encoded, used=batch.present)
        slots = self.degraded.adjust(net, aux, slots, batch)
        return self.missing.fill(net, aux, slots, batch), aux


def build_method(
    data: DataSettings, settings: RecipeSettings, modalities: dict[str, Modality], classes: int, seed: int
) -> Method:
    """Put a method together: its members by name, and a network with the parts that they ask for.

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
    parts |= members["missing"].parts(data.features) | members["degraded"].parts(data.features)
    network = Network({name: make_part(seed, name, make) for name, make in parts.items()})
    return Method(network, names, classes, data.features, settings, **members)
