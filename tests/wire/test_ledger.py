"""What is counted of what is sent."""

from __future__ import annotations

from collections import Counter

from motet.wire.ledger import Ledger


def test_a_ledger_starts_empty() -> None:
    assert Ledger().totals() == (0, 0)
    assert Ledger().up == Ledger().down == Counter()


def test_lengths_add_up_by_direction_and_kind() -> None:
    ledger = Ledger()
    ledger.count("up", "model", 100)
    ledger.count("up", "model", 50)
    ledger.count("up", "prototypes", 7)
    ledger.count("down", "model", 200)
    assert dict(ledger.up) == {"model": 150, "prototypes": 7}
    assert dict(ledger.down) == {"model": 200}
    assert ledger.totals() == (157, 200)


def test_a_broadcast_counts_once_for_each_client_that_receives_it() -> None:
    ledger = Ledger()
    ledger.count("down", "model", 200, times=5)
    ledger.count("down", "quality", 10, times=0)
    assert ledger.down["model"] == 1000
    assert ledger.totals() == (0, 1000)


def test_ledgers_share_nothing() -> None:
    one, other = Ledger(), Ledger()
    one.count("up", "model", 1)
    assert other.totals() == (0, 0)
