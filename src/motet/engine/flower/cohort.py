"""The clients that live on a node: their samples, whoever trains them, and what they send."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.config import ClientSettings, Config
from motet.data.absent import like
from motet.data.dataset import TRAIN, Dataset, Indices, Modality
from motet.data.partition import Partition, partition
from motet.engine.account import Account
from motet.engine.attackers import Attackers
from motet.engine.choice import rule
from motet.engine.client import Client
from motet.engine.federation import fit, method_of, standardised, streams_of, views_of
from motet.engine.flower.figures import joined
from motet.engine.population import ownership
from motet.engine.standardisation import read_scale, write_sums
from motet.engine.state import Broadcast, Shared
from motet.engine.trainer import make_trainer
from motet.errors import InputError
from motet.nets.network import State
from motet.record.result import Engine
from motet.stream.assessment import assessor_for
from motet.wire.codec import parse
from motet.wire.message import decode


@dataclass(frozen=True)
class Share:
    """Which clients of an archive that several nodes have live on this one: the `part`-th of `parts` portions."""

    part: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """Read a share such as ``2/4``.

        Raises
        ------
        InputError
        """
        first, _, last = text.partition("/")
        if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
            raise InputError(f"--share {text!r} is no share: write 2/4 for the second of four")
        return cls(int(first), int(last))

    def of(self, clients: int) -> list[int]:
        """Return the clients of this portion."""
        found: list[int] = np.array_split(np.arange(clients), self.parts)[self.part - 1].tolist()
        return found


class Cohort:
    """The clients of a node.

    Parameters
    ----------
    config : Config
        The server's.
    dataset : Dataset
        The node's: its own samples, or an archive of which it takes a share.
    share : Share or None
    modalities : dict of str to Modality
        That the server's data have.
    classes : sequence of str

    Raises
    ------
    InputError
        If the data do not fit the server's, or the configuration.
    """

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        share: Share | None,
        modalities: Mapping[str, Modality],
        classes: tuple[str, ...],
    ) -> None:
        self.config = config
        if share is None:
            self.dataset = like(dataset, modalities, classes)
            self.partition, self.numbers = _own_clients(self.dataset), None
            self.method = method_of(config, self.dataset)
            shares = self.partition.shares
        else:
            fitted = fit(config, dataset)
            if list(fitted.dataset.modalities) != list(like(fitted.dataset, modalities, classes).modalities):
                raise InputError(
                    f"{dataset.name} has {', '.join(fitted.dataset.modalities)}, and the server's data "
                    f"{', '.join(modalities)}: a share is one of the same data"
                )
            self.dataset, self.partition, self.method = fitted
            self.numbers = share.of(len(self.partition.shares))
            shares = [self.partition.shares[k] for k in self.numbers]
        self.shares: list[Indices] = shares

    @property
    def keeps(self) -> bool:
        """Whether clients keep anything between rounds."""
        return self.method.drift.keeps or parse(self.config.recipe.upload).memory

    def greeting(self) -> dict[str, Any]:
        """Return what the server learns of the clients: how much they have, of what, and nothing of a sample."""
        streams = list(streams_of(self.dataset, dict(enumerate(self.shares)), self.config).values())
        return {
            "numbers": self.numbers,
            "of": len(self.partition.shares),
            "samples": [len(share) for share in self.shares],
            "held": [stream.size for stream in streams],
            "owned": ownership(self.dataset, streams).tolist() if streams else [],
            "origin": [_digest(self.dataset, share) for share in self.shares],
            "whole": _digest(self.dataset, np.concatenate(self.partition.shares)),
            "partition": self.partition.kind if self.numbers is not None else "own archives",
            "merged": self.partition.merged,
            "dropped": self.partition.dropped,
            "unimodal": {str(k): m for k, m in self.partition.unimodal.items()},
        }

    def sums(self) -> dict[str, bytes]:
        """Return what the clients send for standardisation, by their place on the node."""
        return {f"{place}/scale": write_sums(self.dataset, share) for place, share in enumerate(self.shares)}

    def begin(self, numbers: list[int], owned: NDArray[np.bool_], scale: bytes) -> Engine:
        """Set the clients up for the first round, and return the engine that trains them.

        Parameters
        ----------
        numbers : list of int
            How the server calls them.
        owned : bool (K, M)
            Whether any sample of a client has a modality, of all clients of the fleet.
        scale : bytes
            What the server answered to the sums.
        """
        config = self.config
        shares = dict(zip(numbers, self.shares, strict=True))
        dataset = standardised(config, self.dataset, read_scale(scale))
        streams = streams_of(self.dataset, shares, config)
        assessor = assessor_for(config.assessment, dataset.modalities, self.method.uses_quality)
        client = Client(config, self.method, assessor, Attackers(config, self.method, len(owned)))
        engine = rule(config, self.method, dataset.modalities, streams.values(), len(numbers))
        self.trainer = make_trainer(engine, client, views_of(config, dataset, streams, owned))
        return engine

    def train(
        self,
        round: int,  # noqa: A002
        clients: list[int],
        messages: Mapping[str, bytes],
        private: Mapping[int, State],
    ) -> tuple[Account, dict[str, bytes], dict[int, State]]:
        """Train some clients for a round.

        Returns
        -------
        account : Account
        messages : dict of ``client/kind`` to bytes
        private : dict of client to State
            What they keep.
        """
        shared: Shared = {kind: decode(message) if message else {} for kind, message in messages.items()}
        accounts, sent, kept = list[Account](), dict[str, bytes](), dict[int, State]()
        for outcome in self.trainer.train(round, clients, Broadcast(dict(messages), shared), private):
            accounts.append(outcome.account)
            for place, client in enumerate(outcome.clients):
                sent |= {f"{client}/{kind}": message for kind, message in outcome.messages(place).items()}
            kept |= {k: {n: value.clone() for n, value in state.items()} for k, state in outcome.private.items()}
        return joined(accounts, list(self.dataset.modalities)), sent, kept


def _own_clients(dataset: Dataset) -> Partition:
    """Share a node's own samples out: to those that they came from, or all to one client."""
    if not (dataset.split == TRAIN).any():
        raise InputError(f"{dataset.name} has no training samples: a node needs some of its own")
    settings = ClientSettings(partition="natural") if dataset.client is not None else _ONE
    return partition(dataset, settings, seed=0)


_ONE = ClientSettings(partition="iid", clients=1)


def _digest(dataset: Dataset, share: Indices) -> str:
    digest = hashlib.blake2b(np.ascontiguousarray(share, dtype=np.int64).tobytes(), digest_size=16)
    digest.update(np.ascontiguousarray(dataset.y[share], dtype=np.int64).tobytes())
    return digest.hexdigest()
