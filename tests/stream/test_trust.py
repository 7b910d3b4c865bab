"""Which client-rounds are trusted."""

from __future__ import annotations

import numpy as np
import pytest

from motet.stream.moments import Moments, concatenate, moments
from motet.stream.trust import trusted

CENTRES = np.array([[0.0, 0, 0], [4, 0, 2], [0, 6, -3]])


def client_round(rng, shift=0.0, spread=1.0, classes=(0, 1, 2), n=30):
    label = rng.choice(classes, n)
    points = CENTRES[label] + shift + spread * rng.standard_normal((n, 3))
    labels = np.unique(label)
    return moments(points, label, labels), labels


def choose(rounds):
    group = np.repeat(np.arange(len(rounds)), [len(labels) for _, labels in rounds])
    return trusted(concatenate([parts for parts, _ in rounds]), np.concatenate([labels for _, labels in rounds]), group)


@pytest.mark.parametrize(("shift", "spread"), [(6.0, 1.0), (0.0, 4.0), (5.0, 0.1)])
@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_minority_of_bad_clients_is_found(shift, spread, bad):
    rng = np.random.default_rng(1)
    rounds = [client_round(rng, *((shift, spread) if i < bad else ())) for i in range(5)]
    np.testing.assert_array_equal(choose(rounds), np.arange(5) >= bad)


def test_clients_may_lack_classes():
    rng = np.random.default_rng(0)
    own = [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)] * 3
    rounds = [client_round(rng, 8.0 if i % 4 == 0 else 0.0, classes=classes) for i, classes in enumerate(own)]
    np.testing.assert_array_equal(choose(rounds), np.arange(len(own)) % 4 != 0)


def test_a_class_outside_the_nearest_half_is_judged_by_its_own_median():
    rng = np.random.default_rng(0)
    rounds = [client_round(rng, classes=(0,)) for _ in range(9)] + [client_round(rng, 0.9, classes=(0, 1))]
    assert choose(rounds).all()


def test_people_may_differ_more_than_their_samples():
    rng = np.random.default_rng(0)
    rounds = []
    for i in range(9):
        parts, labels = client_round(rng, np.array([12.0 * i, 2.5 * (i in (2, 5, 8)), 0]), classes=(0,))
        rounds.append((parts, labels))
    np.testing.assert_array_equal(choose(rounds)[[2, 5, 8]], False)


def test_one_client_with_one_sample_is_trusted():
    one = Moments(np.array([1.0]), np.array([[3.0, 4.0]]), np.zeros((1, 2, 2)))
    assert trusted(one, np.array([0]), np.array([0])).tolist() == [True]


def test_beyond_one_half_the_majority_wins():
    rng = np.random.default_rng(0)
    rounds = [client_round(rng, 6.0 if i < 7 else 0.0) for i in range(10)]
    np.testing.assert_array_equal(choose(rounds), np.arange(10) < 7)
