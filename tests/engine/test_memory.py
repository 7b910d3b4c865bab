"""Freed memory is kept where the C library can be asked to keep it, and nothing happens where it can't."""

from __future__ import annotations

import ctypes
import sys

import pytest

from motet.engine import memory


class Library:
    """A C library that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        self.asked.append((parameter, value))
        return 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the names are those of Linux")
def test_glibc_is_asked_to_keep_large_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    memory.keep_freed_memory()
    assert dict(library.asked) == {-1: 2**31 - 1, -2: 2**26, -3: 2**25}


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="not glibc")
def test_glibc_agrees() -> None:
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, value in memory.WISHES:
        assert mallopt(parameter, value) == 1


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    memory.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", None)
    memory.keep_freed_memory()
