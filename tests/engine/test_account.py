"""What clients tell of their round for the record."""

from __future__ import annotations

import numpy as np
import torch

from motet.engine.account import Account, account
from motet.measure.flags import BINS
from motet.stream.view import View


def two_clients() -> Account:
    """Two samples and three; one modality is missing here, degraded there."""
    flags = {"acc": np.array([True, False, True, True, True]), "gyro": np.array([True, True, False, False, True])}
    bad = {"acc": np.array([False, False, True, False, True]), "gyro": np.zeros(5, dtype=bool)}
    x = {m: np.zeros((5, 3), dtype=np.float32) for m in flags}
    y, labels = np.zeros(5, dtype=np.int64), np.array([0, -1, -1, 0, 0])
    view = View(x, y, flags, bad, labels, sizes=np.array([2, 3]), arrivals=np.array([0, 1]))
    quality = {"acc": np.array([1.0, 0.0, 0.5, 1.0, 0.5]), "gyro": np.ones(5)}
    loss, hits, losses = (np.array([first, first + 1.0]) for first in (0.25, 3.0, 7.0))
    return account(view, quality, 4, loss, (hits, losses), [{"a": torch.zeros(2)}, {}])


def test_by_hand() -> None:
    found = two_clients()
    assert found.samples.tolist() == [2, 3]
    assert found.labelled.tolist() == [1, 2]
    assert found.trained.tolist() == [8, 12]
    assert found.arrivals.tolist() == [0, 1]
    assert found.buffer_bytes.tolist() == [2 * 24, 3 * 24]
    assert found.private_bytes.tolist() == [8, 0]
    assert {m: own.tolist() for m, own in found.present.items()} == {"acc": [1, 3], "gyro": [2, 1]}
    assert {m: own.tolist() for m, own in found.flagged.items()} == {"acc": [0, 2], "gyro": [0, 0]}
    assert {m: own.tolist() for m, own in found.missing.items()} == {"acc": [0.5, 0.0], "gyro": [0.0, 2 / 3]}
    assert {m: own.tolist() for m, own in found.degraded.items()} == {"acc": [0.0, 2 / 3]}
    assert found.scores["acc"].tolist() == [[0, 0, BINS, 1], [1, 0, BINS, 1], [1, 1, BINS // 2, 2]]
    assert found.holders() == {"acc": 2, "gyro": 2}


def test_what_some_of_the_clients_tell() -> None:
    kept = two_clients().of(np.array([1]))
    assert (kept.samples.tolist(), kept.loss.tolist(), kept.hits.tolist()) == ([3], [1.25], [4.0])
    assert kept.missing["gyro"].tolist() == [2 / 3]
    assert kept.scores["acc"].tolist() == [[0, 0, BINS, 1], [0, 1, BINS // 2, 2]]
