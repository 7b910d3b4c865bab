"""Simulated people who wear an accelerometer, a gyroscope and a heart-rate sensor; any number, none kept in memory."""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

from motet.data.dataset import TEST, TRAIN, Arrays, Flags, Indices, Modality, select
from motet.data.wearables.activities import CLASSES
from motet.data.wearables.motion import LENGTH, RATE_HZ
from motet.data.wearables.schedule import WINDOWS, schedule
from motet.data.wearables.session import INTERVAL, session
from motet.errors import InputError

MODALITIES: dict[str, Modality] = {
    "acc": Modality("acc", "signal", (3, LENGTH), RATE_HZ, "g"),
    "gyro": Modality("gyro", "signal", (3, LENGTH), RATE_HZ, "rad/s"),
    "heart": Modality("heart", "signal", (1, LENGTH), RATE_HZ, "beats/min"),
}
HOUR = 3600.0  # from the start of one session to that of the next
_TEST_PERSON = 2**40  # test people are numbered from here, so that they are the same for any number of clients
_TOGETHER = 500  # people whose schedules are drawn at once


class Wearables:
    """People who wear three sensors on the hip; see `Dataset` for the attributes and `wearables` for the parameters."""

    name: str
    modalities: dict[str, Modality]
    classes: tuple[str, ...]
    y: NDArray[np.int64]
    client: NDArray[np.int64] | None
    split: NDArray[np.uint8]
    time: NDArray[np.float64] | None
    present: dict[str, Flags]
    source: str
    terms: str

    def __init__(
        self, clients: int = 20, seed: int = 0, samples: int = 80, test_people: int = 50, test_samples: int = 20
    ) -> None:
        counts = {"clients": clients, "samples": samples, "test_people": test_people, "test_samples": test_samples}
        for what, count in counts.items():
            if count < 1:
                raise InputError(f"wearables: {what} must be at least 1, not {count}")
        self.name = "wearables"
        self.modalities = dict(MODALITIES)
        self.classes = CLASSES
        self.source = f"people simulated by Motet, seed {seed}"
        self.terms = "no restriction: no real person is recorded"
        self.seed = seed

        people = np.arange(clients + test_people)
        windows = np.where(people < clients, samples, test_samples)
        self._number = np.where(people < clients, people, _TEST_PERSON + people - clients)
        self._first = np.cumsum(windows) - windows
        self.client = np.repeat(people, windows)
        self.split = np.repeat(np.where(people < clients, TRAIN, TEST).astype(np.uint8), windows)
        self.y = np.concatenate(
            [_labels(seed, self._number[:clients], samples), _labels(seed, self._number[clients:], test_samples)]
        )
        self.time = np.concatenate([np.tile(_times(samples), clients), np.tile(_times(test_samples), test_people)])
        self.present = dict.fromkeys(self.modalities, np.ones(len(self.y), dtype=bool))

    def take(self, indices: Indices) -> Arrays:
        """Return the samples at `indices`, in that order (see `Dataset.take`).

        Raises
        ------
        IndexError
            If an index is out of range.
        """
        indices = np.asarray(indices, dtype=np.int64)
        if indices.size and (indices.min() < 0 or indices.max() >= len(self.y)):
            raise IndexError(
                f"wearables has the samples 0 to {len(self.y) - 1}: {indices.min()} to {indices.max()} asked"
            )
        names = tuple(self.modalities)
        taken: Arrays = {m: np.empty((len(indices), *self.modalities[m].shape), dtype=np.float32) for m in names}
        people = np.searchsorted(self._first, indices, side="right") - 1
        sessions, windows = np.divmod(indices - self._first[people], WINDOWS)
        for rows in _alike(people * len(self.y) + sessions):
            person, number = people[rows[0]], sessions[rows[0]]
            signals = session(self.seed, int(self._number[person]), int(number), names)
            for m in names:
                taken[m][rows] = signals[m][windows[rows]]
        return taken

    def only(self, names: list[str]) -> Wearables:
        """Return the same people with the named modalities alone, of the very same values (see `select`)."""
        chosen = copy(self)
        chosen.modalities = select(self.modalities, names, self.name)
        chosen.present = {m: self.present[m] for m in chosen.modalities}
        return chosen


def wearables(
    clients: int = 20, seed: int = 0, samples: int = 80, test_people: int = 50, test_samples: int = 20
) -> Wearables:
    """Simulate people who wear an accelerometer, a gyroscope and a heart-rate sensor.

    Parameters
    ----------
    clients : int
        Training people; they are the clients 0, 1, ...
    seed : int
        Person k of a seed is the same person, and does the same, for any number of clients and samples.
    samples : int
        Windows of each training person.
    test_people : int
        Other people, with the client numbers after the training people's, whose windows are the test split.
    test_samples : int
        Windows of each test person.

    Returns
    -------
    Wearables

    Raises
    ------
    InputError
        If a count is below one.

    Notes
    -----
    A sample is a window of 2 s at 32 Hz: `acc` (3, 64) in g, `gyro` (3, 64) in rad/s and `heart` (1, 64) in beats a
    minute. A window is recorded every 10 s; 40 of them make a session, which is simulated at once when one of its
    windows is first asked for. People differ in what they do (bouts of eight activities), in how they wear the
    sensors on the hip, in gait and in heart. `acc` is the strongest modality, `heart` the weakest; `gyro` helps most
    to tell gaits apart, and `heart` to tell climbing stairs from walking and standing from sitting.
    """
    return Wearables(clients, seed, samples, test_people, test_samples)


def _alike(keys: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The places of each key that occurs."""
    order = np.argsort(keys, kind="stable")
    return [places for places in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1) if len(places)]


def _labels(seed: int, numbers: NDArray[np.int64], windows: int) -> NDArray[np.int64]:
    """What each person does in the first `windows` windows, one person after the other."""
    sessions = -(-windows // WINDOWS)
    labels = [
        schedule(seed, numbers[i : i + _TOGETHER], sessions)[0].reshape(-1, sessions * WINDOWS)[:, :windows].ravel()
        for i in range(0, len(numbers), _TOGETHER)
    ]
    return np.concatenate(labels)


def _times(windows: int) -> NDArray[np.float64]:
    """Seconds from the beginning of a person's recording to each window."""
    session, window = np.divmod(np.arange(windows), WINDOWS)
    return session * HOUR + window * INTERVAL
