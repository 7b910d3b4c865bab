"""Quality assessment as a whole: devices, server and scores, without an oracle."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from motet.data.dataset import Modality
from motet.stream.bank import CAPACITY
from motet.stream.degradation import degrade
from motet.stream.message import write
from motet.stream.quality import assess, join, shared, summarise, wanted
from motet.stream.reference import FLOOR, histograms, key, knows
from motet.stream.statistics import statistics

SENSOR = Modality("sensor", "signal", (3, 64))
FAULTS = ("noise", "spikes", "drift", "flatline")


def waves(n, seed, classes=(0, 1, 2)):
    """Synthetic windows: a tone per class with its own height and pitch, and some noise."""
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, n)
    time, phase = np.arange(64), rng.uniform(0, 6, (n, 3, 1))
    height = np.array([0.3, 1.2, 1.8])[y][:, None, None] * rng.uniform(0.8, 1.2, (n, 3, 1))
    tone = np.sin(time * np.array([0.1, 0.25, 0.5])[y][:, None, None] + phase)
    return (height * tone + 0.05 * rng.standard_normal((n, 3, 64))).astype(np.float32), y


def tell(x, y, reference, *, calibrating=False, modality=SENSOR):
    """What one client tells of its samples."""
    owner = np.zeros(len(y), dtype=int)
    return {modality.name: summarise(assess(modality, x, reference), y, owner, 1, calibrating=calibrating)}


def score(modality, x, reference):
    return assess(modality, x, reference).quality


def learn(rounds, calibration_rounds=0, clients=5, bad=lambda r, k: False, shift=4.0):
    """Let `clients` send a view each round; a bad one adds an offset to everything."""
    memory = {}
    for r in range(1, rounds + 1):
        messages = []
        for k in range(clients):
            x, y = waves(60, 1000 * r + k)
            x = x + np.float32(shift) if bad(r, k) else x
            messages.append(tell(x, y, shared(memory), calibrating=r <= calibration_rounds))
        memory = join(memory, messages, ["sensor"], round=r, calibration_rounds=calibration_rounds)
    return memory


def test_without_a_reference_everything_is_good():
    x, y = waves(10, 0)
    quality, distance, points, edge = assess(SENSOR, x, {})
    assert edge is None
    np.testing.assert_array_equal(quality, 1)
    np.testing.assert_array_equal(distance, 0)
    np.testing.assert_array_equal(points, statistics(SENSOR, x))
    assert not knows(shared(join({}, [{}, {}], ["sensor"], round=1)), "sensor")
    assert len(tell(x[:0], y[:0], {})["sensor"].label) == 0
    assert score(SENSOR, x[:0], shared(learn(1))).shape == (0,)


@pytest.mark.parametrize("calibration_rounds", [0, 6])
def test_scores_follow_the_formula(calibration_rounds):
    reference = shared(learn(6, calibration_rounds))
    x, _ = waves(50, 7)
    x[25:] += np.linspace(0, 3, 25, dtype=np.float32)[:, None, None]
    quality, distance, _, edge = assess(SENSOR, x, reference)
    assert edge == reference[key("sensor", "edge")]
    expected = np.where(distance <= edge, 1, np.maximum(0, 1 - (distance - edge) / edge))
    np.testing.assert_allclose(quality, expected, atol=1e-12)


def test_calibration_takes_plain_moments_of_everything():
    x, y = waves(400, 0)
    x[:100] += 4  # declared clean is clean
    parts = np.array_split(np.arange(400), 4)
    messages = [tell(x[i], y[i], {}, calibrating=True) for i in parts]
    memory = join({}, messages, ["sensor"], round=1, calibration_rounds=3)
    points = statistics(SENSOR, x)
    for c in range(3):
        np.testing.assert_allclose(
            memory[key("sensor", "centre")][c], points[y == c].mean(axis=0), rtol=1e-4, atol=1e-5
        )
    within = sum(np.cov(points[y == c].T, bias=True) * (y == c).sum() for c in range(3)) / 400
    n = (y == 0).sum()
    covariance = (n * np.cov(points[y == 0].T, bias=True) + 20 * within) / (n + 20) + FLOOR**2 * np.eye(8)
    whitener = memory[key("sensor", "whitener")][0].astype(float)
    np.testing.assert_allclose(whitener @ covariance @ whitener.T, np.eye(8), atol=1e-3)


def test_after_calibration_the_reference_is_frozen():
    memory = learn(3, 3)
    assert [wanted(r, 3) for r in (1, 3, 4)] == [True, True, False]
    assert wanted(10**6, 0)
    x, y = waves(50, 1)
    later = join(memory, [tell(x + 9, y, shared(memory))], ["sensor"], round=4, calibration_rounds=3)
    assert later.keys() == memory.keys()
    assert all(np.array_equal(later[name], memory[name]) for name in memory)


def test_one_bad_client_in_five_moves_nothing():
    clean = shared(learn(8))
    hit = shared(learn(8, bad=lambda r, k: k == 2))
    scale = 1 / np.abs(clean[key("sensor", "whitener")]).max(axis=1)
    moved = np.abs(hit[key("sensor", "centre")] - clean[key("sensor", "centre")]) / scale
    assert moved.max() < 0.5
    assert hit[key("sensor", "edge")] == pytest.approx(clean[key("sensor", "edge")], rel=0.2)
    x, _ = waves(200, 5)
    assert (score(SENSOR, x, hit) < 1).mean() < 0.1
    assert (score(SENSOR, x + 4, hit) < 1).all()


def test_a_bad_start_is_forgotten():
    reference = shared(learn(20, bad=lambda r, k: r <= 2))
    x, _ = waves(200, 5)
    assert (score(SENSOR, x, reference) < 1).mean() < 0.1
    assert (score(SENSOR, x + 4, reference) < 1).all()


def test_where_most_samples_are_far_it_is_the_reference_that_was_wrong():
    bad, good = ([waves(60, 10 * r + k) for k in range(n)] for r, n in ((1, 3), (2, 12)))
    memory = join({}, [tell(x + 4, y, {}) for x, y in bad], ["sensor"], round=1)
    memory = join(memory, [tell(x, y, shared(memory)) for x, y in good], ["sensor"], round=2)
    x, _ = waves(200, 5)
    assert distances_over_edge(x, memory).mean() < distances_over_edge(x + 4, memory).mean() / 5


def distances_over_edge(x, memory):
    found = assess(SENSOR, x, shared(memory))
    return found.distance / found.edge


def test_old_distances_fade_from_the_edge():
    memory = {}
    for r in range(1, 9):
        x, y = waves(60, r)
        far = np.full(60, 6.0 if r == 1 else 2.0)
        told = tell(x, y, {})["sensor"]._replace(distances=histograms(far, np.zeros(60, dtype=int), 1))
        memory = join(memory, [{"sensor": told}], ["sensor"], round=r)
    assert memory[key("sensor", "edge")] == pytest.approx(2, rel=0.1)


def test_a_few_bad_samples_in_every_view_are_left_out():
    memory = {}
    for r in range(1, 9):
        messages = []
        for k in range(5):
            x, y = waves(80, 100 * r + k)
            x[:6] += 4
            messages.append(tell(x, y, shared(memory)))
        memory = join(memory, messages, ["sensor"], round=r)
    x, _ = waves(200, 5)
    assert (score(SENSOR, x, shared(memory)) < 1).mean() < 0.15
    assert (score(SENSOR, x + 4, shared(memory)) < 1).mean() > 0.95


def test_order_of_arrival_does_not_matter():
    views = {k: waves(40, k) for k in range(5)}
    sent = {k: tell(x, y, {}) for k, (x, y) in views.items()}
    late = {k: sent[k] for k in (3, 0, 4, 2, 1)}
    one = join({}, [sent[k] for k in sorted(sent)], ["sensor"], round=1)
    other = join({}, [late[k] for k in sorted(late)], ["sensor"], round=1)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_memory_is_flat_not_changed_and_bounded():
    memory = learn(2)
    before = {name: value.copy() for name, value in memory.items()}
    x, y = waves(30, 0)
    join(memory, [tell(x, y, shared(memory))], ["sensor"], round=3)
    assert all(np.array_equal(memory[name], before[name]) for name in before)
    assert all(isinstance(value, np.ndarray) and value.dtype != object for value in memory.values())
    many = learn(CAPACITY // 5 + 3)
    assert len(many["bank/sensor/round"]) == CAPACITY
    assert many["bank/sensor/round"][0] == 4
    assert many["bank/sensor/group"].max() == CAPACITY - 1


@pytest.mark.parametrize("calibrating", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_clients_at_once_are_clients_one_by_one(known, calibrating):
    reference = shared(learn(3)) if known else {}
    sizes = [20, 0, 7, 30]
    x, y = waves(sum(sizes), 9)
    x[:4] += 4
    y[5:15] = -1
    owner = np.repeat(np.arange(4), sizes)
    at_once = summarise(assess(SENSOR, x, reference), y, owner, 4, calibrating=calibrating)
    alone = [tell(x[owner == k], y[owner == k], reference, calibrating=calibrating)["sensor"] for k in range(4)]
    np.testing.assert_array_equal(at_once.group, np.repeat(np.arange(4), [len(s.label) for s in alone]))
    np.testing.assert_array_equal(at_once.distances, np.concatenate([s.distances for s in alone]))
    for field in ("label", "good"):
        np.testing.assert_array_equal(getattr(at_once, field), np.concatenate([getattr(s, field) for s in alone]))
    for found, one_by_one in zip(at_once.parts, zip(*(s.parts for s in alone), strict=True), strict=True):
        np.testing.assert_array_equal(found, np.concatenate(one_by_one))


def test_messages_are_small():
    x, y = waves(200, 0, classes=range(3))
    reference = shared(learn(3))
    sent = write("sensor", tell(x, y, reference)["sensor"])
    assert sum(value.nbytes for value in sent.values()) < 2048
    assert sum(value.nbytes for value in reference.values()) < 2048


def test_labels_may_be_missing():
    for share in (0.0, 0.3):
        memory = {}
        for r in range(1, 6):
            messages = []
            for k in range(4):
                x, y = waves(60, 100 * r + k)
                y = np.where(np.random.default_rng(r).random(60) < share, y, -1)
                messages.append(tell(x, y, shared(memory)))
            memory = join(memory, messages, ["sensor"], round=r)
        assert len(memory[key("sensor", "centre")]) == (1 if share == 0 else 3)
        x, _ = waves(200, 1)
        assert (score(SENSOR, x, shared(memory)) < 1).mean() < 0.15
        assert (score(SENSOR, x + 5, shared(memory)) < 1).mean() > 0.9


def test_clients_may_lack_classes_modalities_and_samples():
    other = Modality("other", "vector", (6,))
    rng = np.random.default_rng(0)
    x, y = waves(40, 0, classes=(1,))
    one = tell(x, y, {}) | tell(rng.standard_normal((5, 6)).astype(np.float32), np.zeros(5, int), {}, modality=other)
    two = tell(*waves(1, 1), {})
    memory = join({}, [one, two, {}], ["sensor", "other"], round=1)
    memory = join(memory, [{}, two, {}], ["sensor", "other"], round=2)
    assert knows(memory, "sensor")
    assert knows(memory, "other")
    assert memory["bank/other/round"].tolist() == [1]
    assert score(other, rng.standard_normal((3, 6)).astype(np.float32), shared(memory)).shape == (3,)


def test_two_samples_seen_in_three_rounds_are_two():
    x, y = waves(60, 0)
    y = np.where(np.arange(60) < 2, 9, y)
    memory = {}
    for r in range(1, 4):
        memory = join(memory, [tell(x, y, shared(memory))], ["sensor"], round=r)
    assert len(memory[key("sensor", "centre")]) == 3


def test_a_silent_sensor_is_no_error():
    x, y = np.zeros((20, 3, 64), dtype=np.float32), np.zeros(20, dtype=int)
    memory = {}
    for r in (1, 2):
        memory = join(memory, [tell(x, y, shared(memory))] * 3, ["sensor"], round=r)
    np.testing.assert_array_equal(score(SENSOR, x, shared(memory)), 1)
    np.testing.assert_array_equal(score(SENSOR, waves(5, 0)[0], shared(memory)), 0)


def stream(modality, x, y, fault, rate, calibration_rounds, rounds, per_client=150, clients=5):
    """Run a stream in which each client's view of a round is degraded with probability `rate`; pool truth and 1 - q."""
    rng = np.random.default_rng(0)
    memory, truth, doubt = {}, [], []
    for r in range(1, rounds + 1):
        messages = []
        for _ in range(clients):
            i = rng.choice(len(y), per_client, replace=False)
            hit = r > calibration_rounds and rng.random() < rate
            view = degrade(modality, fault, x[i], 3.0, rng) if hit else x[i]
            assessment = assess(modality, view, shared(memory))
            if r > max(calibration_rounds, rounds // 2):
                truth.append(np.full(len(i), hit))
                doubt.append(1 - assessment.quality)
            messages.append(
                {modality.name: summarise(assessment, y[i], 0 * i, 1, calibrating=r <= calibration_rounds)}
                if wanted(r, calibration_rounds)
                else {}
            )
        memory = join(memory, messages, [modality.name], round=r, calibration_rounds=calibration_rounds)
    return np.concatenate(truth), np.concatenate(doubt)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("calibration_rounds", [0, 5])
def test_faults_are_found_in_synthetic_signals(fault, calibration_rounds):
    x, y = waves(600, 0)
    truth, doubt = stream(SENSOR, x, y, fault, 0.3, calibration_rounds, rounds=16)
    assert roc_auc_score(truth, doubt) > 0.93
    assert (doubt[~truth] > 0).mean() < 0.06


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["body_acc", "gyro"])
def test_faults_are_found_in_real_signals(fault, name):
    folder = os.environ.get("MOTET_DATA")
    if folder is None or not (Path(folder) / "ucihar.npz").is_file():
        pytest.skip("set MOTET_DATA to a folder that holds ucihar.npz")
    with np.load(Path(folder) / "ucihar.npz") as archive:
        train = archive["split"] == 0
        x, y = archive[f"x.{name}"][train].astype(np.float32), archive["y"][train]
    x = (x - x.mean(axis=(0, 2), keepdims=True)) / x.std(axis=(0, 2), keepdims=True)
    modality = Modality(name, "signal", x.shape[1:])
    for calibration_rounds in (20, 0):
        truth, doubt = stream(modality, x, y, fault, 0.3, calibration_rounds, rounds=30)
        assert roc_auc_score(truth, doubt) > 0.93
        assert (doubt[~truth] > 0).mean() < 0.06
