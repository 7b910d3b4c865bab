"""What clients' prototypes give away: whose samples they are of, and what these look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from motet.engine.audit.descent import descend
from motet.engine.audit.eavesdropper import Eavesdropper, Samples
from motet.engine.audit.protection import PROTECTIONS, Protection, arriving_prototypes
from motet.engine.audit.tally import Cell
from motet.engine.watch import Watch
from motet.learn import prototypes as proto
from motet.learn.sample import PerModality
from motet.measure.auroc import auroc
from motet.measure.recovery import held_nearness, nearness
from motet.nets.network import Network, State

MOST_CLASSES = 6
"""Of a client, that are looked at."""


class Overheard(NamedTuple):
    """A client's prototypes as they arrive, and what they are made of.

    Attributes
    ----------
    client : int
    model : State
        Of the encoders that made them.
    own : Samples
    features : dict of modality to Tensor (n, d)
    means : dict of Protection to dict of modality to Tensor (C, d)
    classes : dict of modality to list of int
        Of which the client has a prototype.
    """

    client: int
    model: State
    own: Samples
    features: PerModality
    means: dict[Protection, PerModality]
    classes: dict[str, list[int]]


def overhear(spy: Eavesdropper, client: int) -> Overheard:
    """Return a client's prototypes under every protection, with the same noise but for its size."""
    method, model, own = spy.method, spy.begun(client).model, spy.own(client)
    features = spy.encode(model, own.batch.x)
    summary = proto.summarise(features, own.batch, method.classes)
    packed = proto.pack(summary)
    drawn = {m: spy.normal(f"prototypes/{m}", client, method.classes, method.features) for m in method.modalities}
    means = {}
    for protection in PROTECTIONS:
        arrived = arriving_prototypes(packed, protection, drawn, spy.client.expected)
        means[protection] = {m: arrived[f"mean/{m}"] for m in method.modalities if f"mean/{m}" in arrived}
    classes = {m: torch.nonzero(summary["count"][m])[:MOST_CLASSES, 0].tolist() for m in means[PROTECTIONS[0]]}
    return Overheard(client, model, own, features, means, classes)


def nearest_sample(spy: Eavesdropper, clients: Sequence[int], watch: Watch) -> Iterator[Cell]:
    """Yield, for each client, modality and class, the AUROC of telling the client's samples from held ones.

    By the distance of their features to the client's prototype of their class: the smaller, the more its own. Classes
    that the held data lack say nothing. What a client's samples have in common counts too, where they are one person's.
    """
    for client in watch.over(clients, "nearest samples"):
        sent = overhear(spy, client)
        held = spy.encode(sent.model, spy.held.batch.x)
        for m, labels in sent.classes.items():
            for label in labels:
                rows = spy.held.there(m, label)
                if len(rows) == 0:
                    continue
                own = sent.features[m][sent.own.good(m, label)]
                for protection, means in sent.means.items():
                    inside, outside = (_distances(z, means[m][label]) for z in (own, held[m][rows]))
                    yield Cell(client, m, protection, auroc(inside.cpu().numpy(), outside.cpu().numpy()))


def prototype_inversion(spy: Eavesdropper, clients: Sequence[int], steps: int, watch: Watch) -> Iterator[Cell]:
    """Yield how near samples that would have a client's prototypes as features come to the closest of its own.

    Such a sample is looked for by gradient descent from the mean held sample of the class, for each client, modality
    and class by itself.
    """
    pairs = [(client, m) for client in clients for m in spy.sensors]
    sent: Overheard | None = None
    for client, m in watch.over(pairs, "inverting prototypes"):
        if sent is None or sent.client != client:
            sent = overhear(spy, client)
        labels = sent.classes.get(m, [])
        if labels:
            yield from _inverted(spy, sent, m, labels, steps)


def _inverted(spy: Eavesdropper, sent: Overheard, m: str, labels: list[int], steps: int) -> Iterator[Cell]:
    start = torch.stack([spy.start(m, label) for _ in sent.means for label in labels])
    targets = torch.cat([means[m][labels] for means in sent.means.values()]).to(start.device)
    guesses = invert(spy.method.network, sent.model, m, targets, start, steps)
    for protection, found in zip(sent.means, torch.split(guesses, len(labels)), strict=True):
        for label, guess in zip(labels, found, strict=True):
            own = sent.own.x[m][sent.own.good(m, label)]
            near = float(nearness(guess[None], own).max())
            yield Cell(sent.client, m, protection, near, held_nearness(spy.guesses(m, label), own))


def invert(network: Network, model: State, m: str, targets: Tensor, start: Tensor, steps: int) -> Tensor:
    """Return samples (P, *shape) whose features are near targets (P, d), relative to the length of these."""
    scale = targets.square().sum(1).clamp(min=torch.finfo(targets.dtype).tiny)

    def miss(x: PerModality) -> Tensor:
        prepared = network.prepare({m: x[m][:, 0]})[m]
        return (network(model, f"encoder.{m}", prepared) - targets).square().sum(1) / scale

    return descend({m: start[:, None]}, miss, range(steps), steps)[m][:, 0]


def _distances(features: Tensor, prototype: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vector_norm(features - prototype.to(features.device), dim=1)
    return found
