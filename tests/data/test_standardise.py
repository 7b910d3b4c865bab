"""Federated standardisation, and noise as part of the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motet.config import ClientSettings
from motet.data.dataset import TEST, TRAIN, ArrayDataset, Dataset, Modality
from motet.data.partition import partition
from motet.data.standardise import Mapped, Scale, scale, sums, with_noise

SHAPES = {
    "acc": Modality("acc", "signal", (3, 20)),
    "camera": Modality("camera", "image", (2, 5, 4)),
    "words": Modality("words", "tokens", (6,), vocabulary=50),
    "vitals": Modality("vitals", "vector", (4,)),
}
REAL = ["acc", "camera", "vitals"]


def toy(n: int = 200, seed: int = 0, absent: float = 0.3) -> ArrayDataset:
    """Return samples of every kind, whose channels have means and deviations of their own."""
    rng = np.random.default_rng(seed)
    x = {}
    for m, spec in SHAPES.items():
        if spec.kind == "tokens":
            x[m] = rng.integers(2, 50, (n, *spec.shape))
            continue
        channels = (1, -1) + (1,) * (len(spec.shape) - 1)
        size = rng.uniform(0.1, 30, spec.shape[0]).reshape(channels)
        offset = rng.uniform(-100, 100, spec.shape[0]).reshape(channels)
        x[m] = (offset + size * rng.standard_normal((n, *spec.shape))).astype(np.float32)
    return ArrayDataset(
        name="toy",
        modalities=dict(SHAPES),
        classes=("a", "b"),
        y=rng.integers(0, 2, n),
        split=np.where(rng.random(n) < 0.2, TEST, TRAIN).astype(np.uint8),
        x=x,
        present={m: rng.random(n) >= absent for m in SHAPES},
    )


def federated(dataset: Dataset, shares: list[NDArray[np.int64]]) -> Scale:
    """Do round 0: each client sends its sums, and the server adds them up in client order."""
    total: dict[str, NDArray[np.float64]] = {}
    for share in shares:
        present = {m: flags[share] for m, flags in dataset.present.items()}
        for m, message in sums(dataset.modalities, dataset.take(share), present).items():
            total[m] = total.get(m, 0) + message  # type: ignore[operator]
    return scale(total)


def over_channels(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return every number of every channel, (channels, count)."""
    return np.moveaxis(values.astype(np.float64), 1, 0).reshape(values.shape[1], -1)


def one_channel(values: list[float] | NDArray[np.float32]) -> ArrayDataset:
    x = np.array(values, dtype=np.float32)[:, None]
    return ArrayDataset(
        name="toy",
        modalities={"v": Modality("v", "vector", (1,))},
        classes=("a", "b"),
        y=np.zeros(len(x), dtype=np.int64),
        split=np.zeros(len(x), dtype=np.uint8),
        x={"v": x},
    )


@pytest.mark.parametrize("kind", ["iid", "dirichlet"])
@pytest.mark.parametrize("absent", [0.0, 0.3])
def test_federated_figures_are_the_central_ones(kind: str, absent: float) -> None:
    dataset = toy(absent=absent)
    shares = partition(dataset, ClientSettings(partition=kind, clients=7), 0).shares  # type: ignore[arg-type]
    found = federated(dataset, shares)
    training = dataset.split == TRAIN
    assert set(found.mean) == set(found.deviation) == set(REAL)
    for m in REAL:
        values = over_channels(dataset.x[m][training & dataset.present[m]])  # type: ignore[arg-type]
        np.testing.assert_allclose(found.mean[m], values.mean(1), rtol=1e-12)
        np.testing.assert_allclose(found.deviation[m], values.std(1), rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 15), st.integers(0, 100))
def test_how_samples_are_shared_out_does_not_matter(clients: int, seed: int) -> None:
    dataset = toy(60, seed)
    cuts = np.sort(np.random.default_rng(seed).integers(0, 60, clients - 1))
    alone, together = federated(dataset, [np.arange(60)]), federated(dataset, np.split(np.arange(60), cuts))
    for m in REAL:
        np.testing.assert_allclose(together.mean[m], alone.mean[m], rtol=1e-12)
        np.testing.assert_allclose(together.deviation[m], alone.deviation[m], rtol=1e-9)


def test_a_clients_message_by_hand() -> None:
    x = {"s": np.array([[[1, 2], [0, 0]], [[3, 4], [5, 6]], [[100, 100], [100, 100]]], dtype=np.float32)}
    spec = {"s": Modality("s", "signal", (2, 2))}
    message = sums(spec, x, {"s": np.array([True, True, False])})
    assert message["s"].tolist() == [[4, 4], [10, 11], [30, 61]]  # counts, sums and sums of squares per channel
    assert message["s"].dtype == np.float64


