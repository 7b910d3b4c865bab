"""When and where a modality is hit: rates, patterns and choices, by property and by statistics with fixed seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from motet.config import ImbalanceSettings
from motet.errors import InputError
from motet.stream.imbalance import NONE, Imbalance

PATTERNS = ["independent", "correlated", "persistent", "bursty", "alternating"]
BY_CLIENT = [
    "independent",
    "bursty",
    "alternating",
]  # where a client's fate does not depend on how many others there are


def imbalance(
    modalities: int = 3, clients: int = 10, seed: int = 0, purpose: str = "missing", **given: Any
) -> Imbalance:
    names = [f"m{i}" for i in range(modalities)]
    return Imbalance(purpose, ImbalanceSettings(**given), names, clients, seed)


def hits(found: Imbalance, rounds: int) -> NDArray[np.int64]:
    """Return the modality hit, (rounds, clients), where every modality may be."""
    allowed = np.ones((len(found.clients), len(found.names)), dtype=bool)
    return np.stack([found.hits(r, allowed) for r in range(1, rounds + 1)])


def sigmas(count: int | np.integer[Any], trials: int, share: float) -> float:
    """Return how many deviations a binomial count lies from what its share promises."""
    return float(abs(count - trials * share) / np.sqrt(trials * share * (1 - share)))


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("pattern", ["independent", "alternating"])
def test_clients_and_rounds_are_hit_at_the_rate(pattern: str, rate: float) -> None:
    found = hits(imbalance(clients=50, rate=rate, pattern=pattern), 200)
    assert sigmas((found != NONE).sum(), found.size, rate) < 4


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.5, 0.9])
def test_correlated_rounds_hit_all_clients_alike_at_the_rate(rate: float) -> None:
    found = hits(imbalance(clients=7, rate=rate, pattern="correlated"), 1500)
    assert (found == found[:, :1]).all()
    assert sigmas((found[:, 0] != NONE).sum(), 1500, rate) < 4


def test_independent_clients_and_rounds_do_not_follow_each_other() -> None:
    hit = hits(imbalance(clients=50, rate=0.4), 400) != NONE
    between_rounds = np.corrcoef(hit[1:].ravel(), hit[:-1].ravel())[0, 1]
    between_clients = np.corrcoef(hit[:, 1:].ravel(), hit[:, :-1].ravel())[0, 1]
    assert abs(between_rounds) < 4 / np.sqrt(hit.size)
    assert abs(between_clients) < 4 / np.sqrt(hit.size)


@settings(max_examples=100, deadline=None)
@given(clients=st.integers(1, 40), rate=st.floats(0, 1), seed=st.integers(0, 99), modalities=st.integers(1, 6))
def test_persistent_hits_exactly_the_share_of_clients_and_the_same_for_ever(
    clients: int, rate: float, seed: int, modalities: int
) -> None:
    found = hits(imbalance(modalities, clients, seed, rate=rate, pattern="persistent"), 12)
    assert ((found != NONE).sum(1) == round(rate * clients)).all()
    assert (found == found[0]).all()


def test_who_is_hit_persistently_is_drawn_from_all_by_the_seed() -> None:
    chosen = np.stack(
        [hits(imbalance(clients=10, seed=s, rate=0.3, pattern="persistent"), 1)[0] != NONE for s in range(500)]
    )
    assert len(np.unique(chosen, axis=0)) > 50
    assert all(sigmas(count, 500, 0.3) < 4 for count in chosen.sum(0))


@pytest.mark.parametrize(("rate", "length"), [(0.1, 5), (0.3, 2.5), (0.5, 1), (0.8, 8)])
def test_bursts_hit_at_the_rate_and_last_as_long_as_they_should(rate: float, length: float) -> None:
    on = hits(imbalance(clients=200, rate=rate, length=length, pattern="bursty"), 300) != NONE
    assert sigmas(on[0].sum(), 200, rate) < 4  # stationary from the first round
    assert sigmas(on[-1].sum(), 200, rate) < 4
    memory = 1 - 1 / length - rate / (1 - rate) / length  # correlation from one round to the next
    assert sigmas(on.sum(), on.size, rate) <= 4 * np.sqrt((1 + memory) / (1 - memory))
    before, after = on[:-1], on[1:]
    if length > 1:
        assert sigmas((before & ~after).sum(), before.sum(), 1 / length) < 4
    else:
        assert not (before & after).any()


def test_a_burst_keeps_its_modality_and_the_next_draws_anew() -> None:
    found = hits(imbalance(modalities=4, clients=100, rate=0.5, length=6, pattern="bursty"), 200)
    before, after = found[:-1], found[1:]
    goes_on = (before != NONE) & (after != NONE)
    assert (before[goes_on] == after[goes_on]).all()
    for client in range(100):
        own = found[:, client]
        begins = own[(own != NONE) & (np.concatenate([[NONE], own[:-1]]) == NONE)]
        assert len(set(begins.tolist())) > 1


def test_bursts_at_rate_one_never_end() -> None:
    found = hits(imbalance(clients=5, rate=1.0, length=3, pattern="bursty"), 20)
    assert (found != NONE).all()
    assert (found == found[0]).all()


@settings(max_examples=30, deadline=None)
@given(
    pattern=st.sampled_from(PATTERNS),
    order=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    named=st.booleans(),
)
def test_rounds_may_be_asked_for_in_any_order(pattern: str, order: list[int], named: bool) -> None:
    given_: dict[str, Any] = {"rate": 0.5, "pattern": pattern, "modality": "m1" if named else None, "bias": 0.6}
    in_turn = hits(imbalance(**given_), 30)
    found = imbalance(**given_)
    allowed = np.ones((10, 3), dtype=bool)
    for r in order:
        assert found.hits(r, allowed).tolist() == in_turn[r - 1].tolist()


@pytest.mark.parametrize(("period", "modalities"), [(1, 2), (4, 3), (10, 5)])
def test_alternating_changes_the_modality_every_period(period: int, modalities: int) -> None:
    found = hits(imbalance(modalities, 20, rate=0.7, pattern="alternating", period=period), 3 * period * modalities)
    for r, row in enumerate(found):
        assert set(row.tolist()) <= {NONE, r // period % modalities}
    assert set(found.ravel().tolist()) == {NONE, *range(modalities)}


def test_alternating_begins_with_the_modality_named() -> None:
    found = hits(imbalance(3, 20, rate=1.0, pattern="alternating", period=2, modality="m1"), 8)
    assert found[:, 0].tolist() == [1, 1, 2, 2, 0, 0, 1, 1]
    assert (found == found[:, :1]).all()


@pytest.mark.parametrize("pattern", ["independent", "correlated", "persistent", "bursty"])
@pytest.mark.parametrize("bias", [0.0, 0.25, 0.9, 1.0])
def test_the_modality_named_is_hit_with_its_bias_and_the_others_share_the_rest(pattern: str, bias: float) -> None:
    chosen = []
    for seed in range(50 if pattern == "persistent" else 1):
        rounds = {"persistent": 1, "correlated": 1200}.get(pattern, 100)
        draws = hits(imbalance(4, 40, seed, rate=0.5, pattern=pattern, modality="m2", bias=bias, length=1.5), rounds)
        begins = draws[1:][(draws[1:] != NONE) & (draws[:-1] == NONE)] if pattern == "bursty" else draws[draws != NONE]
        chosen.append(draws[:, 0][draws[:, 0] != NONE] if pattern == "correlated" else begins)
    found = np.concatenate(chosen)
    assert len(found) > 500
    counts = np.bincount(found, minlength=4)
    if bias in (0, 1):
        assert counts[2] == bias * len(found)
    else:
        assert sigmas(counts[2], len(found), bias) < 4
    if bias < 1:
        assert stats.chisquare(np.delete(counts, 2)).pvalue > 1e-3


@pytest.mark.parametrize("modalities", [1, 2, 3, 6])
def test_without_a_name_all_modalities_are_hit_alike(modalities: int) -> None:
    found = hits(imbalance(modalities, 50, rate=0.6), 200)
    counts = np.bincount(found[found != NONE], minlength=modalities)
    assert len(counts) == modalities
    assert modalities == 1 or stats.chisquare(counts).pvalue > 1e-3


@settings(max_examples=150, deadline=None)
@given(
    pattern=st.sampled_from(PATTERNS),
    modalities=st.integers(1, 6),
    named=st.booleans(),
    bias=st.floats(0, 1),
    rate=st.floats(0, 1),
    seed=st.integers(0, 1000),
    round=st.integers(1, 40),
)
def test_only_what_is_allowed_is_hit(
    pattern: str,
    modalities: int,
    named: bool,
    bias: float,
    rate: float,
    seed: int,
    round: int,  # noqa: A002
) -> None:
    clients = 12
    found = (
        imbalance(
            modalities,
            clients,
            seed,
            rate=rate,
            pattern=pattern,
            modality=f"m{modalities - 1}" if named else None,
            bias=bias,
            length=100,
            period=3,
        )
        if rate < 0.99
        else imbalance(modalities, clients, seed, rate=1.0, pattern=pattern)
    )
    allowed = np.random.default_rng(seed).random((clients, modalities)) < 0.5
    hit = found.hits(round, allowed)
    assert hit.shape == (clients,)
    assert all(m == NONE or allowed[k, m] for k, m in enumerate(hit.tolist()))
    if found.settings.rate == 1:
        assert ((hit != NONE) == allowed.any(1)).all()


def test_where_the_modality_named_cannot_be_hit_another_is() -> None:
    found = imbalance(3, 4, rate=1.0, modality="m0")
    allowed = np.array([[True, True, True], [False, True, True], [False, False, True], [False, False, False]])
    hit = found.hits(1, allowed).tolist()
    assert hit[0] == 0
    assert hit[1] in (1, 2)
    assert hit[2:] == [2, NONE]


@pytest.mark.parametrize("pattern", ["persistent", "bursty"])
def test_a_lasting_fault_stays_with_its_modality_while_another_comes_and_goes(pattern: str) -> None:
    found = imbalance(4, 60, purpose="degraded", rate=1.0, pattern=pattern)
    everything = np.ones((60, 4), dtype=bool)
    first = found.hits(1, everything)
    for lost in range(4):
        allowed = everything.copy()
        allowed[:, lost] = False
        hit = found.hits(2 + lost, allowed)
        assert (hit[first != lost] == first[first != lost]).all()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_rate_zero_hits_nobody_and_rate_one_everybody(pattern: str) -> None:
    assert (hits(imbalance(rate=0.0, pattern=pattern), 10) == NONE).all()
    assert (hits(imbalance(rate=1.0, pattern=pattern), 10) != NONE).all()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_same_seed_draws_the_same_and_another_seed_another(pattern: str) -> None:
    given_: dict[str, Any] = {"rate": 0.5, "pattern": pattern, "clients": 30}
    first, again, other = (hits(imbalance(seed=seed, **given_), 20) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("pattern", [*BY_CLIENT, "correlated"])
def test_a_clients_fate_does_not_depend_on_how_many_others_there_are(pattern: str) -> None:
    few, many = (hits(imbalance(clients=clients, rate=0.5, pattern=pattern), 30) for clients in (4, 9))
    assert np.array_equal(few, many[:, :4])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_missing_and_degraded_are_drawn_apart(pattern: str) -> None:
    given_: dict[str, Any] = {"clients": 40, "rate": 0.5, "pattern": pattern, "length": 2}
    missing, degraded = (hits(imbalance(purpose=purpose, **given_), 400) for purpose in ("missing", "degraded"))
    assert not np.array_equal(missing, degraded)
    if pattern != "persistent":  # which draws once
        chosen = slice(0, 1) if pattern == "correlated" else slice(None)
        a, b = (missing[:, chosen] != NONE).ravel(), (degraded[:, chosen] != NONE).ravel()
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a))


def by_sample(n: int = 5000, rounds: NDArray[np.int64] | None = None, **given: Any) -> NDArray[np.int64]:
    found = imbalance(granularity="sample", **given)
    allowed = np.ones((n, len(found.names)), dtype=bool)
    came = np.ones(n, dtype=np.int64) if rounds is None else rounds
    return found.sample_hits(2, np.arange(n), came, allowed)


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.9])
def test_samples_are_hit_at_the_rate_each_for_itself(rate: float) -> None:
    found = by_sample(rate=rate)
    assert sigmas((found != NONE).sum(), len(found), rate) < 4
    assert stats.chisquare(np.bincount(found[found != NONE], minlength=3)).pvalue > 1e-3
    hit = found != NONE
    assert abs(np.corrcoef(hit[1:], hit[:-1])[0, 1]) < 4 / np.sqrt(len(found))


def test_samples_are_hit_in_the_modality_named_with_its_bias() -> None:
    found = by_sample(rate=0.5, modality="m1", bias=0.7)
    hit = found[found != NONE]
    counts = np.bincount(hit, minlength=3)
    assert sigmas(counts[1], len(hit), 0.7) < 4
    assert stats.chisquare(counts[[0, 2]]).pvalue > 1e-3


def test_samples_of_alternating_are_hit_by_their_round_of_arrival() -> None:
    came = np.repeat(np.arange(13), 100)  # round 0 is the first fill
    found = by_sample(len(came), came, rate=0.5, pattern="alternating", period=4, modality="m2")
    turn = (np.maximum(came, 1) - 1) // 4
    assert (found[found != NONE] == (2 + turn[found != NONE]) % 3).all()
    assert sigmas((found != NONE).sum(), len(found), 0.5) < 4


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=30), st.integers(0, 5), st.integers(0, 99))
def test_a_samples_fate_does_not_depend_on_its_company(serials: list[int], client: int, seed: int) -> None:
    found = imbalance(4, 10, seed, rate=0.5, modality="m0", bias=0.5, granularity="sample")
    chosen, everything = np.array(serials), np.arange(301)

    def fates(who: NDArray[np.int64]) -> NDArray[np.int64]:
        return found.sample_hits(client, who, who // 20, np.ones((len(who), 4), dtype=bool))

    assert fates(chosen).tolist() == fates(everything)[chosen].tolist()


def test_samples_of_different_clients_and_seeds_have_different_fates() -> None:
    allowed, serials = np.ones((200, 3), dtype=bool), np.arange(200)
    fates = [
        imbalance(seed=s, rate=0.5, granularity="sample").sample_hits(k, serials, serials, allowed)
        for s in (0, 1)
        for k in (0, 1)
    ]
    hit = np.stack([fate != NONE for fate in fates])
    assert len(np.unique(hit, axis=0)) == 4
    both = hit.all(0)
    assert len(np.unique(np.stack(fates)[:, both], axis=0)) == 4


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.sampled_from(["independent", "alternating"]), st.booleans(), st.integers(0, 999))
def test_a_sample_is_hit_only_in_what_is_allowed(modalities: int, pattern: str, named: bool, seed: int) -> None:
    found = imbalance(
        modalities, rate=1.0, pattern=pattern, granularity="sample", modality="m0" if named else None, bias=0.5
    )
    rng = np.random.default_rng(seed)
    allowed = rng.random((50, modalities)) < 0.5
    hit = found.sample_hits(0, np.arange(50), rng.integers(0, 40, 50), allowed)
    assert all(m == NONE or allowed[i, m] for i, m in enumerate(hit.tolist()))
    assert ((hit != NONE) == allowed.any(1)).all()


@pytest.mark.parametrize("purpose", ["missing", "degraded"])
def test_an_unknown_modality_is_answered_with_the_nearest(purpose: str) -> None:
    with pytest.raises(InputError) as caught:
        Imbalance(purpose, ImbalanceSettings(modality="gyr"), ["acc", "gyro"], 3, 0)
    assert str(caught.value) == (
        f"unknown modality in --{purpose}-modality 'gyr': did you mean 'gyro'? (all: acc, gyro)"
    )


@pytest.mark.parametrize("purpose", ["missing", "degraded"])
def test_bursts_too_short_for_their_rate_are_refused(purpose: str) -> None:
    with pytest.raises(InputError) as caught:
        imbalance(purpose=purpose, rate=0.8, pattern="bursty", length=3)
    assert str(caught.value) == (
        f"--{purpose}-length 3 is too short for --{purpose}-rate 0.8: bursts must last at least 4 rounds on average"
    )


def test_the_shortest_bursts_that_are_possible_are_accepted() -> None:
    found = hits(imbalance(clients=100, rate=0.8, pattern="bursty", length=4.0000001), 100) != NONE
    assert not (~found[1:] & ~found[:-1]).any()  # every pause lasts one round


@pytest.mark.parametrize("pattern", ["correlated", "persistent", "bursty"])
def test_a_pattern_of_clients_does_not_go_with_single_samples(pattern: str) -> None:
    with pytest.raises(InputError) as caught:
        imbalance(rate=0.1, pattern=pattern, granularity="sample")
    assert str(caught.value) == (
        f"--missing-pattern {pattern} is about clients and rounds, so it does not go with "
        "--missing-granularity sample: use pattern independent or alternating, or granularity round"
    )
