"""The reference: regularisation, distances, edges and scores by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi

from motet.stream.moments import Moments, moments
from motet.stream.reference import (
    FLOOR,
    build,
    distance,
    edge_of,
    histograms,
    key,
    knows,
    quality,
    quantile,
    regularise,
    whitener,
)


def counted(distances):
    """One histogram of them all."""
    return histograms(distances, np.zeros(len(distances), dtype=int), 1)[0]


def test_histograms_are_of_each_group_by_itself():
    far = np.array([0.1, 3.0, 3.0, 99.0])
    found = histograms(far, np.array([0, 0, 2, 2]), 3)
    assert found.shape == (3, 65)
    np.testing.assert_array_equal(found[0], counted(far[:2]))
    assert found[1].sum() == 0
    np.testing.assert_array_equal(found[2], counted(far[2:]))
    assert found[0][0] == found[2][64] == 1


def test_quality_formula():
    np.testing.assert_allclose(quality(np.array([0, 3, 4, 5, 6, 8, 90.0]), 4.0), [1, 1, 1, 0.75, 0.5, 0, 0])


@given(st.floats(0, 1e6), st.floats(0.01, 100))
def test_quality_is_a_share(far, edge):
    q = float(quality(np.array([far]), edge)[0])
    assert 0 <= q <= 1
    assert (q == 1) == (far <= edge)


def test_regularise_draws_small_classes_to_the_common_covariance():
    own = np.array([[[4.0]], [[0.0]]])
    sets = Moments(np.array([20.0, 20.0]), np.zeros((2, 1)), 20 * own)
    found = regularise(sets, np.array([20.0, 0.0]))
    np.testing.assert_allclose(found[:, 0, 0], [0.5 * 4 + 0.5 * 2 + FLOOR**2, 2 + FLOOR**2])


def test_a_constant_statistic_has_the_floor_as_its_deviation():
    points = np.ones((50, 2))
    reference = build("m", np.array([0]), moments(points, np.zeros(50, dtype=int), np.array([0])), np.array([50.0]), 2)
    np.testing.assert_allclose(distance(reference, "m", np.array([[1 + FLOOR, 1.0]])), 1, rtol=1e-5)


def spread(centre, n=400, seed=0):
    return centre + np.random.default_rng(seed).standard_normal((n, 2))


def reference_of(points, label, labels, distinct=None):
    known = moments(points, label, labels)
    return build("m", labels, known, known.number if distinct is None else distinct, 2.0)


def test_distance_is_to_the_nearest_class():
    points = np.vstack([spread((0, 0)), spread((10, 0))])
    reference = reference_of(points, np.repeat([0, 1], 400), np.array([0, 1]))
    found = distance(reference, "m", np.array([[0.0, 0], [10, 0], [5, 0], [13, 0]]))
    np.testing.assert_allclose(found, [0, 0, 5, 3], atol=0.6)


def test_without_labels_the_reference_is_pooled():
    points = np.vstack([spread((0, 0)), spread((10, 0))])
    pooled = reference_of(points, np.full(800, -1), np.array([-1]))
    assert pooled[key("m", "centre")].shape == (1, 2)
    assert distance(pooled, "m", np.array([[5.0, 0]]))[0] < 0.2
    labelled = reference_of(points, np.repeat([-1, 1], 400), np.array([-1, 1]))
    assert labelled[key("m", "centre")].shape == (1, 2)
    assert distance(labelled, "m", np.array([[0.0, 0]]))[0] > 5


def test_a_class_with_hardly_a_sample_is_not_known():
    points = np.vstack([spread((0, 0)), spread((50, 0), 2)])
    label, labels = np.repeat([0, 1], [400, 2]), np.array([0, 1])
    assert reference_of(points, label, labels)[key("m", "centre")].shape == (1, 2)
    too_few = reference_of(points[:2], label[:2], np.array([0]))
    assert knows(too_few, "m")  # two samples pooled are better than none
    assert build("m", labels, moments(points[:0], label[:0], labels), np.zeros(2), 2.0) == {}


def test_edges():
    d = np.abs(np.random.default_rng(0).standard_normal(20000)) + 1
    counts = counted(d).astype(float)
    assert quantile(counts, 0.5) == pytest.approx(np.quantile(d, 0.5), rel=0.02)
    assert edge_of(counts, 3, clean=True) == pytest.approx(np.quantile(d, 0.98), rel=0.02)
    assert edge_of(np.zeros_like(counts), 3, clean=True) == pytest.approx(chi(3).ppf(0.98))
    bad = counts + counted(np.full(4000, 40.0))
    assert edge_of(bad, 3, clean=True) > 30
    assert edge_of(bad, 3, clean=False) == pytest.approx(np.quantile(d, 0.98), rel=0.05)


def test_a_few_far_samples_count_as_good_ones_and_many_do_not():
    counts = counted(np.full(1000, 1.0)).astype(float)
    limit = 4.0  # times the median distance
    few, many = (counts + counted(np.full(n, 30.0)) for n in (15, 25))
    none = edge_of(counts, 3, clean=False)
    assert edge_of(few, 3, clean=False) == pytest.approx(none, rel=0.01)  # the 98 % lie among the near ones
    assert edge_of(many, 3, clean=False) == pytest.approx(limit, rel=0.15)  # beyond them, but no farther than the limit
    most = counts + counted(np.full(40, 30.0))
    assert edge_of(most, 3, clean=False) == pytest.approx(none, rel=0.01)


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=20))
def test_every_distance_is_counted(distances):
    counts = counted(np.array(distances))
    assert len(counts) == 65
    assert counts.sum() == len(distances)
    assert 0.25 <= quantile(counts.astype(float), 0.98) <= 64


def test_a_covariance_that_rounding_has_spoilt_is_floored() -> None:
    """By hand: along (1, 1) the variance is 2e8 + 1; along (1, -1) it would be -1, and is .05 ^ 2."""
    spoilt = np.array([[[1e8, 1e8 + 1], [1e8 + 1, 1e8]]])
    found = whitener(spoilt)
    along, across = (np.square(found[0] @ direction).sum() for direction in ([1, 1], [1, -1]))
    assert along == pytest.approx(2 / 2e8, rel=1e-6)
    assert across == pytest.approx(2 / 0.05**2)
    healthy = np.array([[4.0, 1.0], [1.0, 9.0]])
    found = whitener(healthy[None])[0]
    np.testing.assert_allclose(found.T @ found, np.linalg.inv(healthy))
