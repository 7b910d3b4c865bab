"""What clients' updates give away: samples that would have caused them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.nn import functional as F

from motet.engine.audit.descent import descend
from motet.engine.audit.eavesdropper import Eavesdropper, Samples
from motet.engine.audit.protection import PROTECTIONS, arriving_update
from motet.engine.audit.tally import Cell
from motet.engine.rows import stacked, take_rows
from motet.engine.watch import Watch
from motet.learn.method import Method
from motet.learn.objective import Phase
from motet.learn.sample import Batch, PerModality
from motet.measure.recovery import held_nearness, matched, nearness
from motet.nets.network import State, as_wide
from motet.random import permutation

FEWEST = 4
"""Samples of a client that are looked for; one alone says little of what is usual."""
APART = 0.1
"""Deviation of the noise in which guesses of one class begin to differ."""


class Step(NamedTuple):
    """What a client whose whole buffer is a minibatch makes of it in one step of SGD: the worst case for its samples.

    Each phase of a cycle counts as if it began at the model received. What members add to gradients (noise, variates of
    drift) is left out.

    Attributes
    ----------
    method : Method
    phases : sequence of Phase
    model : State
        The parameters received.
    aux : mapping
        What the loss needs besides.
    rate : float
        The learning rate.
    """

    method: Method
    phases: Sequence[Phase]
    model: State
    aux: Mapping[str, Any]
    rate: float

    def updates(self, x: PerModality, batch: Batch, own: State) -> State:
        """Return the updates of many minibatches, (P, ...); recurrent networks take one after another."""
        if self.method.network.recurrent is None:
            return dict(vmap(self.update)(x, batch, own))
        places = [torch.tensor(place) for place in range(len(batch.mask))]
        return stacked([self.update(_row(x, k), take_rows(batch, k), _row(own, k)) for k in places])

    def update(self, x: PerModality, batch: Batch, own: State) -> State:
        """Return the update; gradients find their way through it to the samples.

        Parameters
        ----------
        x : dict of modality to Tensor (n, *shape)
            Standardised, as sensors deliver them.
        batch : Batch
            Of these, all but the samples.
        own : State
            What drift has kept for the client.
        """
        batch = batch._replace(x=self.method.network.prepare(x))
        total: State = {}
        for phase in self.phases:
            found = grad(self._loss)(self.model, batch, own, phase)
            total |= {name: total.get(name, 0) - self.rate * found[name] for name in self.method.trains(phase)}
        return total

    def _loss(self, params: State, batch: Batch, own: State, phase: Phase) -> Tensor:
        method, aux = self.method, {**self.aux, "model": self.model}
        received = method.encode(self.model, batch.x)
        if method.uses_received:
            batch = batch._replace(received=received)
        if method.drift.uses_previous:
            batch = batch._replace(previous=method.encode(own, batch.x))
        if method.objective.surveys:
            aux["survey"] = method.survey(self.model, received, batch)
        return method.loss_of(params, aux, method.encode(params, batch.x, phase), batch, phase)[0]


def step_of(spy: Eavesdropper) -> Step:
    """Return the step that clients make in the round that is listened to."""
    method, shared = spy.method, spy.shared
    phases = method.phases(spy.round, shared)
    return Step(method, phases, shared["model"], method.aux(shared), spy.client.rate(spy.round))


class Minibatches(NamedTuple):
    """K minibatches of some clients.

    Attributes
    ----------
    clients : list of int
        Whose each is.
    x : dict of modality to Tensor (K, n, *shape)
    batch : Batch
        Of these, (K, n), all but the samples.
    kept : State
        What drift has kept for the client of each, (K, ...).
    """

    clients: list[int]
    x: PerModality
    batch: Batch
    kept: State

    def repeated(self, times: int) -> Minibatches:
        """Return each so many times, one after another."""

        def again(tensors: PerModality) -> PerModality:
            return {name: value.repeat_interleave(times, 0) for name, value in tensors.items()}

        own = self.batch
        assert own.y is not None
        y, mask = (value.repeat_interleave(times, 0) for value in (own.y, own.mask))
        batch = Batch({}, y, mask, again(own.present), again(own.quality))
        return Minibatches(self.clients, again(self.x), batch, again(self.kept))


def minibatches(spy: Eavesdropper, clients: Sequence[int], size: int) -> Minibatches | None:
    """Return minibatches of those clients that have so many samples; None if none has."""
    chosen = [(k, own) for k in clients for own in _chosen(spy, k, size)]
    if not chosen:
        return None
    owns = [own for _, own in chosen]
    kept = stacked([spy.begun(k).own for k, _ in chosen]) if spy.method.drift.uses_previous else {}
    labels = [own.batch.y for own in owns if own.batch.y is not None]
    batch = Batch(
        x={},
        y=torch.stack(labels),
        mask=torch.stack([own.batch.mask for own in owns]),
        present=stacked([own.batch.present for own in owns]),
        quality=stacked([own.batch.quality for own in owns]),
    )
    return Minibatches([k for k, _ in chosen], stacked([own.x for own in owns]), batch, kept)


def _row(states: State, place: Tensor) -> State:
    return {name: value[place] for name, value in states.items()}


def _chosen(spy: Eavesdropper, client: int, size: int) -> list[Samples]:
    """Return minibatches of a client's samples at random, first those of which it has most; small ones several."""
    own = spy.own(client)
    count = len(own.batch.mask)
    order = permutation(spy.seed, "audit/samples", count, client=client)
    lacking = -torch.stack(list(own.batch.good().values())).sum(0).cpu().numpy()[order]
    rows = torch.from_numpy(order[lacking.argsort(kind="stable")]).to(spy.client.device)
    return [own.of(some) for some in torch.split(rows[: max(size, FEWEST)], size) if len(some) == size]


