"""The accountant, against formulas by hand and against another accountant of dp-accounting."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import dp_accounting
import pytest
from dp_accounting import pld, rdp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from motet.config import LEAST_NOISE, PrivacySettings
from motet.engine.budget import Budget
from motet.errors import InputError

DELTA = 1e-5


def budget(rounds: int = 100, probability: float = 0.1, sent: list[int] | None = None, **given: Any) -> Budget:
    choices = PrivacySettings(**{"privacy": "server", "delta": DELTA, **given})
    return Budget(choices, probability, sent or list(range(1, rounds + 1)))


def delta_of_gaussian(epsilon: float, multiplier: float) -> float:
    """Return the exact delta of one Gaussian mechanism (Balle and Wang 2018, arXiv 1805.06530, theorem 8)."""
    shift = epsilon * multiplier
    return norm.sf(shift - 0.5 / multiplier) - math.exp(epsilon) * norm.sf(shift + 0.5 / multiplier)


def delta_of_sampled(epsilon: float, multiplier: float, probability: float) -> float:
    """Return the exact delta of one sampled Gaussian mechanism, by hand.

    With the client z ~ q N(1, s^2) + (1 - q) N(0, s^2), without it N(0, s^2). The first is more than e^epsilon times as
    likely above c, where q exp((2 c - 1) / (2 s^2)) = e^epsilon - 1 + q; the other way round, below such a c.
    """
    s, q = multiplier, probability

    def above(c: float) -> tuple[float, float]:
        return q * norm.sf((c - 1) / s) + (1 - q) * norm.sf(c / s), norm.sf(c / s)

    with_it, without = above(s**2 * math.log((math.exp(epsilon) - 1 + q) / q) + 0.5)
    found = with_it - math.exp(epsilon) * without
    if math.exp(-epsilon) > 1 - q:
        with_it, without = above(s**2 * math.log((math.exp(-epsilon) - 1 + q) / q) + 0.5)
        found = max(found, (1 - without) - math.exp(epsilon) * (1 - with_it))
    return found


def solved(delta: Callable[[float], float]) -> float:
    """Return the epsilon at which a delta is the one asked for."""
    return float(brentq(lambda epsilon: delta(epsilon) - DELTA, 1e-9, 200))


@pytest.mark.parametrize(("multiplier", "rounds"), [(1.0, 1), (4.0, 100), (20.0, 1000)])
def test_everybody_in_every_round_by_hand(multiplier: float, rounds: int) -> None:
    """T Gaussian mechanisms are one with z / sqrt(T)."""
    found = budget(rounds, probability=1.0, noise_multiplier=multiplier).spent(rounds)
    exact = solved(lambda epsilon: delta_of_gaussian(epsilon, multiplier / math.sqrt(rounds)))
    assert exact <= found <= exact * 1.001 + 1e-3


@pytest.mark.parametrize(("probability", "multiplier"), [(0.1, 1.0), (0.02, 0.8), (0.5, 6.0)])
def test_drawn_clients_by_hand(probability: float, multiplier: float) -> None:
    found = budget(5, probability, noise_multiplier=multiplier).spent(1)
    exact = solved(lambda epsilon: delta_of_sampled(epsilon, multiplier, probability))
    assert exact <= found <= exact * 1.001 + 1e-3


@pytest.mark.parametrize(("multiplier", "sent"), [(2.0, 1), (5.0, 7)])
def test_devices_spend_by_how_often_they_send_with_twice_the_sensitivity(multiplier: float, sent: int) -> None:
    found = budget(sent=[0, sent, sent], privacy="device", noise_multiplier=multiplier)
    assert found.spent(1) == 0
    assert found.spent(2) == found.spent(3)
    exact = solved(lambda epsilon: delta_of_gaussian(epsilon, multiplier / 2 / math.sqrt(sent)))
    assert exact <= found.spent(3) <= exact * 1.001 + 1e-3


def test_the_server_spends_in_every_round_whoever_is_drawn() -> None:
    found = budget(sent=[0, 0, 1], noise_multiplier=2.0)
    assert 0 < found.spent(1) < found.spent(2) < found.spent(3)


@pytest.mark.parametrize(("probability", "multiplier", "rounds"), [(0.1, 1.0, 100), (1.0, 8.0, 40), (0.01, 1.0, 100)])
def test_it_never_says_more_than_the_other_accountant(probability: float, multiplier: float, rounds: int) -> None:
    """Renyi's accountant is an upper bound; a finer grid is closer to the truth from above."""
    once = dp_accounting.PoissonSampledDpEvent(probability, dp_accounting.GaussianDpEvent(multiplier))
    orders = [*range(2, 65), 128, 256]
    bound = rdp.RdpAccountant(orders).compose(once, rounds).get_epsilon(DELTA)
    exact = pld.PLDAccountant(value_discretization_interval=1e-4).compose(once, rounds).get_epsilon(DELTA)
    found = budget(rounds, probability, noise_multiplier=multiplier).spent(rounds)
    assert exact - 1e-9 <= found <= bound
    assert found <= 1.01 * exact


@settings(max_examples=6)
@given(
    epsilon=st.floats(0.3, 20),
    rounds=st.integers(1, 200),
    probability=st.sampled_from([0.05, 0.3, 1.0]),
    by=st.sampled_from(["server", "device"]),
)
def test_noise_left_to_the_budget_spends_it_in_all_rounds(
    epsilon: float, rounds: int, probability: float, by: str
) -> None:
    found = budget(rounds, probability, privacy=by, epsilon=epsilon)
    assert found.rounds == rounds
    assert 0.98 * epsilon < found.spent(rounds) <= epsilon or found.multiplier == LEAST_NOISE
    assert 0 == found.spent(0) < found.spent(1) <= found.spent(rounds // 2 + 1) <= found.spent(rounds)


@settings(max_examples=6)
@given(epsilon=st.floats(1, 20), multiplier=st.floats(0.6, 5), probability=st.sampled_from([0.1, 1.0]))
def test_the_last_round_is_the_last_that_is_paid_for(epsilon: float, multiplier: float, probability: float) -> None:
    try:
        found = budget(60, probability, epsilon=epsilon, noise_multiplier=multiplier)
    except InputError:
        assert budget(60, probability, noise_multiplier=multiplier).spent(1) > epsilon
        return
    assert found.spent(found.rounds) <= epsilon
    assert found.rounds == 60 or found.spent(found.rounds + 1) > epsilon


def test_a_budget_that_does_not_last_for_a_round_is_refused() -> None:
    with pytest.raises(InputError, match=r"one round spends an epsilon of 10 with --noise-multiplier 0\.5, more"):
        budget(probability=1.0, epsilon=1, noise_multiplier=0.5)


def test_a_budget_that_no_noise_keeps_is_refused() -> None:
    with pytest.raises(InputError, match=r"no noise keeps 1000 rounds within --epsilon 0\.001: raise it"):
        budget(1000, probability=1.0, epsilon=0.001)


def test_where_nobody_sends_the_least_noise_will_do() -> None:
    assert budget(sent=[0], privacy="device", epsilon=1).multiplier == LEAST_NOISE


def test_without_dp_accounting_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(InputError, match=r"pip install 'motet\[privacy\]'"):
        budget(noise_multiplier=1)
