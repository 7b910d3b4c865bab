"""The degradations: what each does by hand, and what all of them promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.data.dataset import Modality
from motet.errors import InputError
from motet.stream.degradation import degradations, degrade

SHAPES = {
    "signal": st.tuples(st.integers(1, 4), st.integers(1, 40)),
    "image": st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    "tokens": st.tuples(st.integers(1, 20)),
    "vector": st.tuples(st.integers(1, 20)),
}
CASES = [(kind, name) for kind in SHAPES for name in degradations(kind)]


def modality(kind, shape):
    return Modality(f"a {kind}", kind, shape, vocabulary=50 if kind == "tokens" else 0)


def samples(kind, n, shape, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "tokens":
        return rng.integers(0, 50, (n, *shape))
    return rng.standard_normal((n, *shape)).astype(np.float32)


def run(kind, name, x, strength, seed=0):
    return degrade(modality(kind, x.shape[1:]), name, x, strength, np.random.default_rng(seed))


@pytest.mark.parametrize(("kind", "name"), CASES)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_shape_type_and_input_are_kept(kind, name, data):
    shape = data.draw(SHAPES[kind])
    n = data.draw(st.integers(0, 4))
    strength = data.draw(st.sampled_from([0.0, 0.01, 0.5, 1.0, 3.0, 20.0]))
    x = samples(kind, n, shape)
    before = x.copy()
    y = run(kind, name, x, strength)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert np.isfinite(y).all()
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(x, before)
    if strength == 0:
        np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_severity_grows_with_strength(kind, name):
    x = samples(kind, 300, {"signal": (3, 64), "image": (2, 16, 16), "tokens": (30,), "vector": (20,)}[kind])
    if name == "desync":  # how far a ring is turned cannot be seen in the difference of white noise
        x = np.cumsum(x, axis=2)
    changes = [run(kind, name, x, strength).astype(float) - x for strength in (0, 0.3, 1, 3, 6)]
    severity = [np.mean(c != 0) if kind == "tokens" else np.mean(c**2) for c in changes]
    assert severity[0] == 0
    assert all(np.diff(severity) > 0)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_rows_are_degraded_independently(kind, name):
    shape = {"signal": (2, 48), "image": (1, 48, 8), "tokens": (40,), "vector": (40,)}[kind]
    x = np.repeat(samples(kind, 1, shape), 12, axis=0)
    y = run(kind, name, x, 1.0)
    if name in ("quantise", "blur"):  # nothing in them is drawn
        assert (y == y[0]).all()
    else:
        assert len(np.unique(y.reshape(12, -1), axis=0)) > 3


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_same_generator_gives_the_same_accident(kind, name):
    x = samples(kind, 5, {"signal": (2, 32), "image": (1, 8, 8), "tokens": (12,), "vector": (9,)}[kind])
    np.testing.assert_array_equal(run(kind, name, x, 1, seed=3), run(kind, name, x, 1, seed=3))


def test_noise_has_the_strength_as_its_deviation():
    x = samples("signal", 100, (3, 128))
    assert np.std(run("signal", "noise", x, 3) - x) == pytest.approx(3, rel=0.02)


def test_flatline_is_stuck_at_the_last_value_to_the_end():
    x = samples("signal", 50, (2, 100))
    for before, after in zip(x, run("signal", "flatline", x, 3), strict=True):
        onset = int(np.argmax((np.diff(after, axis=1) == 0).all(axis=0)))
        np.testing.assert_array_equal(after[:, : onset + 1], before[:, : onset + 1])
        np.testing.assert_array_equal(after[:, onset:], np.repeat(before[:, [onset]], 100 - onset, axis=1))
        assert 10 <= onset <= 35  # seven eighths of what is left after at most a quarter


def test_dropout_leaves_bursts_of_zeros_in_all_channels():
    lost = run("signal", "dropout", samples("signal", 50, (3, 128)), 1) == 0
    assert (lost == lost[:, :1]).all()
    np.testing.assert_allclose(lost.mean(axis=(1, 2)), 0.5)
    assert np.diff(lost[:, 0].astype(int), axis=1).clip(0).sum(axis=1).mean() < 16  # independent zeros: 32 stretches


def test_spikes_are_few_and_heavy_tailed():
    x = samples("signal", 200, (3, 128))
    spikes = run("signal", "spikes", x, 1) - x
    hit = spikes[spikes != 0]
    assert len(hit) / spikes.size == pytest.approx(0.05, rel=0.05)
    assert np.abs(hit).max() > 10 * np.median(np.abs(hit))


def test_drift_wanders_slowly():
    x = np.zeros((200, 3, 128), dtype=np.float32)
    drift = run("signal", "drift", x, 3)
    assert np.std(drift[:, :, -1]) == pytest.approx(3, rel=0.1)
    assert np.std(np.diff(drift, axis=2)) < 0.25
    assert np.abs(drift[0, 0] - drift[0, 1]).max() > 0.1


def test_quantise_rounds_to_multiples_of_the_strength():
    x = np.array([[[0.2, 0.6, -0.9, 2.4]]], dtype=np.float32)
    np.testing.assert_allclose(run("signal", "quantise", x, 1), [[[0, 1, -1, 2]]])
    assert set(np.unique(run("signal", "quantise", samples("signal", 50, (3, 64)), 3))) <= {-6, -3, 0, 3, 6}


def test_desync_turns_the_window_as_a_ring():
    x = np.tile(np.arange(40, dtype=np.float32), (30, 1, 1))
    y = run("signal", "desync", x, 3)
    turned = (x[:, 0, 0] - y[:, 0, 0]) % 40
    for row, lag in zip(y, turned, strict=True):
        np.testing.assert_array_equal(row[0], np.roll(np.arange(40), int(lag)))
    distance = np.minimum(turned, 40 - turned)
    assert distance.min() >= 8
    assert distance.max() <= 18
    assert len(np.unique(turned > 20)) == 2  # ahead and behind


def test_images_fail_by_rows():
    x = samples("image", 20, (3, 16, 10))
    lost = run("image", "dropout", x, 1) == 0
    assert (lost.all(axis=(1, 3)) == lost.any(axis=(1, 3))).all()
    stuck = run("image", "flatline", x, 3)
    assert (stuck[:, :, -1] == stuck[:, :, -2]).all()


def test_occlusion_is_a_rectangle():
    covered = run("image", "occlusion", samples("image", 40, (1, 32, 32)), 1)[:, 0] == 0
    for mask in covered:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert covered.mean() == pytest.approx(0.5, abs=0.05)


def test_blur_keeps_a_constant_and_spreads_a_point():
    np.testing.assert_allclose(run("image", "blur", np.ones((1, 1, 8, 8), dtype=np.float32), 2), 1, rtol=1e-6)
    point = np.zeros((1, 1, 21, 21), dtype=np.float32)
    point[0, 0, 10, 10] = 1
    spread = run("image", "blur", point, 1)
    assert spread[0, 0, 10, 10] == pytest.approx(1 / (2 * np.pi), rel=0.02)
    assert spread.sum() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("name", degradations("tokens"))
def test_words_become_unknown_and_padding_stays(name):
    spec = Modality("text", "tokens", (40,), vocabulary=50, pad=7, unknown=9)
    x = np.full((100, 40), 20)
    x[:, 30:] = 7
    y = degrade(spec, name, x, 2, np.random.default_rng(0))
    assert (y[:, 30:] == 7).all()
    assert set(np.unique(y[:, :30])) == {9, 20}
    assert (y[:, :30] == 9).mean() == pytest.approx(0.75, abs=0.05)


def test_a_degradation_that_makes_no_sense_is_refused_by_name():
    with pytest.raises(InputError, match=r"'blur' makes no sense for 'a vector'.*'vector'.*noise, dropout, drift"):
        run("vector", "blur", samples("vector", 1, (3,)), 1)
    with pytest.raises(InputError, match=r"'noise'.*'tokens'.*unknown, dropout"):
        run("tokens", "noise", samples("tokens", 1, (3,)), 1)
    with pytest.raises(InputError, match=r"unknown kind.*'smell'.*signal, image, tokens, vector"):
        degradations("smell")


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_no_strength_is_refused(strength):
    with pytest.raises(InputError, match="at least 0"):
        run("signal", "noise", samples("signal", 1, (1, 4)), strength)


def test_every_kind_has_dropout():
    assert all("dropout" in degradations(kind) for kind in SHAPES)  # so one name can serve a dataset of mixed kinds
