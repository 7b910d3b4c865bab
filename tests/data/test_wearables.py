"""The simulated wearables."""

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from motet.data.dataset import TEST, TRAIN, Dataset
from motet.data.wearables import Wearables, wearables
from motet.data.wearables.activities import ACTIVITIES, CLASSES
from motet.data.wearables.motion import RATE_HZ
from motet.data.wearables.person import habits
from motet.data.wearables.schedule import WINDOWS, mixes
from motet.data.wearables.session import KEPT, session
from motet.errors import InputError


@pytest.fixture(scope="module")
def data() -> Wearables:
    return wearables()


@pytest.fixture(scope="module")
def everything(data) -> dict[str, np.ndarray]:
    return data.take(np.arange(len(data.y)))


def of(activity: str) -> int:
    return CLASSES.index(activity)


def steady(data: Wearables, activity: str) -> np.ndarray:
    """Samples in which the activity goes on from the window before, so that no transition is caught."""
    before = np.concatenate([[-1], data.y[:-1]])
    return np.flatnonzero((data.y == of(activity)) & (before == data.y) & (data.split == TRAIN))


def test_arrays_have_the_declared_shapes_and_are_finite(data: Dataset, everything):
    n = len(data.y)
    assert n == 20 * 80 + 50 * 20
    assert data.classes == CLASSES
    assert len(data.client) == len(data.split) == len(data.time) == n
    assert data.y.min() == 0
    assert data.y.max() == len(CLASSES) - 1
    for name, spec in data.modalities.items():
        assert everything[name].shape == (n, *spec.shape)
        assert everything[name].dtype == np.float32
        assert np.isfinite(everything[name]).all()
        assert data.present[name].all()
        assert len(data.present[name]) == n


def test_test_people_are_other_people(data):
    train, test = (set(data.client[data.split == split]) for split in (TRAIN, TEST))
    assert train == set(range(20))
    assert test == set(range(20, 70))


def test_a_persons_samples_are_in_order_of_time(data):
    for person in (0, 19, 20, 69):
        assert (np.diff(data.time[data.client == person]) > 0).all()


def test_test_split_is_the_same_for_any_number_of_clients(data):
    few = wearables(clients=2)
    ours, theirs = np.flatnonzero(few.split == TEST), np.flatnonzero(data.split == TEST)
    np.testing.assert_array_equal(few.y[ours], data.y[theirs])
    a, b = few.take(ours), data.take(theirs)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_a_person_does_not_depend_on_the_numbers_of_clients_and_samples(data, everything):
    many = wearables(clients=1000, samples=130)
    mine, theirs = np.flatnonzero(many.client == 7)[:80], np.flatnonzero(data.client == 7)
    np.testing.assert_array_equal(many.y[mine], data.y[theirs])
    np.testing.assert_array_equal(many.time[mine], data.time[theirs])
    for name, values in many.take(mine).items():
        np.testing.assert_array_equal(values, everything[name][theirs])


