"""A client's view of a round: the samples in its buffer as its sensors delivered them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.config import DegradationSettings
from motet.data.dataset import Arrays, Dataset, Flags, Indices, Modality, Samples
from motet.random import generator, uniform
from motet.stream.arrivals import Stream
from motet.stream.degradation import degradations, degrade
from motet.stream.imbalance import NONE, Hits, Imbalance


@dataclass(frozen=True)
class View:
    """Samples as a device has them, oldest first.

    Attributes
    ----------
    x : dict of modality to array (n, *shape)
        Standardised; zero (padding, for tokens) where absent.
    y : int64 (n,)
    present : dict of modality to bool (n,)
    degraded : dict of modality to bool (n,)
        The generator's truth.
    arrivals : int
        How many of the last rows arrived this round.
    """

    x: Arrays
    y: NDArray[np.int64]
    present: dict[str, Flags]
    degraded: dict[str, Flags]
    arrivals: int

    def missing_shares(self) -> dict[str, float]:
        """Return the share of samples that lack a modality, where above 0."""
        return {m: 1 - float(p.mean()) for m, p in self.present.items() if not p.all()}

    def degraded_shares(self) -> dict[str, float]:
        """Return the share of samples with a degraded modality, where above 0."""
        return {m: float(d.mean()) for m, d in self.degraded.items() if d.any()}


class Views:
    """Makes every client's view of a round; a pure function of the round, so nothing has to be saved.

    Parameters
    ----------
    dataset : Dataset
        Standardised.
    streams : list of Stream
    missing, degraded : Imbalance
    degradation : DegradationSettings
    clean_rounds : int
        First rounds in which nothing is degraded (devices are checked when installed).
    seed : int
    """

    def __init__(
        self,
        dataset: Dataset,
        streams: list[Stream],
        missing: Imbalance,
        degraded: Imbalance,
        degradation: DegradationSettings,
        clean_rounds: int,
        seed: int,
    ) -> None:
        self.dataset, self.streams = dataset, streams
        self.missing, self.degraded, self.degradation = missing, degraded, degradation
        self.clean_rounds, self.seed = clean_rounds, seed
        self.names = list(dataset.modalities)
        kinds = [spec.kind for spec in dataset.modalities.values()]
        self.degradable = np.array([degradation.degradation in degradations(kind) for kind in kinds])
        # a lasting fault stays where it is while its modality, or another, is missing for a while
        self.faults_stay = degraded.lasting and not missing.forever
        self._hits: tuple[int, Hits, Hits] | None = None

    def size(self, round: int, client: int) -> int:  # noqa: A002
        """Return how many samples a client's view of a round holds."""
        return self.streams[client].held(round)

    def view(self, round: int, client: int) -> View:  # noqa: A002
        """Return a client's view of a round (1, 2, ...)."""
        stream = self.streams[client]
        serials = stream.buffer(round)
        indices = stream.index(serials)
        arrived = stream.round_of(serials, round)
        recorded = np.stack([self.dataset.present[m][indices] for m in self.names], axis=1)
        present = self._after_missing(round, client, serials, arrived, recorded)
        there = recorded if self.faults_stay else present
        hit = self._degraded_hits(round, client, serials, arrived, there & self.degradable)
        x = self.dataset.take(indices)
        degraded = {}
        for i, m in enumerate(self.names):
            degraded[m] = (hit == i) & present[:, i]
            x[m] = self._delivered(m, x[m], present[:, i], degraded[m], round, client, serials)
        return View(
            x=x,
            y=self.dataset.y[indices],
            present={m: present[:, i] for i, m in enumerate(self.names)},
            degraded=degraded,
            arrivals=stream.arrived(round) if stream.online else 0,
        )

    def _after_missing(self, round: int, client: int, serials: Indices, arrived: Indices, recorded: Flags) -> Flags:  # noqa: A002
        hit = self._of(self.missing, round, client, serials, arrived, recorded, 0)
        lost = hit[:, None] == np.arange(len(self.names))
        return keep_one(recorded & ~lost, recorded)

    def _degraded_hits(self, round: int, client: int, serials: Indices, arrived: Indices, present: Flags) -> Hits:  # noqa: A002
        hit = self._of(self.degraded, round, client, serials, arrived, present, 1)
        by_sample = self.degraded.settings.granularity == "sample"
        clean = (arrived <= self.clean_rounds) if by_sample else np.full(len(hit), round <= self.clean_rounds)
        return np.where(clean & (self.clean_rounds > 0), NONE, hit)

    def _of(
        self,
        imbalance: Imbalance,
        round: int,  # noqa: A002
        client: int,
        serials: Indices,
        arrived: Indices,
        allowed: Flags,
        which: int,
    ) -> Hits:
        """Return the modality hit of each sample."""
        if imbalance.settings.rate == 0:
            return np.full(len(serials), NONE)
        if imbalance.settings.granularity == "sample":
            return imbalance.sample_hits(client, serials, arrived, allowed)
        return np.full(len(serials), self._round_hits(round)[which][client])

    def _round_hits(self, round: int) -> tuple[Hits, Hits]:  # noqa: A002
        """Return every client's missing and degraded modality of a round; one is degraded that is not missing."""
        if self._hits is None or self._hits[0] != round:
            everything = np.ones((len(self.streams), len(self.names)), dtype=bool)
            none = np.full(len(self.streams), NONE)
            missing = none
            if len(self.names) > 1 and self.missing.settings.granularity == "round":
                missing = self.missing.hits(round, everything)
            still = everything if self.faults_stay else missing[:, None] != np.arange(len(self.names))
            by_round = self.degraded.settings.granularity == "round"
            degraded = self.degraded.hits(round, still & self.degradable) if by_round else none
            self._hits = (round, missing, degraded)
        return self._hits[1:]

    def _delivered(
        self,
        m: str,
        x: Samples,
        present: Flags,
        degraded: Flags,
        round: int,  # noqa: A002
        client: int,
        serials: Indices,
    ) -> Samples:
        """Return one modality's samples as the sensor delivered them."""
        spec, settings = self.dataset.modalities[m], self.degradation
        if degraded.any():
            x = x.copy()
            if self.degraded.settings.granularity == "sample":
                for row in np.flatnonzero(degraded):  # a sample's fault stays with it, so its draws do too
                    rng = generator(self.seed, "degradation/sample", client=client, item=int(serials[row]))
                    x[row] = degrade(spec, settings.degradation, x[row : row + 1], settings.degradation_strength, rng)[
                        0
                    ]
            else:
                rng = generator(self.seed, "degradation", round=round, client=client)
                x[degraded] = degrade(spec, settings.degradation, x[degraded], settings.degradation_strength, rng)
        return blank(spec, x, present)


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
) -> View:
    """Return the test split as `--test-missing` and `--test-degradation` leave it."""
    names = list(dataset.modalities)
    x = dataset.take(indices)
    recorded = np.stack([dataset.present[m][indices] for m in names], axis=1)
    present = keep_one(recorded & ~np.isin(names, missing), recorded)
    hit = np.full(len(indices), NONE)
    if settings.test_degradation is not None:
        items = np.arange(len(indices))
        ranks = np.stack([uniform(seed, f"test/which/{m}", item=items) for m in names], axis=1)
        hit = degraded.choose(present, uniform(seed, "test/bias", item=items), ranks)
    flags = {}
    for i, m in enumerate(names):
        flags[m] = (hit == i) & present[:, i]
        if settings.test_degradation is not None and flags[m].any():
            rng = generator(seed, "test/degradation", item=i)
            x[m] = x[m].copy()
            x[m][flags[m]] = degrade(
                dataset.modalities[m], settings.test_degradation, x[m][flags[m]], settings.degradation_strength, rng
            )
        x[m] = blank(dataset.modalities[m], x[m], present[:, i])
    return View(x, dataset.y[indices], {m: present[:, i] for i, m in enumerate(names)}, flags, 0)
