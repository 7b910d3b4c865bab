"""Labels that are lacking, late or wrong: by statistics with fixed seeds, and as pure functions of the sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_view import toy, views

from motet.config import LabelSettings
from motet.stream.labels import Labels
from motet.stream.reference import UNLABELLED

MANY = np.arange(20_000)
Y = MANY % 5


def labels(seed: int = 0, **given: float) -> Labels:
    return Labels(LabelSettings(**given), 5, seed)  # type: ignore[arg-type]


def sigmas(count: int, trials: int, share: float) -> float:
    """Return how many deviations a binomial count lies from what its share promises."""
    return abs(count - trials * share) / float(np.sqrt(trials * share * (1 - share)))


def test_by_default_every_label_is_there_and_right() -> None:
    assert np.array_equal(labels().of(3, MANY, np.zeros_like(MANY), Y), Y)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_so_many_samples_have_a_label_and_it_is_right(rate: float) -> None:
    found = labels(rate=rate).of(1, MANY, np.zeros_like(MANY), Y)
    there = found != UNLABELLED
    assert sigmas(int(there.sum()), len(MANY), rate) < 4
    assert np.array_equal(found[there], Y[there])


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0])
def test_so_many_labels_name_another_class_each_alike(noise: float) -> None:
    found = labels(noise=noise).of(1, MANY, np.zeros_like(MANY), Y)
    wrong = found != Y
    assert wrong.all() if noise == 1 else sigmas(int(wrong.sum()), len(MANY), noise) < 4
    away = np.bincount((found - Y)[wrong] % 5, minlength=5)
    assert away[0] == 0
    assert all(sigmas(int(count), int(wrong.sum()), 1 / 4) < 4 for count in away[1:])
    assert found.min() >= 0
    assert found.max() < 5


def test_a_label_is_there_once_its_time_has_come() -> None:
    waited = MANY % 7
    assert np.array_equal(labels(delay=3).of(0, MANY, waited, Y) != UNLABELLED, waited >= 3)


@given(seed=st.integers(0, 99), client=st.integers(0, 50), start=st.integers(0, 10**6), rate=st.floats(0.1, 1))
def test_a_sample_keeps_what_it_drew_whatever_lies_beside_it(seed: int, client: int, start: int, rate: float) -> None:
    found = labels(seed, rate=rate, noise=0.5)
    serials = start + np.arange(12)
    y, waited = serials % 5, np.zeros(12, dtype=np.int64)
    every = found.of(client, serials, waited, y)
    alone = [found.of(client, serials[k : k + 1], waited[:1], y[k : k + 1])[0] for k in reversed(range(12))][::-1]
    assert every.tolist() == alone


def test_clients_draw_apart_and_seeds_do() -> None:
    waited = np.zeros_like(MANY)
    drawn = [labels(seed, rate=0.5).of(client, MANY, waited, Y) for seed, client in ((0, 0), (0, 1), (1, 0))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert 0.45 < ((drawn[one] == UNLABELLED) == (drawn[other] == UNLABELLED)).mean() < 0.55


@pytest.mark.parametrize("delay", [1, 4])
def test_a_view_has_the_labels_of_those_that_arrived_so_many_rounds_ago(delay: int) -> None:
    found = views(toy(["vector"]), buffer=6, arrivals=2, labels={"delay": delay})
    for number in (1, 2, 3, 4, 5, 9, 13):
        view = found.view(number, 0, 1, 2)
        arrived = [
            stream.round_of(stream.buffer(number), number) for stream in (found.streams[k] for k in range(3))
        ]  # the first fill came in round 0
        there = np.concatenate(arrived) + delay <= number
        assert np.array_equal(view.labelled, there)
        assert np.array_equal(view.labels[there], view.y[there])


def test_what_happens_to_labels_happens_to_nothing_else() -> None:
    plain, other = (
        views(toy(["vector"]), buffer=6, arrivals=2, labels=own) for own in ({}, {"rate": 0.5, "noise": 0.5})
    )
    for number in (1, 5, 9):
        one, two = plain.view(number, 0, 1, 2), other.view(number, 0, 1, 2)
        assert np.array_equal(one.y, two.y)
        assert np.array_equal(one.x["m0"], two.x["m0"])
        assert not np.array_equal(one.labels, two.labels)


def test_a_sample_that_nobody_labelled_has_no_label_when_it_comes_back() -> None:
    found = views(toy(["vector"]), buffer=6, arrivals=2, labels={"rate": 0.5, "noise": 0.5})
    known: dict[int, set[int]] = {}
    for number in range(1, 60):
        view = found.view(number, 0, 1, 2)
        samples = np.concatenate([found.streams[k].index(found.streams[k].buffer(number)) for k in range(3)])
        for sample, label in zip(samples.tolist(), view.labels.tolist(), strict=True):
            known.setdefault(sample, set()).add(label)
    assert all(len(labels) == 1 for labels in known.values())
    assert 0 < sum(labels == {UNLABELLED} for labels in known.values()) < len(known)
