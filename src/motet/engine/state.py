"""What changes from round to round: all of it is in a checkpoint, and nothing else is needed to go on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.engine.parcel import Parcel
from motet.engine.private import Private
from motet.errors import InputError
from motet.learn import prototypes as proto
from motet.learn.method import Method
from motet.measure.flags import FlagScores
from motet.nets.network import State
from motet.wire.ledger import Ledger

Shared = dict[str, State]
"""What the server sends to devices: kind (model, prototypes, quality, scores, drift, fusion) to a flat state."""


class Broadcast(NamedTuple):
    """What the server sends to all participants of a round.

    Attributes
    ----------
    messages : dict of kind to bytes
        Empty where there is nothing to say of a kind.
    shared : Shared
        What they decode to.
    """

    messages: dict[str, bytes]
    shared: Shared

    def enter(self, ledger: Ledger, times: int) -> None:
        """Enter into a ledger what so many devices receive."""
        for kind, message in self.messages.items():
            if message:
                ledger.count("down", kind, len(message), times)


@dataclass
class Online:
    """Sums over all arrivals so far, each predicted before it was learnt from."""

    hits: int = 0
    loss: float = 0.0
    samples: int = 0


@dataclass
class ServerState:
    """The state after a round.

    Attributes
    ----------
    round : int
        Rounds done.
    shared : Shared
    memory : State
        What the server keeps to itself: what it learns the quality reference from, and its optimiser's moments.
    private : Private
        What stays on devices between rounds.
    used : int64 (K,)
        The last round of each client in which its answer was used; 0 if there was none.
    under_way : list of Parcel
        What clients sent that has not come yet.
    ledger : Ledger
    online : Online
    flags : FlagScores
    tail : list of dict
        The evaluations of the last ten rounds.
    validation : list of dict
        The same on the validation split; empty where there is none.
    samples : int
        Training samples times epochs, after the first round.
    largest : dict of str to int
        The largest buffer, prototype message and private state of any device, in bytes; all samples trained.
    seconds : dict of str to float
        Wall-clock time in training (first round apart) and evaluation.
    origin : dict of str to str
        Digests of the configuration and of the data, by which a checkpoint of another run is known.
    """

    round: int
    shared: Shared
    private: Private
    used: NDArray[np.int64]
    memory: State = field(default_factory=dict)
    under_way: list[Parcel] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    online: Online = field(default_factory=Online)
    flags: FlagScores = field(default_factory=FlagScores)
    tail: list[dict[str, Any]] = field(default_factory=list)
    validation: list[dict[str, Any]] = field(default_factory=list)
    samples: int = 0
    largest: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    origin: dict[str, str] = field(default_factory=dict)

    def to_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the state as tensors by flat name and the rest as JSON values."""
        tensors = {
            f"shared/{kind}/{name}": value for kind, state in self.shared.items() for name, value in state.items()
        }
        tensors["used"] = torch.from_numpy(self.used)
        tensors |= {f"private/{name}": value for name, value in self.private.to_tensors().items()}
        tensors |= {f"memory/{name}": value for name, value in self.memory.items()}
        tensors |= {
            f"under_way/{place}/{kind}": torch.frombuffer(bytearray(message), dtype=torch.uint8)
            for place, parcel in enumerate(self.under_way)
            for kind, message in parcel.messages.items()
        }
        tensors |= {f"flags/{m}": torch.from_numpy(counts) for m, counts in self.flags.counts.items()}
        return tensors, {
            "round": self.round,
            "kinds": list(self.shared),
            "under_way": [parcel[:-1] for parcel in self.under_way],
            "up": dict(self.ledger.up),
            "down": dict(self.ledger.down),
            "online": [self.online.hits, self.online.loss, self.online.samples],
            "tail": self.tail,
            "validation": self.validation,
            "samples": self.samples,
            "largest": dict(self.largest),
            "seconds": dict(self.seconds),
            "origin": self.origin,
        }

    @classmethod
    def from_checkpoint(cls, tensors: dict[str, Tensor], rest: dict[str, Any], expected: ServerState) -> ServerState:
        """Undo `to_checkpoint`; everything keeps its order, which decides the order of sums.

        Raises
        ------
        InputError
            If the checkpoint is not one of the run that the configuration and the data describe.
        """
        shared: Shared = {kind: {} for kind in rest["kinds"]}
        private: State = {}
        flags: dict[str, np.ndarray] = {}
        memory: State = {}
        used = expected.used
        under_way = [Parcel(n, due, k, labelled, {}) for n, due, k, labelled in rest["under_way"]]
        for name, value in tensors.items():
            group, _, rest_of_name = name.partition("/")
            if group == "used":
                used = value.numpy()
                continue
            if group == "flags":
                flags[rest_of_name] = value.numpy()
                continue
            if group == "memory":
                memory[rest_of_name] = value
                continue
            if group == "private":
                private[rest_of_name] = value
                continue
            kind, _, key = rest_of_name.partition("/")
            if group == "under_way":
                under_way[int(kind)].messages[key] = value.numpy().tobytes()
                continue
            shared[kind][key] = value
        _check_origin(rest["origin"], expected.origin)
        _check_same(shared["model"], expected.shared["model"])
        return cls(
            round=rest["round"],
            shared=shared,
            memory=memory,
            private=expected.private.filled(private),
            used=used,
            under_way=under_way,
            ledger=Ledger(Counter(rest["up"]), Counter(rest["down"])),
            online=Online(*rest["online"]),
            flags=FlagScores(flags),
            tail=rest["tail"],
            validation=rest["validation"],
            samples=rest["samples"],
            largest=Counter(rest["largest"]),
            seconds=Counter(rest["seconds"]),
            origin=rest["origin"],
        )


