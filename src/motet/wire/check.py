"""Whether the numbers that clients send may be meant; all clients of a block are looked at in one pass.

Nothing here says who is hostile: what passes may still be a lie, and only what no device can mean is refused. Against
plausible lies there are aggregates (`motet.learn.aggregate`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.stream.message import Summary
from motet.stream.moments import Floats
from motet.wire.expected import Expected
from motet.wire.fault import Fault, Faults, fine, first, where
from motet.wire.told import Told
from motet.wire.upload import Upload

LARGEST_STATISTIC = 1e5
"""Of a sample that is standardised; its squares leave float64 digits enough for what the server adds to them."""
ROUNDING = 2.0**-20
"""Of numbers that came in 4 bytes, relative to the largest of them."""

Flags = NDArray[np.bool_]


class Check:
    """Looks at what clients send in a round.

    Parameters
    ----------
    expected : Expected
    samples : int
        That a device holds at most.
    bound : float
        Euclidean norm of an update, of the change of a variate and of a prototype, at most.
    """

    def __init__(self, expected: Expected, samples: int, bound: float) -> None:
        self.expected, self.samples, self.bound = expected, samples, bound

    def changes(self, kind: str, upload: Upload) -> Faults:
        """Return what is wrong with updates (``model``), or with changes of what drift shares (``drift``), (K,)."""
        fit = [name for name in upload.content if self.expected.fits(kind, upload, name)]
        norms = _norms(upload, fit)
        if bool((norms <= self.bound).all()):  # so they are finite as well
            return self.expected.misfits(kind, upload)
        finite = torch.stack([_finite(upload.content[n]) | ~upload.held[n] for n in fit]).all(0)
        return first(
            self.expected.misfits(kind, upload),
            where(~finite, Fault.NOT_FINITE),
            where(~(norms <= self.bound), Fault.TOO_FAR),
        )

    def prototypes(self, upload: Upload) -> Faults:
        """Return what is wrong with prototypes, (K,)."""
        if self.expected.private:
            return self.changes("prototypes", upload)
        found = [self.expected.misfits("prototypes", upload)]
        for m in self.expected.modalities:
            names = [f"{name}/{m}" for name in ("mean", "count", "variance")]
            if not self.expected.fits("prototypes", upload, *names):
                continue
            mean, count, variance = (upload.content[name] for name in names)
            found.append(where((count < 0).any(1) | (count.sum(1) > self.samples), Fault.COUNTS))
            found.append(where(~(_finite(mean) & _finite(variance)), Fault.NOT_FINITE))
            near = torch.linalg.vector_norm(mean, dim=2).amax(1) <= self.bound
            found.append(where(~(near & (variance >= 0) & (variance <= self.bound**2)), Fault.TOO_FAR))
        return first(*found)

    def scores(self, upload: Upload) -> Faults:
        """Return what is wrong with scores of modalities, (K,)."""
        found = [self.expected.misfits("scores", upload)]
        for m in self.expected.modalities:
            names = [f"{name}/{m}" for name in ("confidence", "count")]
            if self.expected.fits("scores", upload, *names):
                total, count = (upload.content[name] for name in names)
                found.append(where(~(_finite(total) & _finite(count)), Fault.NOT_FINITE))
                possible = (total >= 0) & (total <= count * (1 + 1e-3)) & (count <= self.samples)
                found.append(where(~possible, Fault.COUNTS))
        return first(*found)

    def told(self, told: Told) -> Faults:
        """Return what is wrong with what is told of samples' quality, (K,)."""
        clients = len(told.lengths)
        unread = fine(clients) if told.unread is None else where(np.ones(clients, dtype=bool), told.unread)
        return first(unread, *(self._summary(own, clients) for own in told.summaries.values() if len(own.label)))

    def _summary(self, summary: Summary, clients: int) -> Faults:
        number, mean, scatter = summary.parts

        def whose(sets: Flags) -> Flags:
            return np.bincount(summary.group[sets], minlength=clients) > 0

        numbers = (number, mean, scatter)
        finite = np.logical_and.reduce([np.isfinite(own).reshape(len(own), -1).all(1) for own in numbers])
        total = np.bincount(summary.group, np.where(finite, number, 0), minlength=clients)
        binned = summary.distances
        countable = (summary.label >= -1) & (summary.label < self.expected.classes) & (number >= 1)
        impossible = (total > self.samples) | (binned < 0).any(1) | (binned.sum(1) > self.samples)
        possible = _possible(np.where(finite, number, 1), mean, scatter, finite)
        return first(
            where(whose(~finite), Fault.NOT_FINITE),
            where(whose(~countable) | impossible, Fault.COUNTS),
            where(whose(~possible), Fault.MOMENTS),
        )


def _norms(upload: Upload, names: Sequence[str]) -> Tensor:
    """Return the Euclidean norm of what each client sends under some names, float64 (K,)."""
    clients = len(upload.lengths)
    norms = [torch.linalg.vector_norm(upload.content[name].reshape(clients, -1), dim=1) for name in names]
    held = [upload.held[name] for name in names]
    if not names:
        return torch.zeros(clients, dtype=torch.float64)
    found: Tensor = torch.linalg.vector_norm(torch.where(torch.stack(held), torch.stack(norms).double(), 0), dim=0)
    return found


def _finite(rows: Tensor) -> Tensor:
    """Return whether all numbers of each row are finite, bool (K,)."""
    return rows.reshape(len(rows), -1).isfinite().all(1)


def _possible(number: Floats, mean: Floats, scatter: Floats, finite: Flags) -> Flags:
    """Return which sets' moments samples may have, bool (R,): covariances have no negative eigenvalue."""
    found = finite & (number >= 1) & (np.abs(mean) <= LARGEST_STATISTIC).all(1)
    covariance = scatter / np.maximum(number, 1)[:, None, None]
    found &= (np.abs(covariance) <= LARGEST_STATISTIC**2).all((1, 2))
    found &= (np.diagonal(covariance, axis1=1, axis2=2) >= 0).all(1)
    tested = torch.from_numpy(np.where(found[:, None, None], covariance, 0.0))
    slack = ROUNDING * (1 + tested.abs().amax((1, 2)))
    wide = tested + slack[:, None, None] * torch.eye(tested.shape[1], dtype=tested.dtype)
    return np.asarray(found & (torch.linalg.cholesky_ex(wide).info == 0).numpy())