def test_absent_samples_do_not_count() -> None:
    dataset = toy(100)
    before = federated(dataset, [np.arange(100)])
    for m in REAL:
        dataset.x[m][~dataset.present[m]] = 1e6
    after = federated(dataset, [np.arange(100)])
    for m in REAL:
        assert np.array_equal(before.mean[m], after.mean[m])
        assert np.array_equal(before.deviation[m], after.deviation[m])


def test_a_modality_that_nobody_has_is_not_spoken_of_and_stays_as_it_is() -> None:
    dataset = toy(40, absent=1.1)
    found = federated(dataset, [np.arange(20), np.arange(20, 40)])
    assert found == Scale({}, {})
    assert np.array_equal(found(dataset.x)["acc"], dataset.x["acc"])


def test_a_client_says_nothing_of_what_it_does_not_have() -> None:
    dataset = toy(40, absent=0)
    dataset.present["acc"] = np.arange(40) >= 20
    halves = [np.arange(20), np.arange(20, 40)]
    both, second = federated(dataset, halves), federated(dataset, halves[1:])
    assert np.array_equal(both.mean["acc"], second.mean["acc"])
    present = {m: flags[:20] for m, flags in dataset.present.items()}
    assert list(sums(dataset.modalities, dataset.take(halves[0]), present)) == ["camera", "vitals"]


def test_standardised_training_samples_have_mean_0_and_deviation_1() -> None:
    dataset = toy(300, absent=0)
    training = np.flatnonzero(dataset.split == TRAIN)
    x = federated(dataset, [training])(dataset.take(training))
    for m in REAL:
        assert x[m].dtype == np.float32
        assert x[m].shape == (len(training), *SHAPES[m].shape)
        np.testing.assert_allclose(over_channels(x[m]).mean(1), 0, atol=1e-4)  # type: ignore[arg-type]
        np.testing.assert_allclose(over_channels(x[m]).std(1), 1, rtol=1e-4)  # type: ignore[arg-type]


def test_standardisation_by_hand() -> None:
    found = Scale({"s": np.array([1.0, -2.0])}, {"s": np.array([2.0, 4.0])})
    x = found({"s": np.array([[[1, 3], [2, -2]]], dtype=np.float32)})
    assert x["s"].tolist() == [[[0, 1], [1, 0]]]


def test_tokens_pass() -> None:
    dataset = toy(50)
    found = federated(dataset, [np.arange(50)])
    before = dataset.take(np.arange(50))
    after = found(before)
    assert "words" not in found.mean
    assert np.array_equal(before["words"], after["words"])
    assert after["words"].dtype == np.int64


def test_the_samples_given_are_not_changed() -> None:
    dataset = toy(50)
    before = {m: values.copy() for m, values in dataset.x.items()}
    federated(dataset, [np.arange(50)])(dataset.x)
    assert all(np.array_equal(before[m], dataset.x[m]) for m in SHAPES)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 9.81, 310.15, 1013.25])
def test_a_constant_channel_becomes_zero_and_keeps_its_size(value: float) -> None:
    dataset = one_channel([value] * 1000)
    found = federated(dataset, np.array_split(np.arange(1000), 7))
    assert found.deviation["v"].tolist() == [1.0]
    assert not found(dataset.take(np.arange(3)))["v"].any()


def test_a_constant_channel_keeps_its_size_however_far_from_zero_it_is() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        n, clients = int(rng.integers(50, 3000)), int(rng.integers(1, 20))
        dataset = one_channel([float(10 ** rng.uniform(2, 6))] * n)
        found = federated(dataset, np.array_split(np.arange(n), clients))
        assert found.deviation["v"].tolist() == [1.0]


@pytest.mark.parametrize("size", [1e-9, 1e-7, 1e-5, 1e-3, 1e9])
def test_a_channel_is_standardised_whatever_its_unit(size: float) -> None:
    values = np.random.default_rng(0).standard_normal(500).astype(np.float32) * np.float32(size)
    dataset = one_channel(values)
    x = federated(dataset, [np.arange(500)])(dataset.take(np.arange(500)))["v"]
    assert x.std() == pytest.approx(1, rel=1e-4)


def test_a_channel_far_from_zero_is_standardised() -> None:
    values = 101_325 + 50 * np.random.default_rng(0).standard_normal(500)  # pascals
    dataset = one_channel(values.astype(np.float32))
    found = federated(dataset, np.array_split(np.arange(500), 9))
    assert found.deviation["v"][0] == pytest.approx(dataset.x["v"].astype(np.float64).std(), rel=1e-6)


