"""An absent modality's feature is a class prototype (PMM, arXiv 2505.16138; the quantity half of QQR, 2508.11159)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from motet.learn import projection
from motet.learn import prototypes as proto
from motet.learn.missing import Missing
from motet.learn.objective import Parts
from motet.learn.sample import Batch, Net, PerModality, Slots


@dataclass(frozen=True)
class Prototype(Missing):
    """Substitution by prototypes, without gradient; the encoder is not involved.

    Parameters
    ----------
    match : {"label", "nearest", "cross"}
        Which prototype, in training. ``label``: the sample's own class. ``nearest``: the class nearest to the sample's
        good features, so no label is needed. ``cross``: a good modality's prototype, the one most similar to the
        absent modality's prototype of the sample's class in a space that all modalities share (a reading of a digest
        of the paper). At prediction always soft prototypes, which need no label.
    """

    match: Literal["label", "nearest", "cross"] = "label"
    uses_prototypes = True
    looks_across = True

    def parts(self, modalities: list[str], features: int) -> Parts:
        return {projection.PART: lambda: projection.build(features)} if self.match == "cross" else {}

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        value, used = {}, {}
        for m, present in batch.present.items():
            substitute, known = self._substitute(net, aux, m, slots.encoded, batch)
            value[m] = torch.where(present[:, None], slots.value[m], substitute)
            used[m] = torch.where(present, slots.used[m], known)
        return slots._replace(value=value, used=used)

    def _substitute(
        self, net: Net, aux: dict[str, Any], m: str, encoded: PerModality, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        if batch.y is None or self.match == "label":
            found: tuple[Tensor, Tensor] = aux["expected"][m]
            return found
        if self.match == "nearest":
            return proto.nearest(aux["prototypes"], m, encoded, batch)
        return _most_similar(net, aux["prototypes"], m, batch)


def _most_similar(net: Net, prototypes: proto.Prototypes, m: str, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the good modalities' prototype that is most similar to modality m's of each sample's class."""
    own, known = proto.by_label(prototypes, m, batch)
    others = [other for other in prototypes.mean if other != m]
    if not others:
        return own, known
    good = batch.good()
    candidates = torch.cat([prototypes.mean[other] for other in others])
    usable = torch.cat([good[other][:, None] & prototypes.known[other][None] for other in others], dim=1)
    usable = usable & proto.class_known(prototypes, m, batch)[:, None]
    projected = F.normalize(net(projection.PART, own), dim=-1)
    similarity = projected @ F.normalize(net(projection.PART, candidates), dim=-1).T
    similarity = torch.where(usable, similarity, -torch.inf)
    best = (similarity == similarity.amax(1, keepdim=True)) & usable
    first = (best & (best.to(torch.int32).cumsum(1) == 1)).to(own.dtype)
    found = first.sum(1) > 0
    return torch.where(found[:, None], first @ candidates, own).detach(), known
