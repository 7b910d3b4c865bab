"""The time of a round on a link: the slowest device's, by the lengths of messages alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from people import configured, finish, people, run_with_breaks
from test_vector import assert_same_runs

from motet.engine.flower.deployment import fitted
from motet.engine.participants import DROPPED_OUT
from motet.engine.run import run
from motet.errors import InputError
from motet.record.table import run_rows

SLOW: dict[str, Any] = {"link_rate": 2.0, "link_latency": 0.25}


@pytest.mark.parametrize("engine", ["loop", "vector"])
def test_by_hand_where_all_send_the_same(engine: str) -> None:
    result = finish(recipe="fedavg", engine=engine, **SLOW).result
    for line in result.history:
        assert line.link_s == pytest.approx(2 * 0.25 + (line.bytes_up + line.bytes_down) / 4 / 2000)
    assert result.time.link_s == pytest.approx(sum(line.link_s or 0 for line in result.history))


@pytest.mark.parametrize("engine", ["loop", "vector"])
def test_the_slowest_decides(engine: str) -> None:
    """Devices that lack a sensor send less; the round takes as long as those which send all."""
    choices = {"recipe": "partial", "rounds": 1, "engine": engine, **SLOW}
    whole, some = finish(**choices).result, finish(unimodal_share=0.5, **choices).result
    assert some.bytes.up < whole.bytes.up
    assert some.history[0].link_s == whole.history[0].link_s
    every = finish(unimodal_share=1.0, **choices).result
    assert (every.history[0].link_s or 0) < (whole.history[0].link_s or 0)


def test_nobody_waits_for_those_who_drop_out_or_are_late() -> None:
    gone = finish(client_dropout=1.0, rounds=1, **SLOW).result
    late = finish(upload_delay=5, rounds=1, **SLOW).result
    assert gone.refused[DROPPED_OUT]
    assert gone.history[0].link_s == late.history[0].link_s
    assert gone.history[0].link_s == pytest.approx(2 * 0.25 + gone.history[0].bytes_down / 4 / 2000)


def test_a_round_without_participants_takes_no_time() -> None:
    result = finish(sampling="poisson", participation=0.01, rounds=2, **SLOW).result
    assert [line.link_s for line in result.history] == [0.0, 0.0]


def test_a_link_changes_nothing_else_and_none_says_nothing() -> None:
    plain, slow = finish(), finish(**SLOW)
    assert plain.result.time.link_s is None
    assert [line.link_s for line in plain.result.history] == [None] * 3
    assert "time on the link" not in dict(run_rows(plain.result))
    assert "time on the link" in dict(run_rows(slow.result))
    assert slow.result.tail == plain.result.tail
    assert slow.result.bytes == plain.result.bytes


def test_a_stopped_run_goes_on_with_the_same_time(tmp_path: Path) -> None:
    config = configured(recipe="qqr", rounds=5, missing_rate=0.5, **SLOW)
    found, whole = run_with_breaks(config, people(), tmp_path / "run"), run(config, people())
    assert_same_runs(found, whole)
    assert found.result.time.link_s == whole.result.time.link_s


def test_half_a_link_and_one_over_a_network_are_refused() -> None:
    with pytest.raises(InputError, match="--link-latency is that of a link: give its --link-rate as well"):
        finish(link_latency=1.0)
    with pytest.raises(InputError, match="--link-rate is for `motet run`"):
        fitted(configured(link_rate=1.0), people())
