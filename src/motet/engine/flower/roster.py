"""The nodes of a run and the clients that live on each, as the server wrote them down before the first round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

import motet
from motet.data.dataset import Modality
from motet.engine.flower.figures import MOST
from motet.engine.flower.letter import Letter, printable
from motet.engine.population import Population
from motet.engine.standardisation import read_sums
from motet.errors import MotetError

MOST_CLIENTS = 1_000_000
Count = Annotated[int, Field(ge=0, le=MOST)]
Number = Annotated[int, Field(ge=0, lt=MOST_CLIENTS)]


class Header(BaseModel, strict=True):
    """What a greeting holds; `record` is how the clients were shared out."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    numbers: list[Number] | None
    of: Annotated[int, Field(ge=0, le=MOST_CLIENTS)]
    samples: list[Annotated[Count, Field(gt=0)]]
    held: list[Annotated[Count, Field(gt=0)]]
    owned: list[list[bool]]
    origin: list[Annotated[str, Field(pattern="^[0-9a-f]{32}$")]]
    whole: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    version: Annotated[str, Field(max_length=40)]
    partition: Annotated[str, Field(max_length=40)]
    merged: Count
    dropped: Count
    unimodal: dict[Annotated[str, Field(pattern="^[0-9]{1,7}$")], str]

    def makes_sense(self, modalities: Mapping[str, Modality]) -> bool:
        """Return whether it is about the same clients throughout, each once, and about the server's modalities."""
        numbers = list(range(len(self.samples))) if self.numbers is None else self.numbers
        same = {len(own) for own in (numbers, set(numbers), self.samples, self.held, self.owned, self.origin)}
        widths = {len(row) for row in self.owned} | {len(modalities)}
        here = all(k < self.of for k in numbers) and set(self.unimodal.values()) <= set(modalities)
        return len(same) == 1 and len(widths) == 1 and here and printable(self.name) == self.name


@dataclass(frozen=True)
class Entry:
    """A node, as it made itself known.

    Attributes
    ----------
    name : str
    numbers : tuple of int
        Its clients.
    samples, held : tuple of int
        Of each.
    owned : tuple of tuple of bool
        Whether each has samples with a modality.
    origin : tuple of str
        Tells whose samples they are.
    record : dict
        How they were shared out.
    """

    name: str
    numbers: tuple[int, ...]
    samples: tuple[int, ...]
    held: tuple[int, ...]
    owned: tuple[tuple[bool, ...], ...]
    origin: tuple[str, ...]
    record: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Entry:
        """Undo `to_json`."""
        lists = {name: tuple(found[name]) for name in ("numbers", "samples", "held", "origin")}
        owned = tuple(tuple(bool(there) for there in row) for row in found["owned"])
        return cls(name=str(found["name"]), owned=owned, record=dict(found["record"]), **lists)


class Greeting:
    """What a node answers to `greet`, looked at before it is believed.

    Parameters
    ----------
    letter : Letter
    modalities : mapping of str to Modality

    Attributes
    ----------
    numbers : list of int or None
        Its clients, if it takes a share of data that all have.
    messages : list of bytes
        What its clients send for standardisation, if they were asked to.

    Raises
    ------
    MotetError
        If it makes no sense.
    """

    def __init__(self, letter: Letter, modalities: Mapping[str, Modality]) -> None:
        try:
            header = Header.model_validate(letter.header)
        except ValidationError:
            raise MotetError("its greeting makes no sense") from None
        if not header.makes_sense(modalities):
            raise MotetError("its greeting makes no sense")
        if header.version != motet.__version__:
            own = printable(header.version)
            raise MotetError(f"it runs Motet {own}, and the server {motet.__version__}: install the same version")
        self.name, self.numbers, self.of, self.whole = header.name, header.numbers, header.of, header.whole
        self.samples, self.held, self.owned, self.origin = header.samples, header.held, header.owned, header.origin
        self.record = header.model_dump(include={"partition", "merged", "dropped", "unimodal"})
        clients = len(self.samples)
        self.messages = [
            letter.messages[name] for place in range(clients) if (name := f"{place}/scale") in letter.messages
        ]
        self.sums = [read_sums(message, modalities) for message in self.messages]
        if len(self.messages) not in (0, clients):
            raise MotetError("not all of its clients have sent sums")
        if clients == 0:
            raise MotetError("no client lives on it: give it a share with fewer parts, or data of its own")

    def entry(self, numbers: Sequence[int]) -> Entry:
        """Return what is written down of the node."""
        owned = tuple(map(tuple, self.owned))
        samples, held, origin = tuple(self.samples), tuple(self.held), tuple(self.origin)
        return Entry(self.name, tuple(numbers), samples, held, owned, origin, self.record)

    def is_that_of(self, entry: Entry) -> bool:
        """Return whether this is the node that was written down, with the clients and samples that it had."""
        return (tuple(self.origin), self.owned) == (entry.origin, [list(row) for row in entry.owned])


def missing(greetings: Sequence[Greeting]) -> str | None:
    """Return what is missing for a run to begin, as a sentence; None where nothing is."""
    shared = [own for own in greetings if own.numbers is not None]
    if shared and len(shared) < len(greetings):
        return "some nodes take a share of common data and others have their own: give all of them --share, or none"
    if not shared:
        return None
    (clients, *others) = {own.of for own in shared}
    if others or len({own.whole for own in shared}) > 1:
        return "nodes take shares of different data: give all of them the same"
    held = sorted(k for own in shared for k in own.numbers or [])
    if len(set(held)) < len(held):
        twice = next(k for k in held if held.count(k) > 1)
        names = [own.name for own in shared if twice in (own.numbers or [])]
        return f"client {twice} lives on {' and on '.join(names)}: give every node another --share"
    absent = sorted(set(range(clients)) - set(held))
    if absent:
        return f"{len(absent)} of {clients} clients live on no node yet: more nodes, with the other shares, must join"
    return None


def enter(greetings: Sequence[Greeting]) -> list[Entry]:
    """Return the nodes with numbers for all clients: their own, or in the order of the nodes' names."""
    entries, following = [], 0
    for own in sorted(greetings, key=lambda greeting: greeting.name):
        numbers = own.numbers if own.numbers is not None else range(following, following + len(own.samples))
        following += len(own.samples)
        entries.append(own.entry(list(numbers)))
    return entries


def population(entries: Sequence[Entry], modalities: Sequence[str]) -> Population:
    """Return the clients of all nodes."""
    by_client = {
        k: (own.samples[place], own.held[place], own.owned[place], own.origin[place])
        for own in entries
        for place, k in enumerate(own.numbers)
    }
    samples, held, owned, origin = zip(*(by_client[k] for k in range(len(by_client))), strict=True)
    counts, there = np.array(samples), np.array(owned)
    first = entries[0].record
    record = {
        "partition": first["partition"],
        "clients": len(counts),
        "samples_min": int(counts.min()),
        "samples_median": float(np.median(counts)),
        "samples_max": int(counts.max()),
        "merged": first["merged"],
        "owners": dict(zip(modalities, there.sum(axis=0).tolist(), strict=True)),
        "unimodal": first["unimodal"],
        "dropped": first["dropped"],
        "nodes": {own.name: list(own.numbers) for own in entries},
    }
    return Population(counts, np.array(held), there, record, tuple(digest.encode() for digest in origin))
