"""How much privacy a run spends: the accountant of dp-accounting, asked round by round."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from motet.config import LEAST_NOISE, PrivacySettings
from motet.errors import InputError

GRID = 1e-3
"""Of privacy losses, which are rounded up to it: 50 ms an answer, and at most so much too much a round."""
MOST_NOISE = 1e5
"""In clips; a budget that even this does not keep is below what the grid can tell."""


class Budget:
    """The (epsilon, delta) of a run after each of its rounds, by its privacy loss distribution.

    By the server: what one client holds, or nothing in its place, makes so little difference to what is shared; each
    client is drawn for a round with some probability (Poisson sampling), which hides it further. By devices: each
    message by itself hides what its device holds, from the server too, which sees who sends; so what the device that
    sends most often spends is counted, and any two of its vectors lie up to two bounds apart.

    Parameters
    ----------
    settings : PrivacySettings
    probability : float
        That a client is drawn for a round.
    sent : sequence of int
        How often, at most, a device has sent by the end of each round; one for each of the run's rounds.

    Attributes
    ----------
    multiplier : float
        Deviation of the noise, in bounds of the norm of all that a client sends in a round.
    rounds : int
        That the budget lasts for.

    Raises
    ------
    InputError
        If dp-accounting is not installed, or the budget does not last for one round, or no noise keeps it.
    """

    def __init__(self, settings: PrivacySettings, probability: float, sent: Sequence[int]) -> None:
        self._events = _library()
        self._settings, self._probability, self._sent = settings, probability, sent
        self.multiplier = settings.noise_multiplier or self._calibrated(settings.epsilon or math.inf)
        self.rounds = len(sent)
        if settings.epsilon is not None:
            self.rounds = bisect_right(range(1, len(sent) + 1), settings.epsilon, key=self.spent)
        if self.rounds == 0:
            raise InputError(
                f"one round spends an epsilon of {self.spent(1):.3g} with --noise-multiplier {self.multiplier:g}, more "
                f"than --epsilon {settings.epsilon:g}: raise one of the two, or leave out --noise-multiplier"
            )

    def spent(self, rounds: int) -> float:
        """Return the epsilon after so many rounds."""
        return self._epsilon(self.multiplier, rounds)

    def _times(self, rounds: int) -> int:
        """Return how many rounds count; whom the server draws is part of what hides them, and of devices no secret."""
        return self._sent[rounds - 1] if rounds and self._settings.privacy == "device" else rounds

    def _epsilon(self, multiplier: float, rounds: int) -> float:
        times = self._times(rounds)
        if times == 0:
            return 0.0
        accountant = self._accountant().compose(self._event(multiplier), times)
        return float(accountant.get_epsilon(self._settings.delta))

    def _event(self, multiplier: float) -> Any:
        """Return what one round shows, in the accountant's words."""
        if self._settings.privacy == "device":
            return self._events.GaussianDpEvent(multiplier / 2)
        return self._events.PoissonSampledDpEvent(self._probability, self._events.GaussianDpEvent(multiplier))

    def _calibrated(self, epsilon: float) -> float:
        """Return the least noise with which all rounds together stay within the budget."""
        rounds, high = len(self._sent), 1.0
        while self._epsilon(high, rounds) > epsilon:
            if high > MOST_NOISE:
                raise InputError(
                    f"no noise keeps {rounds} rounds within --epsilon {epsilon:g}: raise it, or have fewer --rounds"
                )
            high *= 2
        low = high / 2
        while self._epsilon(low, rounds) <= epsilon:  # from above: little noise takes long to count
            if low == LEAST_NOISE:
                return LEAST_NOISE
            high, low = low, max(low / 2, LEAST_NOISE)
        found = self._events.calibrate_dp_mechanism(
            self._accountant,
            lambda multiplier: self._events.SelfComposedDpEvent(self._event(multiplier), self._times(rounds)),
            epsilon,
            self._settings.delta,
            self._events.ExplicitBracketInterval(low, high),
        )
        return float(found)

    def _accountant(self) -> Any:
        return self._events.pld.PLDAccountant(value_discretization_interval=GRID)


def _library() -> Any:
    try:
        import dp_accounting
        import dp_accounting.pld
    except ImportError:
        raise InputError("--privacy needs dp-accounting: install it with pip install 'motet[privacy]'") from None
    return dp_accounting