def test_a_mapped_dataset_is_the_dataset_with_other_samples() -> None:
    dataset = toy(30)
    mapped = Mapped(dataset, lambda x, indices: {**x, "vitals": x["vitals"] + indices[:, None].astype(np.float32)})
    for name in ("name", "modalities", "classes", "y", "client", "split", "time", "present", "source", "terms"):
        assert getattr(mapped, name) is getattr(dataset, name)
    indices = np.array([4, 9, 4])
    x = mapped.take(indices)
    assert np.array_equal(x["vitals"], dataset.x["vitals"][indices] + np.float32([[4], [9], [4]]))
    assert np.array_equal(x["acc"], dataset.x["acc"][indices])


def test_a_mapped_dataset_can_be_narrowed_to_some_modalities() -> None:
    dataset = toy(30)
    scaled = Mapped(dataset, lambda x, _: federated(dataset, [np.arange(30)])(x))
    narrow = scaled.only(["vitals", "acc"])
    assert list(narrow.modalities) == list(narrow.take(np.arange(2))) == ["acc", "vitals"]
    assert np.array_equal(narrow.take(np.arange(5))["acc"], scaled.take(np.arange(5))["acc"])


def test_noise_does_not_stop_a_dataset_from_being_narrowed() -> None:
    noisy = with_noise(toy(30), {"acc": 1.0}, 0)
    narrow = noisy.only(["vitals"])
    assert np.array_equal(narrow.take(np.arange(5))["vitals"], noisy.take(np.arange(5))["vitals"])


def test_no_noise_is_the_dataset_itself() -> None:
    dataset = toy(10)
    assert with_noise(dataset, {}, 0) is dataset


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 49), max_size=20))
def test_a_samples_noise_is_the_same_in_any_company(indices: list[int]) -> None:
    noisy = with_noise(toy(50), {"acc": 0.5, "vitals": 2.0}, 3)
    chosen = np.array(indices, dtype=np.int64)
    all_at_once, some = noisy.take(np.arange(50)), noisy.take(chosen)
    for m in SHAPES:
        assert np.array_equal(some[m], all_at_once[m][chosen])
        assert some[m].dtype == all_at_once[m].dtype


@pytest.mark.parametrize("level", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("m", REAL)
def test_noise_has_the_deviation_asked_for(m: str, level: float) -> None:
    dataset = toy(400)
    x = {name: np.zeros_like(values) if name in REAL else values for name, values in dataset.x.items()}
    silent = ArrayDataset("toy", dict(SHAPES), ("a", "b"), dataset.y, dataset.split, x)
    noise = with_noise(silent, {m: level}, 0).take(np.arange(400))[m]
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 4 * level / np.sqrt(noise.size)
    assert abs(noise.std() / level - 1) < 4 / np.sqrt(2 * noise.size)


def test_noise_is_added_to_the_modalities_named_and_to_no_other() -> None:
    dataset = toy(40)
    before = {m: values.copy() for m, values in dataset.x.items()}
    noisy = with_noise(dataset, {"vitals": 1.0}, 0).take(np.arange(40))
    assert all(np.array_equal(noisy[m], dataset.x[m]) for m in ("acc", "camera", "words"))
    assert (noisy["vitals"] != dataset.x["vitals"]).all()
    assert all(np.array_equal(before[m], dataset.x[m]) for m in SHAPES)


def test_noise_reaches_the_test_split_too() -> None:
    dataset = toy(40)
    test = np.flatnonzero(dataset.split == TEST)
    assert len(test)
    noisy = with_noise(dataset, {"vitals": 1.0}, 0).take(test)["vitals"]
    assert (noisy != dataset.x["vitals"][test]).all()


def test_noise_differs_between_samples_modalities_and_seeds() -> None:
    n = 40
    spec = {m: Modality(m, "vector", (4,)) for m in ("a", "b")}
    x = {m: np.zeros((n, 4), dtype=np.float32) for m in spec}
    silent = ArrayDataset("toy", spec, ("a", "b"), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.uint8), x)
    first, other = (with_noise(silent, {"a": 1.0, "b": 1.0}, seed).take(np.arange(n)) for seed in (0, 1))
    drawn = np.concatenate([first["a"], first["b"], other["a"], other["b"]])
    assert len(np.unique(drawn, axis=0)) == 4 * n


def test_twice_the_level_is_twice_the_same_noise() -> None:
    spec = {"a": Modality("a", "vector", (4,))}
    x = {"a": np.zeros((5, 4), dtype=np.float32)}
    silent = ArrayDataset("toy", spec, ("a", "b"), np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.uint8), x)
    once, twice = (with_noise(silent, {"a": level}, 0).take(np.arange(5))["a"] for level in (1.0, 2.0))
    assert np.array_equal(2 * once, twice)