def gradient_inversion(
    spy: Eavesdropper, clients: Sequence[int], size: int, steps: int, watch: Watch
) -> Iterator[Cell]:
    """Yield how near samples come whose update points where a client's does, to those that made it.

    Zhu et al. 2019 (arXiv 1906.08935), by the cosine of Geiping et al. 2020 (arXiv 2003.14053), on the minibatches of
    `Step`, whose classes are known. All modalities are looked for at once; tokens, to which no gradient leads, and
    which modalities are absent are given.
    """
    true = minibatches(spy, clients, size)
    if true is None:
        return
    step = step_of(spy)
    targets = _arriving(spy, step, true)
    places = watch.over(range(steps), f"inverting updates of {size}")
    guesses = invert(step, true.repeated(len(PROTECTIONS)), targets, _start(spy, true), places, steps)
    for k, client in enumerate(true.clients):
        for place, protection in enumerate(PROTECTIONS):
            found = {m: x[k * len(PROTECTIONS) + place] for m, x in guesses.items()}
            for m, near, held in _compared(spy, true, k, found):
                yield Cell(client, m, protection, near, held)


def invert(
    step: Step, given: Minibatches, targets: Tensor, start: PerModality, places: Iterable[int], steps: int
) -> PerModality:
    """Return samples (P, n, *shape) whose update points where targets (P, D) do.

    Parameters
    ----------
    step : Step
    given : Minibatches
        What is known of each problem's samples: classes, which modalities are there, those not looked for.
    targets : Tensor (P, D)
    start : dict of modality to Tensor (P, n, *shape)
        Of the modalities that are looked for.
    places : iterable of int
        One item a step.
    steps : int
    """
    there = {m: as_wide(given.batch.present[m], value) for m, value in start.items()}

    def miss(x: PerModality) -> Tensor:
        samples = {**given.x, **{m: value * there[m] for m, value in x.items()}}
        made = step.updates(samples, given.batch, given.kept)
        return 1 - F.cosine_similarity(flat(made), targets, dim=1)

    found = descend(start, miss, places, steps)
    return {m: value * there[m] for m, value in found.items()}


def flat(updates: State) -> Tensor:
    """Return updates (P, ...) as one row for each problem, (P, D)."""
    return torch.cat([value.flatten(1) for value in updates.values()], dim=1)


def _arriving(spy: Eavesdropper, step: Step, true: Minibatches) -> Tensor:
    """Return the updates as they arrive under each protection, (K * protections, D)."""
    made = {name: value.detach() for name, value in step.updates(true.x, true.batch, true.kept).items()}
    rows = []
    for k, client in enumerate(true.clients):
        update = {name: value[k] for name, value in made.items()}
        drawn = spy.normal(f"update/{k}", client, sum(value.numel() for value in update.values()))
        for protection in PROTECTIONS:
            arrived = arriving_update(update, protection, drawn, spy.client.expected)
            rows.append(torch.cat([arrived[name].flatten() for name in update]))
    return torch.stack(rows).to(drawn.device)


def _start(spy: Eavesdropper, true: Minibatches) -> PerModality:
    """Return where the guesses begin, (K * protections, n, *shape): at held means, a little apart from each other."""
    assert true.batch.y is not None
    found = {}
    for m in spy.sensors:
        means = torch.stack([torch.stack([spy.start(m, label) for label in own]) for own in true.batch.y.tolist()])
        apart = [spy.normal(f"start/{m}/{k}", client, *means.shape[1:]) for k, client in enumerate(true.clients)]
        found[m] = (means + APART * torch.stack(apart)).repeat_interleave(len(PROTECTIONS), 0)
    return found


def _compared(spy: Eavesdropper, true: Minibatches, k: int, found: PerModality) -> Iterator[tuple[str, float, float]]:
    """Yield the modality, nearness and that of held data, of each sample of a minibatch and modality there."""
    assert true.batch.y is not None
    y = true.batch.y[k]
    near = {m: nearness(value, true.x[m][k]) for m, value in found.items()}
    guess = matched(np.sum(list(near.values()), axis=0), (y[:, None] == y[None]).cpu().numpy())
    for place, label in enumerate(y.tolist()):
        for m, own in near.items():
            if bool(true.batch.present[m][k, place]):
                sample = true.x[m][k, place][None]
                yield m, float(own[guess[place], place]), held_nearness(spy.guesses(m, label), sample)
