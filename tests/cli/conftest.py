"""What every test of the command line has at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Here, archive, short_report

from motet.record import report


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Run commands in this process."""
    monkeypatch.setenv("COLUMNS", "200")
    return Here(monkeypatch, capfd)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a small dataset."""
    return archive(tmp_path_factory.mktemp("data") / "gestures.npz")


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a page without figures in place of the report."""
    monkeypatch.setattr(report, "run_report", short_report)
