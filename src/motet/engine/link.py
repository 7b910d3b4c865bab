"""How long a round takes on the link between devices and server: by lengths alone, whoever computes how fast."""

from __future__ import annotations

from collections.abc import Iterator

from motet.config import Config, NetworkSettings
from motet.engine.outcome import Outcome
from motet.errors import InputError

KILOBYTE = 1000


class Link:
    """Adds up one round: every device has a link of its own, and the server waits for the slowest.

    A round takes twice the latency, and what the bytes down and up of the slowest device take. How long devices train
    is no part of it, for they are simulated on another machine; and nobody waits for who drops out or is late.

    Parameters
    ----------
    settings : NetworkSettings
    """

    def __init__(self, settings: NetworkSettings) -> None:
        self.settings, self._longest = settings, 0

    def over(self, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        """Pass on what devices send, and note the longest of it."""
        if self.settings.link_rate is None:
            yield from outcomes
            return
        for outcome in outcomes:
            self._longest = max(self._longest, int(outcome.lengths.max()))
            yield outcome

    def seconds(self, down: int, devices: int) -> float | None:
        """Return what the round takes, where so many devices receive so many bytes each; None without a link."""
        if self.settings.link_rate is None:
            return None
        if devices == 0:
            return 0.0
        return 2 * self.settings.link_latency + (down + self._longest) / (KILOBYTE * self.settings.link_rate)


def check_link(config: Config) -> None:
    """Refuse a link of which half is not known.

    Raises
    ------
    InputError
    """
    if config.network.link_latency and config.network.link_rate is None:
        raise InputError("--link-latency is that of a link: give its --link-rate as well")
