"""What clients send of what they have learnt: an honest one, a hostile one, one that is not to show.

A device makes a message and is heard by what it decodes to; of many clients at once the same numbers and lengths are
made without the bytes in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from motet.config import Config
from motet.engine.attackers import Attackers
from motet.engine.begun import Begun
from motet.engine.privacy import Privacy
from motet.learn import prototypes as proto
from motet.learn.method import Method
from motet.learn.privacy.prototypes import vectors
from motet.learn.sample import PerModality
from motet.nets.network import State
from motet.wire.codec import EXACT, Coding, parse
from motet.wire.expected import Expected
from motet.wire.message import encode
from motet.wire.topk import sparsify
from motet.wire.upload import Upload, contributions, encoded, uploads


class Update(NamedTuple):
    """How far clients' parameters moved, and how they are sent.

    Attributes
    ----------
    moved : State
        Of those that learnt, (K, ...).
    held : dict of name to bool (K,)
        Whose did.
    ternary : State
        Those that are sent as they are, and not as they moved, (K, ...).
    """

    moved: State
    held: Mapping[str, Tensor]
    ternary: State


class Sender:
    """Makes what clients send; holds nothing of any.

    Parameters
    ----------
    config : Config
    method : Method
    expected : Expected
    attackers : Attackers
    privacy : Privacy, optional
    """

    def __init__(
        self, config: Config, method: Method, expected: Expected, attackers: Attackers, privacy: Privacy | None
    ) -> None:
        self.method, self.expected, self.attackers, self.privacy = method, expected, attackers, privacy
        self.coding = parse(config.recipe.upload)
        self.bits = config.recipe.prototype_bits

    def prototypes(self, round: int, client: int, summary: Mapping[str, PerModality]) -> Upload | None:  # noqa: A002
        """Return a client's prototypes from its `prototypes.summarise`.

        None where it has no good sample, unless that is not to show.
        """
        told = self.attackers.of(client).prototypes(summary)
        if self.privacy is not None:
            rows = self._vectors(round, [client], {what: rows_of_one(own) for what, own in told.items()})
            return self.expected.received_prototypes(encode(_only(rows), self.bits))
        packed = proto.pack(told)
        return self.expected.received_prototypes(encode(packed, self.bits, by_row=True)) if packed else None

    def prototypes_of_many(
        self,
        round: int,  # noqa: A002
        clients: Sequence[int],
        summary: Mapping[str, PerModality],
    ) -> Upload | None:
        """Return the prototypes of clients, from what each has found, (K, ...).

        None where nobody has a good sample, unless that is not to show.
        """
        told = self.attackers.prototypes(clients, summary)
        if self.privacy is not None:
            rows = self._vectors(round, clients, told)
            return uploads(rows, _by_all(rows), Coding(self.bits))
        found = contributions(told, self.bits)
        return found if found.lengths.any() else None

    def update(self, round: int, client: int, begun: Begun, update: Update) -> tuple[Upload | None, State]:  # noqa: A002
        """Return the update that a client sends, and what it keeps of it, without a row for it."""
        residual = rows_of_one(begun.residual)
        sent, _, left = self._sent(round, [client], begun.model, residual, update)
        if not sent:
            return None, begun.residual
        upload = self.heard(self.expected.received("model", encoded(_only(sent), self.coding)), begun.model)
        return upload, _only(self._remember(left, sent, upload))

    def update_of_many(
        self,
        round: int,  # noqa: A002
        clients: Sequence[int],
        model: State,
        residual: State,
        update: Update,
    ) -> tuple[Upload | None, State]:
        """Return the updates that clients send, and what they keep of them, (K, ...)."""
        sent, held, left = self._sent(round, clients, model, residual, update)
        if not sent:
            return None, residual
        upload = self.heard(uploads(sent, held, self.coding), model)
        return upload, self._remember(left, sent, upload)

    def _vectors(self, round: int, clients: Sequence[int], told: Mapping[str, PerModality]) -> State:  # noqa: A002
        """Return clients' prototypes as vectors to add up; noised, if that is up to devices."""
        rows = vectors(told)
        if self.privacy is None or not self.privacy.by_devices:
            return rows
        return self.privacy.conceal("prototypes", round, clients, rows, next(iter(rows.values())))

    def _sent(
        self,
        round: int,  # noqa: A002
        clients: Sequence[int],
        model: State,
        residual: State,
        update: Update,
    ) -> tuple[State, Mapping[str, Tensor], State]:
        """Return what is sent of updates, who sends it, and what is left over where that is kept."""
        moved, held = update.moved, update.held
        if self.privacy is not None and self.privacy.by_devices:
            moved = self.privacy.conceal("model", round, clients, moved, next(iter(model.values())))
            held = _by_all(moved)
        if not moved:
            return moved, held, residual
        moved = self.attackers.updates(round, clients, moved, held, model)  # who is hostile keeps to no bound
        sent, left = self._shorten(moved, held, residual)
        return sent | {name: value for name, value in update.ternary.items() if name in sent}, held, left

    def _shorten(self, update: State, held: Mapping[str, Tensor], residual: State) -> tuple[State, State]:
        """Return what clients send of their updates, (K, ...), and what is left over where that is kept."""
        if self.coding.share == 1:
            return dict(update), residual
        memory = residual if self.coding.memory else None
        return sparsify(update, held, self.method.network.blocks, self.coding.share, memory)

    def heard(self, upload: Upload, model: State) -> Upload:
        """Return what the server takes for updates: ternary weights are sent as they are, less the model it sent."""
        whole = [n for n in self.method.ternary.scales if self.expected.fits("model", upload, n)]
        apart = {n: value - model[n].cpu() if n in whole else value for n, value in upload.content.items()}
        return upload._replace(content=apart)

    def _remember(self, left: State, sent: State, upload: Upload) -> State:
        """Return what clients keep of their updates, (K, ...): what was left over, and what quantising changed."""
        if not self.coding.memory or self.coding.bits == EXACT:
            return left
        arrived = {name: value.to(sent[name].device) for name, value in upload.content.items()}
        return {n: own + (sent[n] - arrived[n]) if n in arrived else own for n, own in left.items()}


def rows_of_one(state: State) -> State:
    """Return a state as that of one client among others, (...) to (1, ...)."""
    return {name: value[None] for name, value in state.items()}


def _only(rows: State) -> State:
    """Return the state of the only client, (1, ...) to (...)."""
    return {name: value[0] for name, value in rows.items()}


def _by_all(rows: State) -> dict[str, Tensor]:
    """Return that all clients send all names."""
    return {name: torch.ones(len(value), dtype=torch.bool, device=value.device) for name, value in rows.items()}
