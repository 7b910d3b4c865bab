"""Uploads that are late: laid aside in the round that they are made in, and joined in the one that they come in.

Everything that a device does, and the gate, is in the round in which it trains; its messages alone come later. What is
under way when a run ends never comes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from motet.config import Config
from motet.engine.account import Account
from motet.engine.client import Client
from motet.engine.outcome import Outcome
from motet.engine.parcel import Parcel, come
from motet.engine.reading import read
from motet.errors import InputError
from motet.learn.method import Method
from motet.nets.network import State
from motet.random import uniform
from motet.wire.ledger import Ledger
from motet.wire.told import Told

TOO_LATE = "Its upload came too late."


class Late:
    """Lays late uploads aside, and hands them in when they come; holds nothing of any.

    Where late uploads are dropped, a device keeps what it kept before the round, as one whose answer a network lost.
    Where they are weighed, a client's update has 1 / (1 + r) of the weight that it would have, r the rounds that it is
    late, among those of the round in which it comes, and goes to that round's model; where all are as late, they count
    whole. What is a sum over clients (variates, scores) is joined whole; so are prototypes, if some are due. What is
    told of samples' quality is not: a device's samples of both rounds are partly the same, and would count twice.

    Parameters
    ----------
    config : Config
    client : Client
        Reads messages.
    """

    def __init__(self, config: Config, client: Client) -> None:
        self.config, self.settings, self.client = config, config.network, client

    @property
    def dropped(self) -> bool:
        """Whether what is late is of no use."""
        return self.settings.late_uploads == "drop"

    def among(self, clients: Sequence[int], round: int) -> list[int]:  # noqa: A002
        """Return whose uploads of a round are late."""
        if self.settings.upload_delay == 0:
            return []
        drawn = uniform(self.config.run.seed, "late", round=round, client=np.array(clients, dtype=np.int64))
        return [k for k, own in zip(clients, drawn, strict=True) if own < self.settings.late_share]

    def aside(
        self,
        outcomes: Iterator[Outcome],
        round: int,  # noqa: A002
        late: Collection[int],
        parcels: list[Parcel],
    ) -> Iterator[Outcome]:
        """Pass on what comes in time, and what late clients keep; what they send goes to the parcels."""
        if not late:
            yield from outcomes
            return
        for outcome in outcomes:
            behind = np.isin(outcome.clients, list(late))
            parcels += [self._parcel(outcome, int(place), round) for place in np.flatnonzero(behind)]
            if not behind.all():
                yield outcome.of(np.flatnonzero(~behind)) if behind.any() else outcome
            if behind.any() and not self.dropped:
                own = outcome.of(np.flatnonzero(behind))
                nothing = Told({}, np.zeros(len(own.clients), dtype=np.int64))
                yield Outcome(own.clients, own.account, nothing, private=own.private)

    def arriving(
        self,
        parcels: Sequence[Parcel],
        round: int,  # noqa: A002
        model: State,
        ledger: Ledger,
    ) -> Iterator[Outcome]:
        """Yield what comes in a round, in client order; of what is not joined, only the bytes are counted."""
        for parcel in come(parcels, round):
            wanted = {} if self.dropped else {k: own for k, own in parcel.messages.items() if self._joins(k, round)}
            for kind, message in parcel.messages.items():
                if kind not in wanted:
                    ledger.count("up", kind, len(message))
            if wanted:
                account = Account.of_labelled(np.array([parcel.labelled]))
                outcome = read(self.client, parcel.client, account, wanted, model)
                outcome.weight = 1 / (1 + parcel.due - parcel.round)
                yield outcome

    def refused(self, parcels: Sequence[Parcel], round: int) -> dict[str, dict[str, int]]:  # noqa: A002
        """Return whose uploads came in a round for nothing."""
        return {TOO_LATE: {str(own.client): 1 for own in come(parcels, round)}} if self.dropped else {}

    def _parcel(self, outcome: Outcome, place: int, number: int) -> Parcel:
        labelled, messages = int(outcome.account.labelled[place]), outcome.messages(place)
        return Parcel(number, number + self.settings.upload_delay, outcome.clients[place], labelled, messages)

    def _joins(self, kind: str, number: int) -> bool:
        """Return whether a kind of message is of use in a round."""
        return kind != "quality" and (kind != "prototypes" or self.client.method.prototypes_due(number))


def check_late(config: Config, method: Method) -> None:
    """Refuse late uploads that nothing could be learnt from, or that cannot count for less.

    Raises
    ------
    InputError
    """
    settings, aggregate = config.network, method.aggregate
    if settings.upload_delay == 0:
        if settings.late_share < 1 or settings.late_uploads == "drop":
            raise InputError("--late-share and --late-uploads are about uploads that are late: give an --upload-delay")
        return
    if aggregate.personal:
        raise InputError("--upload-delay needs uploads, and --aggregate none sends none: leave one of the two out")
    if settings.late_uploads == "drop":
        if settings.late_share == 1:
            raise InputError(
                "--late-uploads drop would drop every upload: give a --late-share below 1, or --late-uploads weigh"
            )
        return
    drop = "or --late-uploads drop"
    if not aggregate.weighs:
        raise InputError(
            f"--late-uploads weigh needs an aggregate in which clients have weights, and {config.recipe.aggregate} "
            f"has none: use mean, clip or ssca, {drop}"
        )
    if config.privacy.privacy != "none":
        raise InputError(f"--late-uploads weigh gives clients different weights, and --privacy none: use one, {drop}")
    if method.ternary.scales:
        raise InputError(
            f"--upload {config.recipe.upload} sends weights, which mean nothing to a later model: use another, {drop}"
        )
