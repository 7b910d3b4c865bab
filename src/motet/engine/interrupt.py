"""Ctrl-C asks a run to stop at a good place; a second one stops it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from motet.errors import Interrupted


class Stop:
    """Remembers that the user wants to stop, or asks whoever knows."""

    elsewhere: Callable[[], bool] | None = None
    """Whether another process wants this one's runs to stop; set once, by the worker of a pool."""

    def __init__(self) -> None:
        self.wanted = False

    def check(self) -> None:
        """Raise `Interrupted` if so."""
        if self.wanted or (Stop.elsewhere is not None and Stop.elsewhere()):
            raise Interrupted("stopped")


_current: Stop | None = None


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a wish; outside the main thread signals are left alone.

    One within another shares its wish.
    """
    global _current
    if threading.current_thread() is not threading.main_thread():
        yield Stop()
        return
    if _current is not None:
        yield _current
        return
    _current = stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}

    def wish(number: int, frame: FrameType | None) -> None:
        stop.wanted = True
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, wish)
    try:
        yield stop
    finally:
        _current = None
        for number, handler in before.items():
            signal.signal(number, handler)
