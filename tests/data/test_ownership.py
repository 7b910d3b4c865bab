"""Which clients own one modality only: exactly so many, evenly over modalities, by the seed alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motet.data.dataset import TEST, TRAIN, VALIDATION, ArrayDataset, Modality
from motet.data.ownership import deal, own
from motet.data.partition import SMALLEST_SHARE, Partition
from motet.data.standardise import scale, sums
from motet.data.wearables import wearables

SHARES = st.floats(0, 1)
SEEDS = st.integers(0, 99)


def sensors(clients: int, each: int, modalities: int = 2, absent: float = 0.0, seed: int = 0) -> ArrayDataset:
    """Make vectors of clients who have so many samples each, and ten samples for validation and for test."""
    rng = np.random.default_rng(seed)
    n = clients * each
    names = [f"m{i}" for i in range(modalities)]
    present = rng.random((n + 20, modalities)) >= absent
    present[np.arange(n + 20), rng.integers(0, modalities, n + 20)] = True
    return ArrayDataset(
        name="sensors",
        modalities={m: Modality(m, "vector", (2,)) for m in names},
        classes=("a", "b"),
        y=rng.integers(0, 2, n + 20),
        split=np.repeat([TRAIN, VALIDATION, TEST], [n, 10, 10]).astype(np.uint8),
        x={m: rng.normal(i, 1 + i, (n + 20, 2)).astype(np.float32) for i, m in enumerate(names)},
        client=np.concatenate([np.repeat(np.arange(clients), each), np.full(20, clients)]),
        present={m: present[:, i] for i, m in enumerate(names)},
    )


def by_client(clients: int, each: int) -> Partition:
    return Partition("natural", np.split(np.arange(clients * each), clients), 0)


def spread(dealt: dict[int, int], modalities: int) -> NDArray[np.int64]:
    """Return how many unimodal clients each modality has."""
    return np.bincount(list(dealt.values()), minlength=modalities)


@settings(max_examples=150, deadline=None)
@given(clients=st.integers(1, 60), modalities=st.integers(1, 6), share=SHARES, seed=SEEDS)
def test_exactly_so_many_own_one_modality_and_as_evenly_as_can_be(
    clients: int, modalities: int, share: float, seed: int
) -> None:
    dealt = deal(np.full((clients, modalities), 9), share, seed)
    assert len(dealt) == round(share * clients)
    assert list(dealt) == sorted(dealt)
    assert set(dealt) <= set(range(clients))
    owners = spread(dealt, modalities)
    assert owners.max() - owners.min() <= 1
    assert deal(np.full((clients, modalities), 9), share, seed) == dealt


def test_the_seed_draws_the_clients_and_their_modality() -> None:
    """Every client and every modality is as likely as any other."""
    drawn = [deal(np.full((4, 3), 9), 0.25, seed) for seed in range(1200)]
    counts = np.zeros((4, 3))
    for dealt in drawn:
        ((client, modality),) = dealt.items()
        counts[client, modality] += 1
    expected = 1200 / 12
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected)).all()


@settings(max_examples=150, deadline=None)
@given(
    held=st.lists(st.tuples(st.sampled_from([0, 3, 20]), st.sampled_from([0, 5, 20])), min_size=1, max_size=30),
    share=SHARES,
    seed=SEEDS,
)
def test_a_client_owns_what_enough_of_its_samples_have(held: list[tuple[int, int]], share: float, seed: int) -> None:
    counts = np.array([both if any(both) else (1, 0) for both in held])
    dealt = deal(counts, share, seed)
    assert len(dealt) == round(share * len(counts))
    for client, modality in dealt.items():
        assert counts[client, modality] >= min(SMALLEST_SHARE, counts[client].max()) > 0
    choice = [tuple(counts[k] >= min(SMALLEST_SHARE, counts[k].max())) for k in dealt]
    forced = [choice.count((True, False)), choice.count((False, True))]
    free = choice.count((True, True))
    apart = int(np.abs(np.diff(spread(dealt, 2)))[0])
    assert apart == max(abs(forced[0] - forced[1]) - free, len(dealt) % 2)  # no dealing is more even


def test_a_client_that_never_had_anything_is_no_unimodal_one() -> None:
    assert set(deal(np.array([[0, 0], [9, 9], [0, 0]]), 1.0, 0)) == {1}


@settings(max_examples=80, deadline=None)
@given(
    clients=st.integers(1, 6),
    modalities=st.integers(1, 4),
    absent=st.sampled_from([0.0, 0.5]),
    share=SHARES,
    seed=SEEDS,
)
def test_a_unimodal_client_has_its_modality_in_every_sample_and_nothing_else(
    clients: int, modalities: int, absent: float, share: float, seed: int
) -> None:
    data, shared_out = sensors(clients, 10, modalities, absent, seed), by_client(clients, 10)
    before = {m: flags.copy() for m, flags in data.present.items()}
    owned, left = own(data, shared_out, share, seed)
    assert len(left.unimodal) == round(share * clients)
    for k, samples in enumerate(left.shares):
        for m, there in owned.present.items():
            if k in left.unimodal:
                assert (there[samples] == (left.unimodal[k] == m)).all()
                assert len(samples) >= 1
            else:
                assert np.array_equal(there[samples], before[m][samples])
                assert np.array_equal(samples, shared_out.shares[k])
    assert sum(map(len, left.shares)) + left.dropped == clients * 10
    others = data.split != TRAIN
    assert all(np.array_equal(owned.present[m][others], before[m][others]) for m in before)
    assert all(np.array_equal(data.present[m], before[m]) for m in before)


def test_samples_without_the_only_modality_leave_by_hand() -> None:
    data = sensors(2, 10)
    data.present = {"m0": np.arange(40) != 3, "m1": np.arange(40) >= 9}  # client 0 has m1 in one sample alone
    owned, left = own(data, by_client(2, 10), 1.0, 0)
    assert left.unimodal == {0: "m0", 1: "m1"}
    assert left.dropped == 1
    assert left.shares[0].tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert left.shares[1].tolist() == list(range(10, 20))
    assert not owned.present["m1"][:10].any()
    assert not owned.present["m0"][10:20].any()
    report = left.report(owned)
    assert report["owners"] == {"m0": 1, "m1": 1}
    assert report["unimodal"] == {"0": "m0", "1": "m1"}
    assert report["dropped"] == 1


@pytest.mark.parametrize("data", [sensors(4, 10, 3), wearables(4, samples=10, test_people=2)])
def test_a_share_of_nothing_leaves_everything(data: Any) -> None:
    owned, left = own(data, by_client(4, 10), 0.0, 0)
    assert (left.unimodal, left.dropped) == ({}, 0)
    assert set(left.report(owned)["owners"].values()) == {4}  # type: ignore[attr-defined]
    assert all(np.array_equal(owned.present[m], flags) for m, flags in data.present.items())


def test_with_one_modality_everybody_owns_it() -> None:
    data, shared_out = sensors(4, 10, 1), by_client(4, 10)
    owned, left = own(data, shared_out, 1.0, 0)
    assert owned.present["m0"].all()
    assert [share.tolist() for share in left.shares] == [share.tolist() for share in shared_out.shares]


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_standardisation_is_that_of_the_samples_owned(share: float) -> None:
    data, left = own(sensors(5, 12, 3, absent=0.3), by_client(5, 12), share, 1)
    total: dict[str, Any] = {}
    for k, samples in enumerate(left.shares):
        message = sums(data.modalities, data.take(samples), {m: there[samples] for m, there in data.present.items()})
        assert k not in left.unimodal or list(message) == [left.unimodal[k]]
        total |= {m: total.get(m, 0) + value for m, value in message.items()}
    found = scale(total)
    held = np.concatenate(left.shares)
    for m in data.modalities:
        values = data.x[m][held[data.present[m][held]]].astype(np.float64)
        np.testing.assert_allclose(found.mean[m], values.mean(0), rtol=1e-12)
        np.testing.assert_allclose(found.deviation[m], values.std(0), rtol=1e-9)