def _check_origin(found: dict[str, str], expected: dict[str, str]) -> None:
    if found["config"] != expected["config"]:
        raise InputError(
            "the checkpoint is one of another run than config.json describes: remove it, or put the right one back"
        )
    if found["data"] != expected["data"]:
        raise InputError(
            "the data are not those that the run began with: put them back, or start the run again elsewhere"
        )


def _check_same(found: State, expected: State) -> None:
    if {n: (t.shape, t.dtype) for n, t in found.items()} != {n: (t.shape, t.dtype) for n, t in expected.items()}:
        raise InputError(
            "the checkpoint holds another model than this version of Motet makes: go on with the version that wrote it"
        )


def initial_shared(method: Method, dtype: torch.dtype) -> Shared:
    """Return what the server sends in the first round."""
    model = {name: value.to(dtype) for name, value in method.network.state().items()}
    shared: Shared = {"model": model, "quality": {}}
    if method.uses_prototypes:
        shared["prototypes"] = proto.initial(method.modalities, method.classes, method.features, dtype)
    if method.objective.shares_scores:
        shared["scores"] = {m: torch.zeros((), dtype=torch.float64) for m in method.modalities}
    if method.drift.shares:
        shared["drift"] = method.drift.begin(model)
    return shared


def initial_state(federation: Any) -> ServerState:
    """Return the state before the first round."""
    config = federation.config
    return ServerState(
        round=0,
        shared=initial_shared(federation.method, torch.float64 if config.run.dtype == "float64" else torch.float32),
        private=Private(federation.clients),
        used=np.zeros(federation.clients, dtype=np.int64),
        ledger=Ledger(Counter(federation.setup.up), Counter(federation.setup.down)),
        origin={"config": _digest(json.dumps(config.flat())), "data": _digest_of_data(federation)},
    )


def _digest_of_data(federation: Any) -> str:
    """Return a digest of who holds which samples, their classes, and means and deviations to six digits."""
    scale = federation.scale
    figures = {m: [f"{v:.6g}" for v in (*scale.mean[m], *scale.deviation[m])] for m in scale.mean}
    return _digest(json.dumps(figures), *federation.population.origin)


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()