def test_labels_are_those_of_the_signals_in_every_session():
    people = wearables(clients=10, samples=4 * WINDOWS)
    restless = people.take(np.arange(1600))["acc"].std(axis=2).max(axis=1)
    for number in range(4):
        within = np.isin(np.arange(1600), steady(people, "running")) & (np.arange(1600) // WINDOWS % 4 == number)
        assert within.any()
        assert restless[within].min() > 0.3
        still = np.isin(np.arange(1600), steady(people, "lying")) & (np.arange(1600) // WINDOWS % 4 == number)
        assert still.any()
        assert restless[still].max() < 0.3


@pytest.mark.parametrize("apart", [80, WINDOWS], ids=["people", "sessions"])
def test_errors_of_the_sensors_are_independent(data, everything, apart):
    still = np.isin(data.y, [of("lying"), of("sitting"), of("standing")])
    first = np.flatnonzero((data.time < 3600) & (data.client < 19))  # the first session of each person
    first = first[still[first] & still[first + apart]]
    assert len(first) > 50
    for name, values in everything.items():
        jitter = np.diff(values, n=2, axis=2)
        jitter /= jitter.std(axis=2, keepdims=True)
        assert abs((jitter[first] * jitter[first + apart]).mean()) < 0.1, name


def test_people_and_seeds_differ(everything):
    other = wearables(seed=1).take(np.arange(80))
    for name in everything:
        assert not np.allclose(everything[name][:80], everything[name][80:160])
        assert not np.allclose(everything[name][:80], other[name])


@settings(deadline=None, max_examples=40)
@given(indices=st.lists(st.integers(0, 2599), max_size=30), forget=st.booleans())
def test_take_is_indexing_in_any_order_with_repetition(data, everything, indices, forget):
    if forget:
        session.cache_clear()
    for name, values in data.take(np.array(indices, dtype=np.int64)).items():
        np.testing.assert_array_equal(values, everything[name][np.array(indices, dtype=np.int64)])


def test_what_is_taken_may_be_changed(data):
    first = data.take(np.arange(4))
    kept = first["acc"].copy()
    first["acc"][:] = 0
    np.testing.assert_array_equal(data.take(np.arange(4))["acc"], kept)


@pytest.mark.parametrize("names", [["acc"], ["gyro"], ["heart"], ["heart", "acc"]])
def test_only_gives_the_same_values(data, everything, names):
    some = data.only(names)
    chosen = [m for m in data.modalities if m in names]
    taken = some.take(np.arange(0, 2600, 7))
    assert list(some.modalities) == list(some.present) == list(taken) == chosen
    for name in chosen:
        np.testing.assert_array_equal(taken[name], everything[name][::7])
    assert list(data.modalities) == ["acc", "gyro", "heart"]


def test_only_refuses_unknown_names(data):
    with pytest.raises(InputError, match=r"unknown modality of wearables 'gyr'.*'gyro'"):
        data.only(["gyr"])
    with pytest.raises(InputError, match="no modality"):
        data.only([])


@pytest.mark.parametrize("count", ["clients", "samples", "test_people", "test_samples"])
def test_counts_below_one_are_refused(count):
    with pytest.raises(InputError, match=f"{count} must be at least 1, not 0"):
        wearables(**{count: 0})


@pytest.mark.parametrize("index", [-1, 2600])
def test_indices_out_of_range_are_refused(data, index):
    with pytest.raises(IndexError, match="0 to 2599"):
        data.take(np.array([0, index]))


def test_ten_thousand_people_fit_in_little_memory_and_time():
    began = time.perf_counter()
    tracemalloc.start()
    many = wearables(clients=10_000)
    constructed = time.perf_counter() - began
    many.take(np.concatenate([np.arange(person * 80, person * 80 + 80) for person in (0, 17, 5000, 9998, 9999)]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (many.split == TEST).sum() == 1000
    assert len(many.y) == 801_000
    assert peak < 60e6
    assert constructed < 10  # a tenth of a second as a rule; this only catches signals generated on construction


def test_cache_of_sessions_is_bounded():
    people = wearables(clients=KEPT + 50, samples=1, seed=3).only(["heart"])
    people.take(np.arange(KEPT + 50))
    assert session.cache_info().currsize == KEPT


def test_activities_come_in_bouts(data):
    goes_on = (data.y[1:] == data.y[:-1])[: 20 * 80 - 1]
    assert 0.75 < goes_on.mean() < 0.9


def test_label_mixes_differ_between_people():
    people = wearables(clients=200, samples=400)
    shares = np.stack([np.bincount(people.y[k * 400 : k * 400 + 400], minlength=8) / 400 for k in range(200)])
    skew = np.abs(shares - shares.mean(axis=0)).sum(axis=1) / 2
    assert 0.2 < np.median(skew) < 0.5
    np.testing.assert_allclose(shares.mean(axis=0), 1 / 8, atol=0.03)
    assert np.corrcoef(shares.ravel(), mixes(0, np.arange(200)).ravel())[0, 1] > 0.75


@pytest.mark.parametrize("activity", ["lying", "sitting", "standing"])
def test_a_still_person_feels_one_g(data, everything, activity):
    magnitude = np.linalg.norm(everything["acc"][steady(data, activity)], axis=1).mean(axis=1)
    assert abs(np.median(magnitude) - 1) < 0.02
    assert (np.abs(magnitude - 1) < 0.1).all()


def test_gravity_tells_lying_from_standing(data, everything):
    upright = everything["acc"][:, 2].mean(axis=1)
    assert upright[steady(data, "standing")].min() > 0.8
    assert np.median(upright[steady(data, "lying")]) < 0.5


def spectra(data: Wearables, everything: dict[str, np.ndarray], activity: str) -> dict[int, np.ndarray]:
    """Mean power spectrum of the vertical acceleration of each person with enough windows, at the frequencies HZ."""
    samples = steady(data, activity)
    vertical = everything["acc"][samples, 2]
    centred = (vertical - vertical.mean(axis=1, keepdims=True)) * np.hanning(64)
    power = np.abs(np.fft.rfft(centred, 1024)) ** 2
    own = {person: power[data.client[samples] == person] for person in range(20)}
    return {person: values.mean(axis=0) for person, values in own.items() if len(values) >= 4}


HZ = np.fft.rfftfreq(1024, 1 / RATE_HZ)


@pytest.mark.parametrize("activity", ["walking", "running"])
def test_gait_peaks_at_the_persons_step_frequency(data, everything, activity):
    found = spectra(data, everything, activity)
    peaks = np.array([HZ[np.argmax(np.where(HZ > 1.2, power, 0))] for power in found.values()])
    usual = ACTIVITIES[of(activity)].step_hz
    expected = np.array([usual * habits(0, person).pace[of(activity)] for person in found])
    assert len(found) > 8
    np.testing.assert_allclose(peaks, expected, rtol=0.15)
    assert np.corrcoef(peaks, expected)[0, 1] > 0.7


def test_gait_has_harmonics(data, everything):
    ratios = []
    for power in spectra(data, everything, "running").values():
        step = HZ[np.argmax(power)]
        second = power[np.abs(HZ - 2 * step) < 0.1 * step].max()
        ratios.append(second / power[np.abs(HZ - 1.5 * step) < 0.05 * step].max())
    assert np.median(ratios) > 3


def test_heart_follows_effort_with_a_lag(data, everything):
    heart = everything["heart"].mean(axis=(1, 2))
    settled = {name: np.median(heart[steady(data, name)]) for name in CLASSES}
    assert settled["lying"] < settled["standing"] < settled["walking"] < settled["stairs_up"] < settled["running"]
    assert 50 < settled["lying"] < 85
    assert heart.max() < 220
    train = np.flatnonzero(data.split == TRAIN)
    begins = train[1:][(data.y[train[1:]] != data.y[train[:-1]]) & (train[1:] % WINDOWS > 0)]
    run = begins[data.y[begins] == of("running")]
    assert np.median(heart[run]) < settled["running"] - 10


def features(values: np.ndarray) -> np.ndarray:
    """Mean, deviation and a coarse spectrum of every channel."""
    power = np.abs(np.fft.rfft(values - values.mean(axis=2, keepdims=True), axis=2))[..., 1:17]
    parts = [values.mean(axis=2), np.log(values.std(axis=2)), np.log(power + 0.1).reshape(len(values), -1)]
    return np.concatenate(parts, axis=1)


def test_modalities_are_of_different_strength_and_complement_each_other(data, everything):
    x = {name: features(values) for name, values in everything.items()}
    train, test = data.split == TRAIN, data.split == TEST

    def accuracy(*names: str) -> float:
        joined = np.concatenate([x[name] for name in names], axis=1)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=300))
        return model.fit(joined[train], data.y[train]).score(joined[test], data.y[test])

    acc, gyro, heart = accuracy("acc"), accuracy("gyro"), accuracy("heart")
    assert 0.3 < heart < gyro - 0.05 < acc - 0.1
    assert acc < 0.9
    assert accuracy("acc", "gyro", "heart") > acc + 0.02
    assert accuracy("gyro", "heart") > gyro + 0.02
