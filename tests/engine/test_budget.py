"""The accountant, against formulas by hand and against another accountant of dp-accounting."""

from __future__ import annotations

import math
import sys
from typing import Any

import dp_accounting
import pytest
from dp_accounting import pld
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.config import PrivacySettings
from motet.engine.budget import ORDERS, Budget
from motet.errors import InputError

DELTA = 1e-5


def budget(rounds: int = 100, probability: float = 0.1, sent: list[int] | None = None, **given: Any) -> Budget:
    choices = PrivacySettings(**{"privacy": "server", "delta": DELTA, **given})
    return Budget(choices, probability, sent or list(range(1, rounds + 1)))


def epsilon(divergence: Any) -> float:
    """Return the least epsilon over the orders (Canonne, Kamath and Steinke 2020, arXiv 2004.00010, proposition 12)."""
    every = [divergence(a) + math.log1p(-1 / a) - math.log(DELTA * a) / (a - 1) for a in ORDERS]
    return max(0.0, min(every))


@pytest.mark.parametrize(("multiplier", "rounds"), [(1.0, 1), (4.0, 100), (20.0, 1000)])
def test_everybody_in_every_round_by_hand(multiplier: float, rounds: int) -> None:
    """T Gaussian mechanisms have a Renyi divergence of T a / (2 z^2)."""
    found = budget(rounds, probability=1.0, noise_multiplier=multiplier).spent(rounds)
    assert found == pytest.approx(epsilon(lambda a: rounds * a / (2 * multiplier**2)), rel=1e-9)


@pytest.mark.parametrize(("probability", "multiplier", "rounds"), [(0.1, 1.0, 100), (0.02, 0.8, 500), (0.5, 6.0, 30)])
def test_drawn_clients_by_hand(probability: float, multiplier: float, rounds: int) -> None:
    """The sampled Gaussian mechanism at whole orders (Mironov, Talwar and Zhang 2019, arXiv 1908.10530, section 3.3).

    exp((a - 1) D) = sum_k C(a, k) (1 - q)^(a - k) q^k exp((k^2 - k) / (2 z^2)).
    """

    def divergence(a: int) -> float:
        terms = [
            math.lgamma(a + 1) - math.lgamma(k + 1) - math.lgamma(a - k + 1)
            + (a - k) * math.log(1 - probability) + k * math.log(probability)
            + (k * k - k) / (2 * multiplier**2)
            for k in range(a + 1)
        ]  # fmt: skip
        largest = max(terms)
        return rounds * (largest + math.log(sum(math.exp(t - largest) for t in terms))) / (a - 1)

    found = budget(rounds, probability, noise_multiplier=multiplier).spent(rounds)
    assert found == pytest.approx(epsilon(divergence), rel=1e-6)


@pytest.mark.parametrize(("multiplier", "sent"), [(2.0, 1), (5.0, 7)])
def test_devices_spend_by_how_often_they_send_with_twice_the_sensitivity(multiplier: float, sent: int) -> None:
    found = budget(sent=[0, sent, sent], privacy="device", noise_multiplier=multiplier)
    assert found.spent(1) == 0
    assert found.spent(2) == found.spent(3)
    assert found.spent(3) == pytest.approx(epsilon(lambda a: sent * a / (2 * (multiplier / 2) ** 2)), rel=1e-9)


@pytest.mark.parametrize(("probability", "multiplier", "rounds"), [(0.1, 1.0, 100), (1.0, 8.0, 40), (0.3, 3.0, 60)])
def test_it_never_says_less_than_the_exact_accountant(probability: float, multiplier: float, rounds: int) -> None:
    """Privacy loss distributions are exact but for their grid; Renyi's way is an upper bound, here within 15 %."""
    once = dp_accounting.PoissonSampledDpEvent(probability, dp_accounting.GaussianDpEvent(multiplier))
    exact = pld.PLDAccountant().compose(once, rounds).get_epsilon(DELTA)
    assert exact <= budget(rounds, probability, noise_multiplier=multiplier).spent(rounds) <= 1.15 * exact


@settings(max_examples=15)
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
    assert 0.98 * epsilon < found.spent(rounds) <= epsilon
    assert all(found.spent(t) <= found.spent(t + 1) for t in range(rounds))


@settings(max_examples=15)
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
    with pytest.raises(InputError, match=r"one round spends an epsilon of 10\.8 with --noise-multiplier 0\.5, more"):
        budget(probability=1.0, epsilon=1, noise_multiplier=0.5)


def test_without_dp_accounting_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(InputError, match=r"pip install 'motet\[privacy\]'"):
        budget(noise_multiplier=1)
