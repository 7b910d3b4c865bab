"""What a client's messages may hold, and how the server reads them.

Of each kind of message it is known beforehand which names may stand in it, in which shapes and number types, and so how
many bytes it can have at most, inflated or not: reading a message costs the server no more than an honest one does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from motet.data.dataset import Modality
from motet.errors import MotetError
from motet.learn.method import Method
from motet.learn.privacy.prototypes import vector_shapes
from motet.stream.reference import BOUNDS
from motet.stream.statistics import NAMES
from motet.wire import told, upload
from motet.wire.codec import EXACT
from motet.wire.fault import FAULTS, FINE, Fault, Faults, fine, first, where
from motet.wire.message import HEADER, entry_length
from motet.wire.told import Told
from motet.wire.upload import Upload

QUANTISED = 4, 8
"""Bytes that quantising adds to a tensor at most, and to each of its rows."""


class Field(NamedTuple):
    """A tensor of a message.

    Attributes
    ----------
    shape : tuple of int
    dtype : torch.dtype
    shorter : bool
        Whether there may be fewer rows.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    shorter: bool = False

    def fits(self, shape: tuple[int, ...], dtype: torch.dtype) -> bool:
        """Return whether a tensor is of this shape and type."""
        if self.shorter and shape and shape[0] <= self.shape[0]:
            shape = (self.shape[0], *shape[1:])
        return (shape, dtype) == (self.shape, self.dtype)

    def length(self, name: str) -> int:
        """Return the bytes that it takes at most, however it is written."""
        rows = math.prod(self.shape[:-1])
        return entry_length(name, self.shape, self.dtype, EXACT, rows) + QUANTISED[0] + QUANTISED[1] * rows


Fields = dict[str, Field]


class Expected:
    """What each kind of message may hold.

    Parameters
    ----------
    method : Method
    modalities : mapping of str to Modality
    dtype : torch.dtype
        Of the model.
    private : bool
        Whether prototypes come as vectors to add up (`motet.learn.privacy.prototypes`).

    Attributes
    ----------
    groups : dict of kind to list of Fields
        Names that stand in a message all or none.
    fields : dict of kind to Fields
    most : dict of kind to int
        Bytes of a message, and of what it inflates to.
    """

    def __init__(
        self, method: Method, modalities: Mapping[str, Modality], dtype: torch.dtype, private: bool = False
    ) -> None:
        self.modalities, self.classes, self.private = list(modalities), method.classes, private
        prototypes = _vectors if private else _prototypes
        model = [{name: Field(tuple(value.shape), dtype)} for name, value in method.network.state().items()]
        self.groups = {
            "model": model,
            "drift": model,
            "scores": [{f"confidence/{m}": Field((), dtype), f"count/{m}": Field((), dtype)} for m in modalities],
            "prototypes": [prototypes(m, method.classes, method.features, dtype) for m in modalities],
            "quality": [_quality(m, method.classes, len(NAMES[spec.kind])) for m, spec in modalities.items()],
        }
        self.fields = {kind: {n: f for own in groups for n, f in own.items()} for kind, groups in self.groups.items()}
        self.most = {
            kind: HEADER + sum(field.length(name) for name, field in fields.items())
            for kind, fields in self.fields.items()
        }

    def received(self, kind: str, message: bytes) -> Upload:
        """Read one client's message; what cannot be read holds nothing, and says why."""
        if len(message) > self.most[kind]:
            return upload.unread(message, Fault.TOO_LARGE)
        try:
            return upload.received(message, self.most[kind])
        except MotetError:
            return upload.unread(message, Fault.UNREADABLE)

    def received_prototypes(self, message: bytes) -> Upload:
        """Read one client's prototypes, with a row for every class."""
        found = self.received("prototypes", message)
        if self.private:
            return found
        misfit = self._first_misfit("prototypes", found)
        if misfit is None and not all(
            len(value[0]) == int((found.content[name.replace("mean/", "count/")] > 0).sum())
            for name, value in found.content.items()
            if name.startswith("mean/")
        ):
            misfit = Fault.SHAPES
        return upload.unread(message, misfit) if misfit else upload.with_all_classes(found, self.classes)

    def received_told(self, message: bytes) -> Told:
        """Read what one client tells of its samples' quality; no bytes tell nothing."""
        if not message:
            return told.NOTHING
        found = self.received("quality", message)
        misfit = self._first_misfit("quality", found)
        if misfit is None and not all(self._are_sets(fields, found) for fields in self.groups["quality"]):
            misfit = Fault.SHAPES
        if misfit is None and not all(bool(value.isfinite().all()) for value in found.content.values()):
            misfit = Fault.NOT_FINITE
        return told.unread(message, misfit) if misfit else told.of_one(found, self.modalities)

    def fits(self, kind: str, content: Upload, *names: str) -> bool:
        """Return whether some names stand in messages of a kind as they should."""
        fields = self.fields[kind]
        own = [(fields.get(name), content.content.get(name)) for name in names]
        return all(f is not None and v is not None and f.fits(tuple(v.shape[1:]), v.dtype) for f, v in own)

    def misfits(self, kind: str, content: Upload) -> Faults:
        """Return who sends what cannot be read, or does not belong into a message of its kind, (K,)."""
        held = content.held
        everyone = np.ones(len(content.lengths), dtype=bool)
        found = [fine(len(everyone)) if content.unread is None else where(everyone, content.unread)]
        found += [
            where(held[name], Fault.SHAPES if name in self.fields[kind] else Fault.NAMES)
            for name in content.content
            if not self.fits(kind, content, name)
        ]
        for names in (group for group in self.groups[kind] if len(group) > 1):
            there = [held.get(name, torch.zeros(len(everyone), dtype=torch.bool)) for name in names]
            found += [where(own != there[0], Fault.NAMES) for own in there[1:]]
        return first(*found)

    @staticmethod
    def _are_sets(fields: Fields, content: Upload) -> bool:
        """Return whether what is told of a modality is told of the same sets of samples, if of any."""
        sets = {len(content.content[n][0]) for n, field in fields.items() if field.shorter and n in content.content}
        return len(sets) <= 1 and 0 not in sets

    def _first_misfit(self, kind: str, content: Upload) -> Fault | None:
        (place,) = self.misfits(kind, content)
        return None if place == FINE else FAULTS[place]


def _prototypes(m: str, classes: int, features: int, dtype: torch.dtype) -> Fields:
    return {
        f"mean/{m}": Field((classes, features), dtype, shorter=True),
        f"count/{m}": Field((classes,), torch.int32),
        f"variance/{m}": Field((), dtype),
    }


def _vectors(m: str, classes: int, features: int, dtype: torch.dtype) -> Fields:
    return {name: Field(shape, dtype) for name, shape in vector_shapes([m], classes, features).items()}


def _quality(m: str, classes: int, statistics: int) -> Fields:
    """Return what is told of a modality: of the samples of each class, or of none, that are near, or far."""
    sets = 2 * (classes + 1)

    def field(dtype: torch.dtype, *shape: int) -> Field:
        return Field((sets, *shape), dtype, shorter=True)

    return {
        f"quality/{m}/label": field(torch.int32),
        f"quality/{m}/good": field(torch.bool),
        f"quality/{m}/number": field(torch.float32),
        f"quality/{m}/mean": field(torch.float32, statistics),
        f"quality/{m}/scatter": field(torch.float32, statistics * (statistics + 1) // 2),
        f"quality/{m}/distances": Field((len(BOUNDS) + 1,), torch.int32),
    }
