"""How much privacy a run spends: the accountant of dp-accounting, asked round by round."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from motet.config import PrivacySettings
from motet.errors import InputError

ORDERS = [*range(2, 65), *range(72, 129, 8), 160, 192, 256, 384, 512, 1024]
"""Of Renyi divergence; whole ones, for which the sampled Gaussian mechanism has a finite sum."""


class Budget:
    """The (epsilon, delta) of a run after each of its rounds.

    By the server: a client is there or not, and is drawn for a round with some probability (Poisson sampling), which
    hides it further. By devices: each message by itself hides what its device holds, from the server too, which sees
    who sends; so what the device that sends most often spends is counted, and any two of its vectors lie up to two
    bounds apart.

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
        If dp-accounting is not installed, or the budget does not last for one round.
    """

    def __init__(self, settings: PrivacySettings, probability: float, sent: Sequence[int]) -> None:
        self._accounting = _library()
        self._settings, self._probability, self._sent = settings, probability, sent
        self.multiplier = settings.noise_multiplier or self._calibrated()
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
        if rounds == 0 or not self._sent[rounds - 1]:
            return 0.0
        accountant = self._accountant().compose(self._event(self.multiplier, rounds))
        return float(accountant.get_epsilon(self._settings.delta))

    def _event(self, multiplier: float, rounds: int) -> Any:
        """Return what all rounds together show, in the accountant's words."""
        events = self._accounting
        if self._settings.privacy == "device":
            return events.SelfComposedDpEvent(events.GaussianDpEvent(multiplier / 2), self._sent[rounds - 1])
        once = events.PoissonSampledDpEvent(self._probability, events.GaussianDpEvent(multiplier))
        return events.SelfComposedDpEvent(once, rounds)

    def _calibrated(self) -> float:
        """Return the least noise with which all rounds together stay within the budget."""
        found = self._accounting.calibrate_dp_mechanism(
            self._accountant,
            lambda multiplier: self._event(multiplier, len(self._sent)),
            self._settings.epsilon,
            self._settings.delta,
            self._accounting.LowerEndpointAndGuess(0.01, 1.0),
        )
        return float(found)

    def _accountant(self) -> Any:
        return self._accounting.rdp.RdpAccountant(ORDERS)


def _library() -> Any:
    try:
        import dp_accounting
        import dp_accounting.rdp
    except ImportError:
        raise InputError("--privacy needs dp-accounting: install it with pip install 'motet[privacy]'") from None
    return dp_accounting
