"""How samples are shared out to clients."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.config import ClientSettings
from motet.data.dataset import TEST, TRAIN, VALIDATION, ArrayDataset, Indices
from motet.data.partition import SMALLEST_SHARE, Partition, merge_small, partition
from motet.errors import InputError


def labelled(y: list[int] | Indices, split: list[int] | None = None, client: list[int] | None = None) -> ArrayDataset:
    """Return a dataset of labels alone; the rest does not matter here."""
    return ArrayDataset(
        name="toy",
        modalities={},
        classes=tuple(f"class {c}" for c in range(int(np.max(y, initial=1)) + 1)),
        y=np.array(y, dtype=np.int64),
        split=np.array([TRAIN] * len(y) if split is None else split, dtype=np.uint8),
        x={},
        client=None if client is None else np.array(client, dtype=np.int64),
    )


@st.composite
def datasets(draw: st.DrawFn) -> ArrayDataset:
    """Samples of five classes, some of them not for training, from up to twelve clients of very different sizes."""
    n, clients = draw(st.integers(1, 200)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    split = rng.choice([TRAIN, VALIDATION, TEST], n, p=[0.7, 0.1, 0.2])
    split[rng.integers(n)] = TRAIN
    owners = rng.choice(clients, n, p=rng.dirichlet(np.ones(clients)))
    return labelled(rng.integers(0, 5, n), split.tolist(), owners.tolist())


def training(dataset: ArrayDataset) -> list[int]:
    return np.flatnonzero(dataset.split == TRAIN).tolist()


def members(shares: list[Indices]) -> list[int]:
    """Return every sample of every share, sorted, as often as it occurs."""
    return sorted(np.concatenate(shares).tolist())


@settings(max_examples=150, deadline=None)
@given(datasets(), st.sampled_from(["iid", "dirichlet"]), st.integers(1, 20), st.floats(0.01, 100), st.integers(0, 99))
def test_shares_are_disjoint_and_cover_the_training_split(
    dataset: ArrayDataset, kind: str, most: int, alpha: float, seed: int
) -> None:
    clients = min(most, len(training(dataset)))
    found = partition(dataset, ClientSettings(partition=kind, clients=clients, alpha=alpha), seed)
    assert found.kind == kind
    assert members(found.shares) == training(dataset)
    assert len(found.shares) + found.merged == clients


@settings(max_examples=150, deadline=None)
@given(datasets(), st.none() | st.integers(1, 12))
def test_a_natural_partition_takes_the_first_clients_whole(dataset: ArrayDataset, most: int | None) -> None:
    assert dataset.client is not None
    ids = sorted(set(dataset.client[training(dataset)].tolist()))
    clients = None if most is None else min(most, len(ids))
    chosen = ids[:clients]
    found = partition(dataset, ClientSettings(partition="natural", clients=clients), 0)
    assert members(found.shares) == [i for i in training(dataset) if dataset.client[i] in chosen]
    assert len(found.shares) + found.merged == len(chosen)
    for client in chosen:  # nobody's samples are torn apart
        own = [i for i in training(dataset) if dataset.client[i] == client]
        assert sum(bool(set(own) & set(share.tolist())) for share in found.shares) == 1


def test_natural_clients_stand_in_the_order_of_their_ids() -> None:
    client = [7] * 8 + [-2] * 9 + [40] * 10
    found = partition(labelled([0] * 27, client=client), ClientSettings(), 0)
    assert found.kind == "natural"
    assert [share.tolist() for share in found.shares] == [
        list(range(8, 17)),
        list(range(8)),
        list(range(17, 27)),
    ]


@settings(max_examples=100, deadline=None)
@given(datasets(), st.integers(1, 20), st.integers(0, 99))
def test_iid_shares_are_of_one_size(dataset: ArrayDataset, most: int, seed: int) -> None:
    clients = max(1, min(most, len(training(dataset)) // SMALLEST_SHARE))  # so that none is merged
    sizes = [len(s) for s in partition(dataset, ClientSettings(partition="iid", clients=clients), seed).shares]
    assert len(sizes) == clients
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=150, deadline=None)
@given(datasets(), st.sampled_from(["iid", "dirichlet", "natural"]), st.integers(1, 12), st.integers(0, 99))
def test_no_share_is_left_under_eight_samples_unless_it_is_alone(
    dataset: ArrayDataset, kind: str, most: int, seed: int
) -> None:
    assert dataset.client is not None
    known = training(dataset) if kind != "natural" else np.unique(dataset.client[training(dataset)])
    clients = min(most, len(known))
    shares = partition(dataset, ClientSettings(partition=kind, clients=clients, alpha=0.3), seed).shares
    assert len(shares) == 1 or min(map(len, shares)) >= SMALLEST_SHARE


def sized(*sizes: int) -> list[Indices]:
    """Return shares of these sizes, numbered through."""
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((8, 9, 10), [8, 9, 10]),
        ((7, 9, 10), [16, 10]),
        ((20, 7, 9), [20, 16]),
        ((3, 4, 20), [7 + 20]),  # 3 joins 4, which is still too small
        ((3, 4, 5, 30), [12, 30]),
        ((0, 8, 9), [8, 9]),
        ((1, 2), [3]),
        ((5,), [5]),
        ((8, 8, 7), [15, 8]),
    ],
)
def test_a_small_share_is_merged_into_the_smallest_other(before: tuple[int, ...], after: list[int]) -> None:
    shares = sized(*before)
    merged = merge_small(shares)
    assert sorted(map(len, merged)) == sorted(after)
    assert members(merged) == list(range(sum(before)))
    assert [len(share) for share in shares] == list(before)


def test_merged_shares_are_counted_and_keep_their_clients_together() -> None:
    client = [0] * 5 + [1] * 20 + [2] * 9 + [3] * 2
    found = partition(labelled([0] * 36, client=client), ClientSettings(), 0)
    assert found.merged == 2  # 3 joins 0, and both join 2
    assert [share.tolist() for share in found.shares] == [list(range(5, 25)), [*range(5), *range(25, 36)]]


@pytest.mark.parametrize("kind", ["iid", "dirichlet"])
def test_shares_follow_from_the_seed_alone(kind: str) -> None:
    dataset = labelled(np.arange(300) % 5)
    settings_ = ClientSettings(partition=kind, clients=6)  # type: ignore[arg-type]
    first, again, other = (partition(dataset, settings_, seed).shares for seed in (4, 4, 5))
    assert [share.tolist() for share in first] == [share.tolist() for share in again]
    assert [share.tolist() for share in first] != [share.tolist() for share in other]


def test_a_smaller_alpha_is_more_skewed() -> None:
    dataset = labelled(np.arange(2000) % 5)

    def skew(kind: str, alpha: float) -> float:
        settings_ = ClientSettings(partition=kind, clients=8, alpha=alpha)  # type: ignore[arg-type]
        return float(np.mean([partition(dataset, settings_, seed).label_skew(dataset) for seed in range(10)]))

    skews = [skew("dirichlet", alpha) for alpha in (0.1, 1, 10, 1000)] + [skew("iid", 1)]
    assert all(more > 1.2 * less for more, less in itertools.pairwise(skews[:4]))
    assert skews[0] > 0.5
    assert skews[3] < 0.08
    assert skews[4] < 0.08


@pytest.mark.parametrize("alpha", [0.5, 5.0])
def test_dirichlet_shares_of_a_class_spread_as_the_distribution_says(alpha: float) -> None:
    classes, clients, each, seeds = 20, 5, 400, 20
    dataset = labelled(np.arange(classes * each) % classes)
    squares = []
    for seed in range(seeds):
        found = partition(dataset, ClientSettings(partition="dirichlet", clients=clients, alpha=alpha), seed)
        assert found.merged == 0
        counts = np.stack([np.bincount(dataset.y[share], minlength=classes) for share in found.shares])
        squares.append(np.square(counts / each - 1 / clients))
    variance = (1 / clients) * (1 - 1 / clients) / (clients * alpha + 1)
    error = np.std(np.mean(squares, axis=1)) / np.sqrt(seeds * classes)
    assert abs(np.mean(squares) - variance) < 4 * error


@pytest.mark.parametrize("alpha", [1e-300, 1e-3, 1e6, 1e300])
def test_no_alpha_loses_a_sample(alpha: float) -> None:
    found = partition(labelled(np.arange(200) % 3), ClientSettings(partition="dirichlet", alpha=alpha), 0)
    assert members(found.shares) == list(range(200))


def test_a_dataset_that_knows_its_clients_is_shared_out_by_them() -> None:
    client = [k for k in range(4) for _ in range(8)]
    assert partition(labelled([0] * 32, client=client), ClientSettings(), 0).kind == "natural"
    assert partition(labelled([0] * 32, client=client), ClientSettings(partition="iid", clients=2), 0).kind == "iid"


def test_a_dataset_that_does_not_is_shared_out_to_ten_by_dirichlet() -> None:
    dataset = labelled(np.arange(1000) % 3)
    found = partition(dataset, ClientSettings(), 1)
    explicit = partition(dataset, ClientSettings(partition="dirichlet", clients=10, alpha=1.0), 1)
    assert found.kind == "dirichlet"
    assert len(found.shares) + found.merged == 10
    assert [share.tolist() for share in found.shares] == [share.tolist() for share in explicit.shares]


@pytest.mark.parametrize("kind", ["iid", "dirichlet"])
def test_more_clients_than_samples_are_refused(kind: str) -> None:
    settings_ = ClientSettings(partition=kind, clients=41)  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        partition(labelled([0, 1] * 20), settings_, 0)
    assert str(caught.value) == (
        "--clients 41 is more than the 40 training samples of toy: ask for at most 5, so that each has 8"
    )


def test_advice_to_few_samples_is_not_to_ask_for_no_clients() -> None:
    with pytest.raises(InputError, match="5 training samples") as caught:
        partition(labelled([0, 1, 0, 1, 0]), ClientSettings(), 0)
    assert "at most 0" not in str(caught.value)


def test_more_clients_than_are_known_are_refused() -> None:
    client = [0] * 10 + [1] * 10 + [2] * 10
    split = [TRAIN] * 20 + [TEST] * 10
    with pytest.raises(InputError) as caught:
        partition(labelled([0] * 30, split, client), ClientSettings(clients=3), 0)
    assert str(caught.value) == (
        "--clients 3 is more than the 2 clients in the training split of toy: "
        "ask for at most 2, or use --partition dirichlet or iid"
    )


def test_a_natural_partition_needs_clients() -> None:
    with pytest.raises(InputError) as caught:
        partition(labelled([0, 1] * 20), ClientSettings(partition="natural"), 0)
    assert str(caught.value) == ("toy does not say which client a sample came from: use --partition dirichlet or iid")


def test_the_report_by_hand() -> None:
    dataset = labelled([0] * 6 + [1] * 2 + [0] * 2 + [1] * 6 + [0, 1] * 4)
    found = Partition("iid", [np.arange(8), np.arange(8, 16), np.arange(16, 24)], merged=2)
    assert found.report(dataset) == {
        "partition": "iid",
        "clients": 3,
        "samples_min": 8,
        "samples_median": 8.0,
        "samples_max": 8,
        "label_skew": 0.1667,  # the mixes are 3/4, 1/4, 1/2 against 1/2: distances 1/4, 1/4, 0
        "merged": 2,
        "owners": {},
        "unimodal": {},
        "dropped": 0,
    }
    uneven = Partition("iid", [np.arange(4), np.arange(4, 10), np.arange(10, 24), np.arange(24, 24)][:3], merged=0)
    report = uneven.report(dataset)
    assert (report["samples_min"], report["samples_median"], report["samples_max"]) == (4, 6.0, 14)


def test_equal_mixes_have_no_label_skew() -> None:
    dataset = labelled([0, 1, 1, 2] * 6)
    shares = [np.arange(4), np.arange(4, 12), np.arange(12, 24)]
    assert Partition("iid", shares, 0).label_skew(dataset) == pytest.approx(0, abs=1e-12)


def test_clients_of_a_class_each_have_the_largest_skew() -> None:
    dataset = labelled([c for c in range(4) for _ in range(10)])
    shares = np.split(np.arange(40), 4)
    assert Partition("natural", shares, 0).label_skew(dataset) == pytest.approx(3 / 4)
