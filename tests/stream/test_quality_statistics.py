"""The statistics of a sample, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.data.dataset import Modality
from motet.stream.statistics import NAMES, statistics

SIGNAL = Modality("s", "signal", (2, 4))


def describe(modality, x):
    values = statistics(modality, np.asarray(x))
    return [dict(zip(NAMES[modality.kind], row, strict=True)) for row in values]


def test_signal():
    # channel 0: mean 1, variance 1, steps 2, -2, 2, turns -4, 4; channel 1: all 3
    found = describe(SIGNAL, np.array([[[0, 2, 0, 2], [3, 3, 3, 3]]], dtype=np.float32))[0]
    assert found["log variance"] == pytest.approx((np.log(1.0001) + np.log(1e-4)) / 2, rel=1e-5)
    assert found["high-frequency share"] == pytest.approx((np.log(4.00001 / 2.0001) + np.log(0.1)) / 2, rel=1e-4)
    assert found["roughness"] == pytest.approx((np.log(16.00001 / 4.00001) + 0) / 2, rel=1e-4)
    assert found["flat"] == 0  # a silent channel's steps are not below its typical step of 0
    assert found["repeated"] == pytest.approx(0.5)
    assert found["peak"] == pytest.approx((np.log(1.01 / 1.01) + np.log(0.01 / 0.01)) / 2, abs=1e-5)
    assert found["offset"] == pytest.approx(2)
    assert found["largest offset"] == pytest.approx(3)


def test_signal_flat_counts_steps_far_below_the_typical_one():
    x = np.array([[[0.0, 0.001, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]], dtype=np.float32)
    assert describe(SIGNAL, x)[0]["flat"] == pytest.approx(1 / 6)


def test_image():
    x = np.array([[[[0, 0, 0], [0, 9, 0], [0, 0, 0]]]], dtype=np.float32)
    found = describe(Modality("i", "image", (1, 3, 3)), x)[0]
    assert found["log variance"] == pytest.approx(np.log(8.0001), rel=1e-5)
    assert found["Laplacian energy"] == pytest.approx(np.log((36**2 + 1e-4) / (160 + 1e-4)), rel=1e-5)
    assert found["repeated"] == pytest.approx(4 / 6)
    assert found["saturated"] == 1
    assert found["peak"] == pytest.approx(np.log(8.01 / (8**0.5 + 0.01)), rel=1e-5)
    assert found["offset"] == pytest.approx(1)


def test_tokens():
    spec = Modality("t", "tokens", (5,), vocabulary=9, pad=0, unknown=1)
    found = statistics(spec, np.array([[1, 3, 1, 4, 0], [0, 0, 0, 0, 0], [2, 2, 2, 2, 2]]))
    np.testing.assert_allclose(found, [[0.5, 0.8], [0, 0], [0, 1]])


def test_vector():
    found = describe(Modality("v", "vector", (5,)), np.array([[0, 0, 1, -2, 4]], dtype=np.float32))[0]
    assert found["log median"] == pytest.approx(np.log(1.01))
    assert found["log upper decile"] == pytest.approx(np.log(3.21), rel=1e-6)
    assert found["log maximum"] == pytest.approx(np.log(4.01))
    assert found["zero"] == pytest.approx(0.4)
    assert found["repeated"] == pytest.approx(0.25)
    assert found["offset"] == pytest.approx(0.6)


@given(
    kind_shape=st.one_of(
        st.tuples(st.just("signal"), st.tuples(st.integers(1, 3), st.integers(1, 9))),
        st.tuples(st.just("image"), st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5))),
        st.tuples(st.just("tokens"), st.tuples(st.integers(1, 9))),
        st.tuples(st.just("vector"), st.tuples(st.integers(1, 9))),
    ),
    n=st.integers(0, 4),
    scale=st.sampled_from([0.0, 1.0, 1e3]),
)
@settings(max_examples=80, deadline=None)
def test_finite_for_any_shape(kind_shape, n, scale):
    kind, shape = kind_shape
    x = scale * np.random.default_rng(0).standard_normal((n, *shape))
    x = np.abs(x).astype(np.int64) if kind == "tokens" else x.astype(np.float32)
    found = statistics(Modality("a", kind, shape), x)
    assert found.shape == (n, len(NAMES[kind]))
    assert found.dtype == np.float64
    assert np.isfinite(found).all()


def test_a_sample_is_described_alone():
    spec = Modality("s", "signal", (8, 512))  # more than one chunk
    x = np.random.default_rng(0).standard_normal((40, 8, 512)).astype(np.float32)
    np.testing.assert_allclose(statistics(spec, x)[17:19], statistics(spec, x[17:19]), rtol=1e-5)
