"""What clients see in a round: the samples in their buffers as their sensors delivered them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.config import DegradationSettings
from motet.data.dataset import Arrays, Dataset, Flags, Indices, Modality, Samples
from motet.random import generator, uniform
from motet.stream.arrivals import Serials, Stream
from motet.stream.degradation import degradations, degrade
from motet.stream.drift import Gains, scaled
from motet.stream.imbalance import NONE, Hits, Imbalance
from motet.stream.labels import Labels
from motet.stream.reference import UNLABELLED

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """Samples as devices have them: the rows of K clients one after another, each client's oldest first.

    Attributes
    ----------
    x : dict of modality to array (n, *shape)
        Standardised; zero (padding, for tokens) where absent.
    y : int64 (n,)
        The true classes.
    present : dict of modality to bool (n,)
    degraded : dict of modality to bool (n,)
        The generator's truth.
    labels : int64 (n,)
        The classes that devices learn from; `UNLABELLED` where there is no label, or not yet.
    sizes, arrivals : int64 (K,)
        How many rows each client has, and how many of its last ones arrived this round.
    """

    x: Arrays
    y: NDArray[np.int64]
    present: dict[str, Flags]
    degraded: dict[str, Flags]
    labels: Integers
    sizes: Integers
    arrivals: Integers

    @property
    def labelled(self) -> Flags:
        """Where there is a label to learn from."""
        return np.asarray(self.labels != UNLABELLED)

    def missing_shares(self) -> dict[str, NDArray[np.float64]]:
        """Return each client's share of samples that lack a modality, (K,), for modalities that any sample lacks."""
        return {m: self._shares(~p) for m, p in self.present.items() if not p.all()}

    def degraded_shares(self) -> dict[str, NDArray[np.float64]]:
        """Return each client's share of samples with a degraded modality, (K,), for modalities that have any."""
        return {m: self._shares(d) for m, d in self.degraded.items() if d.any()}

    def arrived(self) -> Integers:
        """Return the rows that arrived this round."""
        ends = np.cumsum(self.sizes)
        return np.concatenate([np.arange(end - new, end) for end, new in zip(ends, self.arrivals, strict=True)])

    def owners(self) -> Integers:
        """Return whose each row is, 0..K-1."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def _shares(self, flags: Flags) -> NDArray[np.float64]:
        return np.bincount(self.owners(), flags, minlength=len(self.sizes)) / self.sizes


class Held(NamedTuple):
    """Which samples some clients hold in a round.

    Attributes
    ----------
    round : int
    clients : tuple of int
    serials : list of int64 (n,)
        Of each client, the serial numbers of its samples.
    streams : list of Stream
    """

    round: int
    clients: tuple[int, ...]
    serials: list[Serials]
    streams: list[Stream]

    @property
    def sizes(self) -> Integers:
        """How many samples each client holds."""
        return np.array([len(serials) for serials in self.serials])

    def arrived(self) -> list[Integers]:
        """Return the rounds in which each client's samples arrived."""
        return [s.round_of(serials, self.round) for s, serials in zip(self.streams, self.serials, strict=True)]

    def split(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """Return each client's rows, as views."""
        return np.split(rows, np.cumsum(self.sizes)[:-1])


class Views:
    """Makes every client's view of a round; a pure function of the round, so nothing has to be saved.

    Parameters
    ----------
    dataset : Dataset
        Standardised.
    streams : dict of client to Stream
        Of all clients, or of those whose views are asked for.
    owned : bool (K, M)
        Whether any sample of a client has a modality: nobody is hit in what they never have.
    missing, degraded : Imbalance
    degradation : DegradationSettings
    labels : Labels
    gains : Gains
    clean_rounds : int
        First rounds in which nothing is degraded (devices are checked when installed).
    seed : int
    """

    def __init__(
        self,
        dataset: Dataset,
        streams: dict[int, Stream],
        owned: Flags,
        missing: Imbalance,
        degraded: Imbalance,
        degradation: DegradationSettings,
        labels: Labels,
        gains: Gains,
        clean_rounds: int,
        seed: int,
    ) -> None:
        self.dataset, self.streams, self.owned = dataset, streams, owned
        self.missing, self.degraded, self.degradation = missing, degraded, degradation
        self.labels, self.gains = labels, gains
        self.clean_rounds, self.seed = clean_rounds, seed
        self.names = list(dataset.modalities)
        kinds = [spec.kind for spec in dataset.modalities.values()]
        self.degradable = np.array([degradation.degradation in degradations(kind) for kind in kinds])
        # a lasting fault stays where it is while its modality, or another, is missing for a while
        self.faults_stay = degraded.lasting and not missing.forever
        self._hits: tuple[int, Hits, Hits] | None = None

    def view(self, round: int, *clients: int) -> View:  # noqa: A002
        """Return the view that one or several clients have of a round (1, 2, ...)."""
        streams = [self.streams[k] for k in clients]
        held = Held(round, clients, [stream.buffer(round) for stream in streams], streams)
        indices = np.concatenate([s.index(serials) for s, serials in zip(streams, held.serials, strict=True)])
        recorded = np.stack([self.dataset.present[m][indices] for m in self.names], axis=1)
        present = self._after_missing(held, recorded)
        there = recorded if self.faults_stay else present
        hit = self._degraded_hits(held, there & self.degradable)
        x = self._recorded(held, indices)
        degraded = {}
        for i, m in enumerate(self.names):
            degraded[m] = (hit == i) & present[:, i]
            x[m] = self._delivered(m, x[m], present[:, i], degraded[m], held)
        y = self.dataset.y[indices]
        return View(
            x=x,
            y=y,
            present={m: present[:, i] for i, m in enumerate(self.names)},
            degraded=degraded,
            labels=self._labels(held, indices, y),
            sizes=held.sizes,
            arrivals=np.array([stream.arrived(round) if stream.online else 0 for stream in streams]),
        )

    def _recorded(self, held: Held, indices: Indices) -> Arrays:
        """Return samples as the sensors measured them, with the gain that each had then."""
        x = self.dataset.take(indices)
        if not self.gains.at:
            return x
        gains = [self.gains.of(k, arrived) for k, arrived in zip(held.clients, held.arrived(), strict=True)]
        return scaled(x, np.concatenate(gains))

    def _labels(self, held: Held, indices: Indices, y: Integers) -> Integers:
        if self.labels.perfect:  # when samples arrived takes long to find out, for many clients
            return y
        pieces = zip(held.clients, held.split(indices), held.arrived(), held.split(y), strict=True)
        return np.concatenate(
            [self.labels.of(k, samples, held.round - arrived, own) for k, samples, arrived, own in pieces]
        )

    def _after_missing(self, held: Held, recorded: Flags) -> Flags:
        hit = self._of(self.missing, held, recorded, 0)
        lost = hit[:, None] == np.arange(len(self.names))
        return keep_one(recorded & ~lost, recorded)

    def _degraded_hits(self, held: Held, present: Flags) -> Hits:
        hit = self._of(self.degraded, held, present, 1)
        if self.clean_rounds == 0:
            return hit
        by_sample = self.degraded.settings.granularity == "sample"
        arrived = np.concatenate(held.arrived()) if by_sample else np.full(len(hit), held.round)
        return np.where(arrived <= self.clean_rounds, NONE, hit)

    def _of(self, imbalance: Imbalance, held: Held, allowed: Flags, which: int) -> Hits:
        """Return the modality hit of each sample."""
        if imbalance.settings.rate == 0:
            return np.full(len(allowed), NONE)
        if imbalance.settings.granularity == "round":
            return np.repeat(self._round_hits(held.round)[which][list(held.clients)], held.sizes)
        pieces = zip(held.clients, held.serials, held.arrived(), held.split(allowed), strict=True)
        return np.concatenate([imbalance.sample_hits(*piece) for piece in pieces])

    def _round_hits(self, round: int) -> tuple[Hits, Hits]:  # noqa: A002
        """Return every client's missing and degraded modality of a round; one is degraded that is not missing."""
        if self._hits is None or self._hits[0] != round:
            none = np.full(len(self.owned), NONE)
            missing = none
            if self.missing.settings.granularity == "round":
                spare = self.owned.sum(axis=1) > 1
                missing = np.where(spare, self.missing.hits(round, self.owned), NONE)
            lost = missing[:, None] == np.arange(len(self.names))
            still = self.owned if self.faults_stay else self.owned & ~lost
            by_round = self.degraded.settings.granularity == "round"
            degraded = self.degraded.hits(round, still & self.degradable) if by_round else none
            self._hits = (round, missing, degraded)
        return self._hits[1:]

    def _delivered(self, m: str, x: Samples, present: Flags, degraded: Flags, held: Held) -> Samples:
        """Return one modality's samples as the sensors delivered them."""
        spec = self.dataset.modalities[m]
        if degraded.any():
            x = x.copy()
            for client, own, bad, serials in zip(
                held.clients, held.split(x), held.split(degraded), held.serials, strict=True
            ):
                if bad.any():
                    own[bad] = self._degraded(spec, own[bad], held.round, client, serials[bad])
        return blank(spec, x, present)

    def _degraded(self, spec: Modality, x: Samples, round: int, client: int, serials: Serials) -> Samples:  # noqa: A002
        """Return a client's samples with the fault that its sensor has."""
        kind, strength = self.degradation.degradation, self.degradation.degradation_strength
        if self.degraded.settings.granularity == "round":
            return degrade(spec, kind, x, strength, generator(self.seed, "degradation", round=round, client=client))
        draws = [  # a sample's fault stays with it, so its draws do too
            generator(self.seed, "degradation/sample", client=client, item=int(serial)) for serial in serials
        ]
        pieces = [degrade(spec, kind, row[None], strength, rng) for row, rng in zip(x, draws, strict=True)]
        return np.concatenate(pieces)


def keep_one(left: Flags, recorded: Flags) -> Flags:
    """Return what is left of each sample's modalities, bool (n, M); all that was recorded where nothing would be."""
    return np.where(left.any(1, keepdims=True), left, recorded)


def blank(spec: Modality, x: Samples, present: Flags) -> Samples:
    """Return samples with the absent ones zero; padding, for tokens."""
    if present.all():
        return x
    nothing = spec.pad if spec.kind == "tokens" else 0
    found: Samples = np.where(present.reshape((-1,) + (1,) * (x.ndim - 1)), x, np.array(nothing, dtype=x.dtype))
    return found


def impair_test(
    dataset: Dataset,
    indices: Indices,
    missing: list[str],
    degraded: Imbalance,
    settings: DegradationSettings,
    seed: int,
    split: str = "test",
) -> View:
    """Return a split that is evaluated as `--test-missing` and `--test-degradation` leave it.

    Parameters
    ----------
    indices : int64 (n,)
        Of the split's samples.
    missing : list of modality
        What all samples lack, but those that would have nothing left.
    degraded : Imbalance
        Says which modality of a sample is degraded.
    settings : DegradationSettings
    seed : int
    split : {"test", "validation"}
        Key of the draws.
    """
    names = list(dataset.modalities)
    x = dataset.take(indices)
    recorded = np.stack([dataset.present[m][indices] for m in names], axis=1)
    present = keep_one(recorded & ~np.isin(names, missing), recorded)
    hit = np.full(len(indices), NONE)
    if settings.test_degradation is not None:
        items = np.arange(len(indices))
        ranks = np.stack([uniform(seed, f"{split}/which/{m}", item=items) for m in names], axis=1)
        kinds = [spec.kind for spec in dataset.modalities.values()]
        degradable = np.array([settings.test_degradation in degradations(kind) for kind in kinds])
        hit = degraded.choose(present & degradable, uniform(seed, f"{split}/bias", item=items), ranks)
    flags = {}
    for i, m in enumerate(names):
        flags[m] = (hit == i) & present[:, i]
        if settings.test_degradation is not None and flags[m].any():
            rng = generator(seed, f"{split}/degradation", item=i)
            x[m] = x[m].copy()
            x[m][flags[m]] = degrade(
                dataset.modalities[m], settings.test_degradation, x[m][flags[m]], settings.degradation_strength, rng
            )
        x[m] = blank(dataset.modalities[m], x[m], present[:, i])
    return whole(x, dataset.y[indices], {m: present[:, i] for i, m in enumerate(names)}, flags)


def whole(x: Arrays, y: Integers, present: dict[str, Flags], degraded: dict[str, Flags]) -> View:
    """Return samples that belong together and did not just arrive, such as a test split, as a view."""
    return View(x, y, present, degraded, labels=y, sizes=np.array([len(y)]), arrivals=np.array([0]))
