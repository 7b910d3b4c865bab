"""When a modality is hit (goes missing, or is degraded), at which client, and which one.

Section 1 of the method specification: one draw per client and round makes one modality hit; patterns say how draws
depend on each other. `alternating` goes through all modalities in turn from the named one on, whatever the bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.config import ImbalanceSettings
from motet.errors import InputError, unknown
from motet.random import permutation, uniform

NONE = -1
Hits = NDArray[np.int64]
Floats = NDArray[np.float64]
Allowed = NDArray[np.bool_]


class Imbalance:
    """Which modality is hit, for all clients of a round at once.

    Parameters
    ----------
    purpose : {"missing", "degraded"}
        Key of the draws; the two are independent.
    settings : ImbalanceSettings
    modalities : list of str
    clients : int
    seed : int

    Raises
    ------
    InputError
        If the named modality does not exist, a burst cannot be that short at that rate, or a pattern of clients is
        asked for sample by sample.
    """

    def __init__(
        self, purpose: str, settings: ImbalanceSettings, modalities: list[str], clients: int, seed: int
    ) -> None:
        _check(purpose, settings, modalities)
        self.purpose, self.settings, self.seed = purpose, settings, seed
        self.names = modalities
        self.named = NONE if settings.modality is None else modalities.index(settings.modality)
        self.clients = np.arange(clients)
        self._bursts: _Bursts | None = None

    def hits(self, round: int, allowed: Allowed) -> Hits:  # noqa: A002
        """Return the modality hit at each client in a round, as an index or -1.

        Parameters
        ----------
        round : int
            1, 2, ...
        allowed : bool (clients, modalities)
            What can be hit.

        Returns
        -------
        int64 (clients,)
        """
        if self.settings.rate == 0:
            return np.full(len(self.clients), NONE)
        pattern = self.settings.pattern
        if pattern == "bursty":
            hit, place = self._burst(round)
        elif pattern == "persistent":
            hit, place = self._persistent(), np.zeros(len(self.clients), dtype=np.int64)
        else:
            keys = np.zeros_like(self.clients) if pattern == "correlated" else self.clients
            hit = self._draw("hit", round, keys) < self.settings.rate
            place = np.full(len(self.clients), round)
        owner = np.zeros_like(self.clients) if pattern == "correlated" else self.clients
        which = self._which(round, allowed, self._draw("bias", place, owner), self._ranks("which", place, owner))
        return np.where(hit, which, NONE)

    def sample_hits(self, client: int, serials: NDArray[np.int64], rounds: NDArray[np.int64], allowed: Allowed) -> Hits:
        """Return the modality hit of each of a client's samples, drawn when it arrived.

        Parameters
        ----------
        serials, rounds : int64 (n,)
            Serial number and round of arrival.
        allowed : bool (n, modalities)
        """
        hit = self._draw("sample/hit", 0, client, serials) < self.settings.rate
        bias = self._draw("sample/bias", 0, client, serials)
        which = self._which(rounds, allowed, bias, self._ranks("sample/which", 0, client, serials))
        return np.where(hit, which, NONE)

    def _draw(self, what: str, round: object, client: object, item: object = 0) -> Floats:  # noqa: A002
        return uniform(self.seed, f"{self.purpose}/{what}", round=round, client=client, item=item)  # type: ignore[arg-type]

    def _ranks(self, what: str, round: object, client: object, item: object = 0) -> Floats:  # noqa: A002
        """Draw a rank for each modality, (n, modalities)."""
        return np.stack([self._draw(f"{what}/{m}", round, client, item) for m in self.names], axis=-1)

    @property
    def forever(self) -> bool:
        """Whether who is hit, and where, never changes."""
        return self.settings.granularity == "sample" or self.settings.pattern == "persistent"

    @property
    def lasting(self) -> bool:
        """Whether a hit outlasts a round."""
        return self.forever or self.settings.pattern == "bursty"

    def _which(self, round: object, allowed: Allowed, bias: Floats, ranks: Floats) -> Hits:  # noqa: A002
        if self.settings.pattern == "alternating":
            turn = (np.maximum(np.asarray(round), 1) - 1) // self.settings.period + max(self.named, 0)
            return _next_allowed(np.broadcast_to(turn % allowed.shape[1], len(allowed)), allowed)
        return self.choose(allowed, bias, ranks)

    def choose(self, allowed: Allowed, bias: Floats, ranks: Floats) -> Hits:
        """Choose a modality per row among those allowed, the named one with its bias; -1 where none is allowed.

        Where the named one is not allowed, another is hit in its place: a hit is a hit, whoever lacks what.

        Parameters
        ----------
        allowed : bool (n, modalities)
        bias : float64 (n,)
        ranks : float64 (n, modalities)
            Uniform draws; the allowed modality of the highest rank is chosen, so that a choice does not change when
            another modality is no longer allowed.
        """
        if self.named == NONE:
            return _pick(allowed, ranks)
        others = allowed.copy()
        others[:, self.named] = False
        wanted = allowed[:, self.named] & ((bias < self.settings.bias) | ~others.any(1))
        return np.where(wanted, self.named, _pick(others, ranks))

    def _persistent(self) -> NDArray[np.bool_]:
        order = permutation(self.seed, f"{self.purpose}/persistent", len(self.clients))
        return np.isin(self.clients, order[: round(self.settings.rate * len(self.clients))])

    def _burst(self, round: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:  # noqa: A002
        if self._bursts is None or self._bursts.round > round:
            self._bursts = _Bursts(self)
        return self._bursts.advance(round)


class _Bursts:
    """A two-state Markov chain per client; remembers the current round alone."""

    def __init__(self, imbalance: Imbalance) -> None:
        rate, length = imbalance.settings.rate, imbalance.settings.length
        self.imbalance = imbalance
        self.stop = 0.0 if rate == 1 else 1 / length
        self.start = 1.0 if rate == 1 else rate / (1 - rate) / length
        self.round = 1
        self.on = imbalance._draw("hit", 1, imbalance.clients) < rate
        self.began = np.ones(len(imbalance.clients), dtype=np.int64)

    def advance(self, round: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:  # noqa: A002
        """Return who is hit in a round, and the round in which the burst began."""
        while self.round < round:
            self.round += 1
            draw = self.imbalance._draw("hit", self.round, self.imbalance.clients)
            on = np.where(self.on, draw >= self.stop, draw < self.start)
            self.began = np.where(on & ~self.on, self.round, self.began)
            self.on = on
        return self.on, self.began


def _pick(allowed: Allowed, ranks: Floats) -> Hits:
    """Choose the allowed modality of the highest rank in each row; -1 where there is none."""
    return np.where(allowed.any(1), np.where(allowed, ranks, -1).argmax(1), NONE)


def _next_allowed(first: NDArray[np.int64], allowed: Allowed) -> Hits:
    """Return the first allowed modality of each row, from a place on and around; -1 where there is none."""
    places = (first[:, None] + np.arange(allowed.shape[1])) % allowed.shape[1]
    turned = np.take_along_axis(allowed, places, axis=1)
    chosen = np.take_along_axis(places, turned.argmax(1)[:, None], axis=1)[:, 0]
    return np.where(turned.any(1), chosen, NONE)


def _check(purpose: str, settings: ImbalanceSettings, modalities: list[str]) -> None:
    if settings.modality is not None and settings.modality not in modalities:
        raise unknown(f"modality in --{purpose}-modality", settings.modality, modalities)
    if settings.pattern == "bursty" and settings.rate < 1:
        shortest = settings.rate / (1 - settings.rate)
        if settings.length < shortest:
            raise InputError(
                f"--{purpose}-length {settings.length:g} is too short for --{purpose}-rate {settings.rate:g}: "
                f"bursts must last at least {shortest:g} rounds on average"
            )
    if settings.granularity == "sample" and settings.pattern not in ("independent", "alternating"):
        raise InputError(
            f"--{purpose}-pattern {settings.pattern} is about clients and rounds, so it does not go with "
            f"--{purpose}-granularity sample: use pattern independent or alternating, or granularity round"
        )
