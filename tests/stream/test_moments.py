"""Moments: of points, and of sets joined without their points."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.stream.moments import concatenate, join, medians, moments, pack, unpack


def test_moments_by_hand():
    points = np.array([[0.0, 0.0], [2.0, 4.0], [5.0, 5.0]])
    found = moments(points, np.array([3, 3, -1]), np.array([-1, 0, 3]))
    np.testing.assert_allclose(found.number, [1, 0, 2])
    np.testing.assert_allclose(found.mean, [[5, 5], [0, 0], [1, 2]])
    np.testing.assert_allclose(found.scatter, [np.zeros((2, 2)), np.zeros((2, 2)), [[2, 4], [4, 8]]])


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_joining_parts_gives_the_moments_of_the_whole(n, s, seed):
    rng = np.random.default_rng(seed)
    points, label, part = rng.standard_normal((n, s)), rng.integers(0, 3, n), rng.integers(0, 4, n)
    labels = np.arange(3)
    parts = concatenate([moments(points[part == p], label[part == p], labels) for p in range(4)])
    joined = join(parts, np.tile(np.eye(3), 4))
    whole = moments(points, label, labels)
    for a, b in zip(joined, whole, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


def test_medians_ignore_a_bad_minority():
    points = np.array([[0.0], [1.0], [2.0], [3.0], [1e6]])
    found = medians(points, np.zeros(5, dtype=int), np.array([0, 1]))
    np.testing.assert_allclose(found.number, [5, 0])
    np.testing.assert_allclose(found.mean, [[2], [0]])
    np.testing.assert_allclose(found.scatter, [[[5 * 1.4826**2]], [[0]]])


def test_packing_halves_symmetric_matrices():
    a = np.random.default_rng(0).standard_normal((3, 4, 4))
    a += np.swapaxes(a, 1, 2)
    assert pack(a).shape == (3, 10)
    np.testing.assert_array_equal(unpack(pack(a), 4), a)
