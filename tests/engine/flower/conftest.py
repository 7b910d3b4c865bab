"""Servers that are tested without processes do not wait between two looks."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("flwr", reason="the extra 'flower' is not installed")
    from motet.engine.flower import fleet, gather

    monkeypatch.setattr(fleet, "FETCH_S", 0.0)
    monkeypatch.setattr(fleet, "LOOK_S", 0.0)
    monkeypatch.setattr(gather, "LOOK_S", 0.0)
