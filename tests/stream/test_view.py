"""A client's view of a round, and the test split: what goes missing, what is degraded, and what stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from motet.config import DegradationSettings, ImbalanceSettings, LabelSettings, StreamSettings
from motet.data.dataset import TEST, TRAIN, ArrayDataset, Modality
from motet.engine.federation import Federation, build_federation
from motet.engine.population import ownership
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.learn.recipe import resolve
from motet.stream.arrivals import Stream
from motet.stream.drift import Gains
from motet.stream.imbalance import Imbalance
from motet.stream.labels import Labels
from motet.stream.view import View, Views, blank, impair_test, whole

SHAPES: dict[str, tuple[int, ...]] = {"signal": (2, 16), "vector": (4,), "image": (1, 4, 5), "tokens": (6,)}
Flags = NDArray[np.bool_]


def toy(kinds: list[str], n: int = 60, seed: int = 0, absent: float = 0.0) -> ArrayDataset:
    """Return samples in which no number is zero and no token is padding, so that what is blanked shows."""
    rng = np.random.default_rng(seed)
    spec: dict[str, Modality] = {}
    x: dict[str, Any] = {}
    for i, kind in enumerate(kinds):
        words = {"vocabulary": 20, "pad": 1, "unknown": 0} if kind == "tokens" else {}
        spec[f"m{i}"] = Modality(f"m{i}", kind, SHAPES[kind], **words)  # type: ignore[arg-type]
        shape = (n, *SHAPES[kind])
        x[f"m{i}"] = rng.integers(2, 20, shape) if kind == "tokens" else rng.uniform(1, 2, shape).astype(np.float32)
    present = rng.random((n, len(kinds))) >= absent
    present[np.arange(n), rng.integers(0, len(kinds), n)] = True
    return ArrayDataset(
        name="toy",
        modalities=spec,
        classes=("a", "b", "c"),
        y=rng.integers(0, 3, n),
        split=np.where(np.arange(n) < n // 2, TRAIN, TEST).astype(np.uint8),
        x=x,
        present={m: present[:, i] for i, m in enumerate(spec)},
    )


def views(
    dataset: ArrayDataset,
    clients: int = 3,
    missing: dict[str, Any] | None = None,
    degraded: dict[str, Any] | None = None,
    degradation: str = "noise",
    strength: float = 3.0,
    buffer: Any = "all",
    arrivals: int = 4,
    clean_rounds: int = 0,
    seed: int = 0,
    labels: dict[str, Any] | None = None,
    gains: Sequence[int] = (),
) -> Views:
    """Share a dataset out to clients, each with the same number of samples."""
    share = len(dataset.y) // 6  # however many clients there are
    online = StreamSettings(buffer=buffer, arrivals=arrivals)
    streams = {k: Stream(np.arange(k * share, (k + 1) * share), online, seed, k) for k in range(clients)}
    names = list(dataset.modalities)
    return Views(
        dataset,
        streams,
        ownership(dataset, list(streams.values())),
        Imbalance("missing", ImbalanceSettings(**missing or {}), names, clients, seed),
        Imbalance("degraded", ImbalanceSettings(**degraded or {}), names, clients, seed),
        DegradationSettings(degradation=degradation, degradation_strength=strength),
        Labels(LabelSettings(**labels or {}), len(dataset.classes), seed),
        Gains(gains, ownership(dataset, list(streams.values())), seed),
        clean_rounds,
        seed,
    )


def stacked(flags: dict[str, Flags]) -> Flags:
    return np.stack(list(flags.values()), axis=1)


def check(dataset: ArrayDataset, indices: NDArray[np.int64], view: View) -> tuple[Flags, Flags]:
    """Check what holds for every view of some samples; return what was lost and what is degraded, (n, modalities)."""
    recorded = stacked({m: flags[indices] for m, flags in dataset.present.items()})
    present, degraded = stacked(view.present), stacked(view.degraded)
    lost = recorded & ~present
    assert list(view.x) == list(view.present) == list(view.degraded) == list(dataset.modalities)
    assert not (present & ~recorded).any()
    assert present.any(1).all()  # a sample keeps at least one modality
    assert lost.sum(1).max(initial=0) <= 1
    assert not (degraded & ~present).any()
    assert degraded.sum(1).max(initial=0) <= 1
    assert np.array_equal(view.y, dataset.y[indices])
    for i, (m, spec) in enumerate(dataset.modalities.items()):
        x, untouched = view.x[m], dataset.x[m][indices]
        same = (x == untouched).reshape(len(x), -1).all(1)
        assert x.dtype == untouched.dtype
        assert x.shape == untouched.shape
        assert (x[~present[:, i]] == (spec.pad if spec.kind == "tokens" else 0)).all()
        assert same[present[:, i] & ~degraded[:, i]].all()
        assert not same[degraded[:, i]].any()
    return lost, degraded


def samples_of(found: Views, round: int, client: int) -> NDArray[np.int64]:  # noqa: A002
    stream = found.streams[client]
    return stream.index(stream.buffer(round))


IMBALANCES = st.fixed_dictionaries(
    {"rate": st.sampled_from([0.0, 0.3, 0.8, 1.0])},
    optional={
        "pattern": st.sampled_from(["independent", "correlated", "persistent", "bursty", "alternating"]),
        "modality": st.just("m0"),
        "bias": st.floats(0, 1),
        "period": st.integers(1, 5),
        "length": st.floats(5, 10),
    },
) | st.fixed_dictionaries(
    {"rate": st.sampled_from([0.3, 1.0]), "granularity": st.just("sample")},
    optional={"pattern": st.just("alternating"), "modality": st.just("m0"), "bias": st.floats(0, 1)},
)


@settings(max_examples=200, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["signal", "vector", "image"]), min_size=1, max_size=6),
    missing=IMBALANCES,
    degraded=IMBALANCES,
    buffer=st.sampled_from(["all", 3, 8]),
    absent=st.sampled_from([0.0, 0.5]),
    clean_rounds=st.integers(0, 3),
    seed=st.integers(0, 99),
    rounds=st.lists(st.integers(1, 12), min_size=1, max_size=3),
)
def test_whatever_is_asked_for_a_view_is_sound_and_tells_the_truth(
    kinds: list[str],
    missing: dict[str, Any],
    degraded: dict[str, Any],
    buffer: Any,
    absent: float,
    clean_rounds: int,
    seed: int,
    rounds: list[int],
) -> None:
    dataset = toy(kinds, seed=seed, absent=absent)
    untouched = {m: x.copy() for m, x in dataset.x.items()}
    found = views(dataset, 3, missing, degraded, buffer=buffer, arrivals=3, clean_rounds=clean_rounds, seed=seed)
    for number in rounds:
        for client in range(3):
            view = found.view(number, client)
            lost, bad = check(dataset, samples_of(found, number, client), view)
            if missing.get("granularity") != "sample":
                assert lost.any(0).sum() <= 1  # one modality for the whole view
            if degraded.get("granularity") != "sample":
                assert bad.any(0).sum() <= 1
                assert number > clean_rounds or not bad.any()
            if missing["rate"] == 0 or len(kinds) == 1:
                assert not lost.any()
            assert view.arrivals == found.streams[client].arrived(number)
    assert all(np.array_equal(untouched[m], x) for m, x in dataset.x.items())


@pytest.mark.parametrize("modalities", [1, 2, 3, 6])
@pytest.mark.parametrize("granularity", ["round", "sample"])
def test_at_rate_one_every_sample_loses_one_modality_and_another_is_degraded(modalities: int, granularity: str) -> None:
    dataset = toy(["vector"] * modalities)
    certain = {"rate": 1.0, "granularity": granularity}
    found = views(dataset, missing=certain, degraded=certain)
    for number in range(1, 6):
        lost, degraded = check(dataset, samples_of(found, number, 0), found.view(number, 0))
        assert (lost.sum(1) == (1 if modalities > 1 else 0)).all()  # the only one stays
        assert (degraded.sum(1) == 1).all()


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_views_are_hit_at_the_rate(rate: float) -> None:
    dataset = toy(["vector"] * 3, n=18)
    found = views(dataset, 3, missing={"rate": rate}, degraded={"rate": rate})
    both = [check(dataset, samples_of(found, r, k), found.view(r, k)) for r in range(1, 251) for k in range(3)]
    lost, degraded = (np.array([flags.any() for flags in each]) for each in zip(*both, strict=True))
    assert all((flags.all(0) | ~flags.any(0)).all() for pair in both for flags in pair)  # all samples, or none
    for hit in (lost, degraded):
        assert abs(hit.sum() - rate * len(hit)) < 4 * np.sqrt(rate * (1 - rate) * len(hit))
    assert abs(np.corrcoef(lost, degraded)[0, 1]) < 4 / np.sqrt(len(lost))


def test_samples_are_hit_at_the_rate_one_by_one() -> None:
    dataset = toy(["vector"] * 3, n=6000)
    each = {"rate": 0.3, "granularity": "sample"}
    found = views(dataset, 1, missing=each, degraded=each)
    lost, degraded = check(dataset, np.arange(1000), found.view(1, 0))
    for hit in (lost, degraded):
        assert abs(hit.sum() - 300) < 4 * np.sqrt(0.3 * 0.7 * 1000)
        assert stats.chisquare(hit.sum(0)).pvalue > 1e-3
    assert abs(np.corrcoef(lost.any(1), degraded.any(1))[0, 1]) < 4 / np.sqrt(1000)


def test_a_sample_keeps_its_only_modality_whoever_is_hit() -> None:
    dataset = toy(["vector", "vector"], absent=0.7)
    for granularity in ("round", "sample"):
        found = views(dataset, missing={"rate": 1.0, "modality": "m0", "granularity": granularity})
        view = found.view(1, 0)
        only = ~dataset.present["m1"][:10]
        assert 0 < only.sum() < 10
        assert view.present["m0"].tolist() == only.tolist()


@pytest.mark.parametrize("granularity", ["round", "sample"])
def test_a_client_with_one_modality_keeps_it_and_it_is_what_degrades(granularity: str) -> None:
    dataset = toy(["vector"] * 3)
    dataset.present |= {"m0": np.arange(60) >= 10, "m2": np.arange(60) >= 10}  # client 0 has m1 alone
    certain = {"rate": 1.0, "granularity": granularity}
    found = views(dataset, missing=certain, degraded=certain)
    for number in range(1, 9):
        view = found.view(number, 0, 1)
        assert view.present["m1"][:10].all()
        assert view.degraded["m1"][:10].all()
        assert not (view.present["m0"] | view.present["m2"])[:10].any()
        assert stacked(view.present)[10:].sum(1).tolist() == [2] * 10


@pytest.mark.parametrize("pattern", ["independent", "correlated", "persistent", "bursty", "alternating"])
def test_nobody_is_hit_in_what_they_never_have(pattern: str) -> None:
    dataset = toy(["vector"] * 3)
    dataset.present["m2"] = np.arange(60) >= 10  # client 0 has two of three
    certain = {"rate": 1.0, "pattern": pattern, "period": 1}
    lost, bad = views(dataset, missing=certain), views(dataset, degraded=certain)
    for number in range(1, 9):
        assert stacked(lost.view(number, 0).present).sum(1).tolist() == [1] * 10
        assert stacked(bad.view(number, 0).degraded).sum(1).tolist() == [1] * 10


def test_what_was_never_recorded_is_neither_lost_nor_degraded() -> None:
    dataset = toy(["vector", "vector"])
    dataset.present["m0"] = np.zeros(60, dtype=bool)
    found = views(dataset, missing={"rate": 1.0}, degraded={"rate": 1.0, "modality": "m0"})
    for number in range(1, 5):
        view = found.view(number, 0)
        assert view.present["m1"].all()
        assert not view.x["m0"].any()
        assert not view.degraded["m0"].any()


@pytest.mark.parametrize("missing", [{"rate": 1.0}, {"rate": 1.0, "granularity": "sample"}])
def test_absent_tokens_are_padding(missing: dict[str, Any]) -> None:
    dataset = toy(["tokens", "tokens"])
    found = views(dataset, missing=missing, degradation="unknown")
    lost, _ = check(dataset, np.arange(10), found.view(1, 0))
    assert lost.any(1).all()


class Untouchable(ArrayDataset):
    """A dataset that hands out arrays that nobody may write to."""

    def take(self, indices: NDArray[np.int64]) -> dict[str, Any]:
        x = super().take(indices)
        for values in x.values():
            values.flags.writeable = False
        return x


@pytest.mark.parametrize("granularity", ["round", "sample"])
def test_what_the_dataset_hands_out_is_not_written_to(granularity: str) -> None:
    plain = toy(["signal", "vector"])
    dataset = Untouchable(**{name: getattr(plain, name) for name in plain.__dataclass_fields__})
    each = {"rate": 1.0, "granularity": granularity}
    assert views(dataset, missing=each, degraded=each).view(1, 0).degraded_shares()
    assert impaired(dataset, ["m0"], "noise").degraded_shares()


def test_degraded_tokens_lose_words_and_stay_words() -> None:
    dataset = toy(["tokens"])
    found = views(dataset, degraded={"rate": 1.0}, degradation="unknown", strength=5)
    view = found.view(1, 0)
    changed = view.x["m0"] != dataset.x["m0"][:10]
    assert view.degraded["m0"].all()
    assert changed.mean() > 0.8
    assert (view.x["m0"][changed] == 0).all()  # the unknown word of this vocabulary


def test_noise_is_as_strong_as_it_is_asked_to_be() -> None:
    dataset = toy(["signal", "signal"], n=1200)
    noise = [
        views(dataset, 1, degraded={"rate": 1.0, "modality": "m1"}, strength=s).view(1, 0).x["m1"]
        - dataset.x["m1"][:200]
        for s in (0.5, 3.0)
    ]
    for strength, found in zip((0.5, 3.0), noise, strict=True):
        assert abs(found.std() / strength - 1) < 4 / np.sqrt(2 * found.size)


def test_a_view_of_a_round_redraws_its_noise() -> None:
    dataset = toy(["vector"])
    found = views(dataset, degraded={"rate": 1.0})
    noise = [found.view(r, 0).x["m0"] - dataset.x["m0"][:10] for r in (1, 2, 3)]
    assert len(np.unique(np.concatenate(noise))) == 3 * 40  # of every sample, too
    others = found.view(1, 1).x["m0"] - dataset.x["m0"][10:20]
    assert not np.isclose(others, noise[0], atol=1e-3).all()


def by_serial(found: Views, rounds: int) -> dict[int, list[dict[str, Any]]]:
    """Return every appearance of every sample that client 0 ever holds: its flags and values by modality."""
    seen: dict[int, list[dict[str, Any]]] = {}
    for number in range(1, rounds + 1):
        view = found.view(number, 0)
        for row, serial in enumerate(found.streams[0].buffer(number).tolist()):
            seen.setdefault(serial, []).append(
                {m: (view.present[m][row], view.degraded[m][row], view.x[m][row].tobytes()) for m in view.x}
            )
    return seen


@pytest.mark.parametrize("pattern", ["independent", "alternating"])
def test_a_sample_keeps_its_fate_and_its_very_noise_while_it_stays(pattern: str) -> None:
    dataset = toy(["signal", "vector", "image"], n=120, absent=0.2)
    each = {"rate": 0.5, "granularity": "sample", "pattern": pattern, "period": 3}
    found = views(dataset, missing=each, degraded=each, buffer=8, arrivals=3)
    seen = by_serial(found, 20)
    assert max(map(len, seen.values())) > 2
    assert all(appearance == first for first, *rest in seen.values() for appearance in rest)
    degraded = [first[m] for first, *_ in seen.values() for m in first if first[m][1]]
    assert len({values for _, _, values in degraded}) == len(degraded) > 10  # yet no two samples share their noise


def test_a_sample_that_comes_back_with_another_pool_has_another_fate() -> None:
    dataset = toy(["vector"])
    found = views(dataset, degraded={"rate": 0.5, "granularity": "sample"}, buffer=5, arrivals=5)
    fates = [
        dict(zip(samples_of(found, number, 0).tolist(), found.view(number, 0).degraded["m0"].tolist(), strict=True))
        for number in range(1, 40)
    ]
    assert all({fate[i] for fate in fates if i in fate} == {True, False} for i in range(10))


def test_a_samples_fault_stays_in_its_modality_when_others_go_missing_for_a_round() -> None:
    dataset = toy(["vector"] * 3)
    found = views(dataset, missing={"rate": 0.5}, degraded={"rate": 1.0, "granularity": "sample"})
    for appearances in by_serial(found, 20).values():
        assert len({m for appearance in appearances for m in appearance if appearance[m][1]}) == 1


def test_a_clients_lasting_fault_stays_in_its_modality_when_others_go_missing_for_a_round() -> None:
    dataset = toy(["vector"] * 3)
    found = views(dataset, missing={"rate": 0.5}, degraded={"rate": 1.0, "pattern": "persistent"})
    for client in range(3):
        rounds = [found.view(r, client) for r in range(1, 21)]
        whole = [view for view in rounds if not view.missing_shares()]
        faulty = {m for view in whole for m in view.degraded_shares()}
        assert len(faulty) == 1
        (m,) = faulty
        assert all(view.degraded[m].all() for view in rounds if view.present[m].all())


def test_calibration_rounds_are_clean_but_not_complete() -> None:
    dataset = toy(["vector"] * 3)
    found = views(dataset, missing={"rate": 1.0}, degraded={"rate": 1.0}, clean_rounds=3)
    for number in range(1, 7):
        lost, degraded = check(dataset, samples_of(found, number, 1), found.view(number, 1))
        assert lost.any(1).all()
        assert degraded.any(1).all() == degraded.any() == (number > 3)


def test_samples_of_calibration_rounds_stay_clean() -> None:
    dataset = toy(["vector"] * 2, n=120)
    found = views(dataset, degraded={"rate": 1.0, "granularity": "sample"}, buffer=10, arrivals=3, clean_rounds=2)
    for number in range(1, 7):
        serials = found.streams[0].buffer(number)
        came = found.streams[0].round_of(serials, number)
        _, degraded = check(dataset, samples_of(found, number, 0), found.view(number, 0))
        assert degraded.any(1).tolist() == (came > 2).tolist()


def bits(view: View) -> list[bytes]:
    columns = [view.x, view.present, view.degraded, {"y": view.y}]
    return [values.tobytes() for column in columns for values in column.values()]


@pytest.mark.parametrize("granularity", ["round", "sample"])
def test_the_same_seed_gives_the_same_bits_in_any_order(granularity: str) -> None:
    dataset = toy(["signal", "vector", "image"])
    each = {"rate": 0.5, "granularity": granularity}
    given_: dict[str, Any] = {"missing": each, "degraded": each, "buffer": 6, "arrivals": 3}
    places = [(r, k) for r in range(1, 9) for k in range(3)]
    one, other = views(dataset, **given_), views(dataset, **given_)
    in_turn = {place: bits(one.view(*place)) for place in places}
    backwards = {place: bits(other.view(*place)) for place in reversed(places)}
    assert in_turn == backwards
    another_seed = views(dataset, **given_, seed=1)
    assert in_turn != {place: bits(another_seed.view(*place)) for place in places}


@pytest.mark.parametrize("pattern", ["independent", "correlated", "bursty", "alternating"])
def test_a_clients_view_does_not_depend_on_how_many_others_there_are(pattern: str) -> None:
    dataset = toy(["signal", "vector", "image"])
    each = {"rate": 0.5, "pattern": pattern}
    few, many = (views(dataset, clients, missing=each, degraded=each) for clients in (2, 5))
    for number in range(1, 8):
        for client in range(2):
            assert bits(few.view(number, client)) == bits(many.view(number, client))


def test_nothing_happens_when_nothing_is_asked_for() -> None:
    dataset = toy(["signal", "vector", "image", "tokens"], absent=0.3)
    found = views(dataset)
    for number in (1, 5):
        lost, degraded = check(dataset, np.arange(10, 20), found.view(number, 1))
        assert not lost.any()
        assert not degraded.any()


def test_the_last_rows_of_a_view_are_its_arrivals() -> None:
    dataset = toy(["vector"], n=120)
    found = views(dataset, buffer=9, arrivals=4)
    for number in range(2, 12):
        view, before = found.view(number, 0), found.streams[0].buffer(number - 1)
        serials = found.streams[0].buffer(number)
        assert view.arrivals > 0
        new = int(view.arrivals[0])
        assert [s in before for s in serials] == [True] * (len(serials) - new) + [False] * new
        assert view.arrived().tolist() == list(range(len(serials) - new, len(serials)))


def test_shares_of_what_is_missing_and_degraded_by_hand() -> None:
    flags = {"acc": np.array([True, True, False, True]), "gyro": np.ones(4, dtype=bool)}
    bad = {"acc": np.zeros(4, dtype=bool), "gyro": np.array([True, False, True, False])}
    view = whole({}, np.zeros(4, dtype=np.int64), flags, bad)
    assert view.missing_shares() == {"acc": 0.25}
    assert view.degraded_shares() == {"gyro": 0.5}


def joined(singles: list[View]) -> View:
    """Return the views of single clients one after another."""

    def every(column: str) -> dict[str, Any]:
        parts = [getattr(view, column) for view in singles]
        return {m: np.concatenate([part[m] for part in parts]) for m in parts[0]}

    return View(
        x=every("x"),
        y=np.concatenate([view.y for view in singles]),
        present=every("present"),
        degraded=every("degraded"),
        labels=np.concatenate([view.labels for view in singles]),
        sizes=np.concatenate([view.sizes for view in singles]),
        arrivals=np.concatenate([view.arrivals for view in singles]),
    )


def check_joined(found: View, singles: list[View]) -> None:
    """Check that a view of several clients is their single views, one after another, bit for bit."""
    expected = joined(singles)
    for column in ("x", "present", "degraded"):
        one, other = getattr(found, column), getattr(expected, column)
        assert list(one) == list(other)
        for m, values in other.items():
            assert one[m].dtype == values.dtype
            assert one[m].shape == values.shape
            assert one[m].tobytes() == values.tobytes(), (column, m)
    for column in ("y", "labels", "sizes", "arrivals"):
        assert getattr(found, column).dtype == np.int64
        assert getattr(found, column).tolist() == getattr(expected, column).tolist()
    starts = np.cumsum([0, *(len(view.y) for view in singles)])[:-1]
    rows = [start + view.arrived() for start, view in zip(starts, singles, strict=True)]
    assert found.arrived().tolist() == np.concatenate(rows).tolist()
    for shares in (View.missing_shares, View.degraded_shares):
        own = [shares(view) for view in singles]
        assert {m for each in own for m in each} == set(shares(found))
        for m, values in shares(found).items():
            assert values.tolist() == [float(each[m][0]) if m in each else 0.0 for each in own]


@settings(max_examples=120, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["signal", "vector", "image", "tokens"]), min_size=1, max_size=4),
    missing=IMBALANCES,
    degraded=IMBALANCES,
    degradation=st.sampled_from(["noise", "dropout"]),
    stream=st.sampled_from([("all", 4), (1, 1), (3, 3), (8, 3), (20, 4)]),
    absent=st.sampled_from([0.0, 0.5]),
    clean_rounds=st.integers(0, 3),
    seed=st.integers(0, 99),
    round_=st.integers(1, 12),
    clients=st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
)
def test_a_view_of_several_clients_is_their_views_one_after_another(
    kinds: list[str],
    missing: dict[str, Any],
    degraded: dict[str, Any],
    degradation: str,
    stream: tuple[Any, int],
    absent: float,
    clean_rounds: int,
    seed: int,
    round_: int,
    clients: list[int],
) -> None:
    dataset = toy(kinds, seed=seed, absent=absent)
    one, other = (views(dataset, 5, missing, degraded, degradation, 3.0, *stream, clean_rounds, seed) for _ in range(2))
    for found in (one, other):  # of uneven sizes
        for k, client in found.streams.items():
            found.streams[k] = Stream(
                client.share[: 10 - 2 * k], StreamSettings(buffer=stream[0], arrivals=stream[1]), seed, k
            )
    check_joined(one.view(round_, *clients), [other.view(round_, k) for k in clients])


@pytest.mark.parametrize(
    ("pattern", "granularity"),
    [
        *((pattern, "round") for pattern in ("independent", "correlated", "persistent", "bursty", "alternating")),
        *((pattern, "sample") for pattern in ("independent", "alternating")),
    ],
)
def test_a_view_of_everybody_is_everybody_s_view_in_any_round(pattern: str, granularity: str) -> None:
    dataset = toy(["signal", "vector", "tokens"], absent=0.2)
    each = {"rate": 0.5, "pattern": pattern, "granularity": granularity, "period": 2}
    one, other = (views(dataset, 5, each, each, buffer=6, arrivals=4, clean_rounds=2) for _ in range(2))
    hit = 0
    for number in (1, 2, 3, 7, 4):
        singles = [other.view(number, k) for k in reversed(range(5))][::-1]
        found = one.view(number, *range(5))
        check_joined(found, singles)
        hit += len(found.missing_shares()) + (number > 2) * len(found.degraded_shares())
    assert hit > 5


def test_shares_of_several_clients_by_hand() -> None:
    flags = {"acc": np.array([True, False, True, False, False]), "gyro": np.ones(5, dtype=bool)}
    bad = {"acc": np.zeros(5, dtype=bool), "gyro": np.array([True, True, False, False, True])}
    y = np.zeros(5, dtype=np.int64)
    view = View({}, y, flags, bad, y, sizes=np.array([2, 3]), arrivals=np.array([1, 0]))
    assert {m: shares.tolist() for m, shares in view.missing_shares().items()} == {"acc": [1 / 2, 2 / 3]}
    assert {m: shares.tolist() for m, shares in view.degraded_shares().items()} == {"gyro": [1.0, 1 / 3]}
    assert view.arrived().tolist() == [1]


def test_blank_leaves_what_is_there() -> None:
    words = Modality("words", "tokens", (2,), vocabulary=9, pad=3)
    x = np.array([[5, 6], [7, 8]])
    assert blank(words, x, np.array([True, False])).tolist() == [[5, 6], [3, 3]]
    assert blank(words, x, np.array([True, True])) is x
    assert x.tolist() == [[5, 6], [7, 8]]


def impaired(
    dataset: ArrayDataset,
    missing: list[str] | None = None,
    degradation: str | None = None,
    seed: int = 0,
    **degraded: Any,
) -> View:
    indices = np.flatnonzero(dataset.split == TEST)
    where = Imbalance("degraded", ImbalanceSettings(**degraded), list(dataset.modalities), 4, seed)
    return impair_test(dataset, indices, missing or [], where, DegradationSettings(test_degradation=degradation), seed)


def test_what_a_kind_does_not_have_hits_others_at_test_time_too() -> None:
    dataset = toy(["signal", "tokens"], absent=0.3)
    view = impaired(dataset, degradation="noise", modality="m0")  # some samples lack the named one: no noise on words
    assert view.degraded["m0"].any()
    assert not view.degraded["m1"].any()


def test_the_test_split_is_unimpaired_unless_it_is_asked_for() -> None:
    dataset = toy(["signal", "vector", "tokens"], absent=0.3)
    view = impaired(dataset, rate=1.0, modality="m0")  # what happens in training does not matter
    lost, degraded = check(dataset, np.arange(30, 60), view)
    assert not lost.any()
    assert not degraded.any()
    assert view.arrivals == 0


@pytest.mark.parametrize("missing", [["m1"], ["m2"], ["m0", "m2"]])
def test_test_missing_takes_modalities_from_the_whole_test_split(missing: list[str]) -> None:
    dataset = toy(["signal", "vector", "tokens"])
    view = impaired(dataset, missing)
    for m, spec in dataset.modalities.items():
        if m in missing:
            assert not view.present[m].any()
            assert (view.x[m] == (spec.pad if spec.kind == "tokens" else 0)).all()
        else:
            assert view.present[m].all()
            assert np.array_equal(view.x[m], dataset.x[m][30:])


def test_test_missing_leaves_a_sample_its_only_modality() -> None:
    view = impaired(toy(["vector", "vector"], absent=0.7), ["m0"])
    assert stacked(view.present).any(1).all()


@pytest.mark.parametrize("pattern", ["independent", "correlated", "persistent", "bursty", "alternating"])
def test_test_degradation_degrades_any_one_modality_of_each_test_sample(pattern: str) -> None:
    dataset = toy(["signal", "vector", "image"], n=1200)
    _, degraded = check(dataset, np.arange(600, 1200), impaired(dataset, None, "noise", pattern=pattern))
    assert (degraded.sum(1) == 1).all()
    assert stats.chisquare(degraded.sum(0)).pvalue > 1e-3


def test_test_degradation_degrades_the_modality_named_with_its_bias() -> None:
    dataset = toy(["signal", "vector", "image"], n=1200)
    _, always = check(dataset, np.arange(600, 1200), impaired(dataset, None, "noise", modality="m1"))
    assert always[:, 1].all()
    _, often = check(dataset, np.arange(600, 1200), impaired(dataset, None, "noise", modality="m1", bias=0.7))
    counts = often.sum(0)
    assert abs(counts[1] - 420) < 4 * np.sqrt(600 * 0.7 * 0.3)
    assert stats.chisquare(counts[[0, 2]]).pvalue > 1e-3


def test_test_degradation_spares_what_is_absent() -> None:
    dataset = toy(["signal", "vector", "image"], n=400, absent=0.4)
    _, degraded = check(dataset, np.arange(200, 400), impaired(dataset, None, "noise", modality="m1"))
    recorded = dataset.present["m1"][200:]
    assert degraded[:, 1].tolist() == recorded.tolist()
    assert (degraded.sum(1) == 1).all()  # elsewhere another


def test_test_missing_and_test_degradation_go_together() -> None:
    dataset = toy(["signal", "vector", "image"])
    view = impaired(dataset, ["m1"], "noise", modality="m1")
    lost, degraded = check(dataset, np.arange(30, 60), view)
    assert lost[:, 1].all()
    assert (degraded.sum(1) == 1).all()
    assert not degraded[:, 1].any()


def test_the_impaired_test_split_follows_from_the_seed_and_leaves_the_data_alone() -> None:
    dataset = toy(["signal", "vector", "tokens"])
    before = {m: x.copy() for m, x in dataset.x.items()}
    first, again, other = (bits(impaired(dataset, ["m0"], "dropout", seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other
    assert all(np.array_equal(before[m], x) for m, x in dataset.x.items())


def federation(kinds: list[str], **given: Any) -> Federation:
    return build_federation(resolve({"recipe": "fedavg", "clients": 3, **given}), toy(kinds), Watch())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"test_missing": "m5"},
            "unknown modality in --test-missing 'm5': did you mean 'm0' or 'm1'? (all: m0, m1)",
        ),
        ({"test_missing": "m0,m1"}, "--test-missing names every modality of toy: leave at least one"),
        (
            {"missing_modality": "gyro"},
            "unknown modality in --missing-modality 'gyro': choose one of: m0, m1",
        ),
        (
            {"degraded_rate": 0.5, "degradation": "noise"},
            "degradation 'noise' makes no sense for m1, which is of kind tokens: use one of unknown, dropout, "
            "or name the modality with --degraded-modality",
        ),
        (
            {"test_degradation": "blur", "degraded_modality": "m0"},
            "unknown degradation 'blur': choose one of: ",
        ),
        (
            {"test_degradation": "unknown", "degraded_modality": "m0"},
            "degradation 'unknown' makes no sense for m0, which is of kind vector: use one of noise, dropout, drift, "
            "or name the modality with --degraded-modality",
        ),
        (
            {"buffer": 10, "arrivals": 11},
            "--arrivals 11 is more than --buffer 10 holds: arrivals must not exceed the buffer",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        federation(["vector", "tokens"], **given)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("granularity", ["round", "sample"])
@pytest.mark.parametrize(
    "given",
    [
        {"missing_rate": 0.5},
        {"missing_rate": 0.5, "missing_granularity": "sample"},
        {"degraded_pattern": "alternating", "degraded_period": 2},
    ],
)
def test_a_degradation_is_refused_at_once_or_never(given: dict[str, Any], granularity: str) -> None:
    noise = {"degraded_rate": 1, "degraded_modality": "m0", "degradation": "noise"}
    try:
        found = federation(["vector", "tokens"], degraded_granularity=granularity, **noise, **given)
    except InputError:
        return
    for number in range(1, 11):  # tokens have no noise, and m0 is not always there to take it
        for client in range(found.clients):
            found.views.view(number, client)
