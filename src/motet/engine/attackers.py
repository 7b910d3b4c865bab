"""The hostile devices of a run: who they are, and what they make of what they train on and send."""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from motet.config import Config
from motet.learn.attack import Attack
from motet.learn.method import Method
from motet.learn.sample import Batch, PerModality
from motet.nets.network import State, as_wide
from motet.random import generator, permutation
from motet.stream.view import View

ATTACKS = {
    "sign-flip": "motet.learn.attack.sign_flip:SignFlip",
    "scaled": "motet.learn.attack.scaled:Scaled",
    "label-flip": "motet.learn.attack.label_flip:LabelFlip",
    "prototype-poisoning": "motet.learn.attack.prototype_poisoning:PrototypePoisoning",
    "colluding": "motet.learn.attack.colluding:Colluding",
    "noise": "motet.learn.attack.noise:Noise",
}


def hostile_clients(config: Config, clients: int) -> list[int]:
    """Return who is hostile, for the whole run: round(SK) clients, in client order."""
    if config.hostile.attack is None:
        return []
    count = builtins.round(config.hostile.hostile_share * clients)
    return sorted(permutation(config.run.seed, "hostile", clients)[:count].tolist())


class Attackers:
    """Does to clients' samples and messages what their attack does; nothing to those of honest ones.

    Parameters
    ----------
    config : Config
    method : Method
    clients : int
        All there are.
    """

    def __init__(self, config: Config, method: Method, clients: int) -> None:
        self.hostile = frozenset(hostile_clients(config, clients))
        self.attack = _attack(config.hostile.attack) if self.hostile else Attack()
        self.seed, self.classes = config.run.seed, method.classes
        self._shapes = {name: value.shape for name, value in method.network.state().items()}
        self._common = self._normal("attack/common", 0, 0) if self.attack.colludes else {}

    def relabel(self, clients: Sequence[int], view: View, batch: Batch) -> Batch:
        """Return the samples of some clients with the classes that they train on; one without a label stays so."""
        if batch.y is None or not self._places(clients):
            return batch
        theirs = torch.from_numpy(np.isin(view.owners(), self._places(clients))).to(batch.y.device)
        return batch._replace(y=torch.where(theirs, self.attack.labels(batch.y, self.classes), batch.y))

    def of(self, client: int) -> Attack:
        """Return what a client does; an honest one does nothing."""
        return self.attack if client in self.hostile else Attack()

    def prototypes(self, clients: Sequence[int], summary: Mapping[str, PerModality]) -> Mapping[str, PerModality]:
        """Return what some clients tell of their prototypes, (K, ...)."""
        found = {what: dict(own) for what, own in summary.items()}
        for place in self._places(clients):
            own = {what: {m: value[place] for m, value in each.items()} for what, each in summary.items()}
            for what, each in self.attack.prototypes(own).items():
                found[what] |= {m: _put(found[what][m], place, value) for m, value in each.items()}
        return found

    def updates(
        self,
        round: int,  # noqa: A002
        clients: Sequence[int],
        delta: State,
        held: Mapping[str, Tensor],
        model: State,
    ) -> State:
        """Return the updates that some clients send, (K, ...); `held` says whose has a parameter, bool (K,)."""
        found = dict(delta)
        for place in self._places(clients):
            own = {name: value[place] for name, value in delta.items() if bool(held[name][place])}
            drawn = self._normal("attack/noise", round, clients[place]) if self.attack.draws else self._common
            sent = self.attack.update(own, {n: z.to(model[n]) for n, z in drawn.items()}, model) if own else {}
            found |= {name: _put(found[name], place, value) for name, value in sent.items()}
        return found

    def _places(self, clients: Sequence[int]) -> list[int]:
        """Return the places of those who are hostile."""
        return [place for place, client in enumerate(clients) if client in self.hostile]

    def _normal(self, purpose: str, round: int, client: int) -> State:  # noqa: A002
        """Draw a standard normal number for each of the model's, float64."""
        rng = generator(self.seed, purpose, round=round, client=client)
        return {name: torch.from_numpy(rng.standard_normal(tuple(shape))) for name, shape in self._shapes.items()}


def _attack(name: str | None) -> Attack:
    module, _, attribute = ATTACKS[name or ""].partition(":")
    found: Attack = getattr(importlib.import_module(module), attribute)()
    return found


def _put(rows: Tensor, place: int, value: Tensor) -> Tensor:
    """Return rows with another one in a place."""
    there = torch.arange(len(rows), device=rows.device) == place
    return torch.where(as_wide(there, rows), value, rows)
