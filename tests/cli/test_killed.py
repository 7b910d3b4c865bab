"""A run that is killed at any moment, as often as one likes, and gone on with, gives the bits of the unbroken run."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from commands import ROUGH, SMALL, Children, content, timeless

pytestmark = pytest.mark.slow  # whole processes, stopped and killed

WAYS = {
    "online": ("--recipe", "qqr", "--buffer", "12", "--arrivals", "4"),
    "assessed": ("--recipe", "qqr", "--flags", "assessed", "--calibration-rounds", "2", "--prototype-delay", "2"),
    "own models": ("--recipe", "local", "--participation", "0.5"),
    "a few": ("--recipe", "late", "--participation", "0.5", "--upload", "q8", "--buffer", "8", "--arrivals", "6"),
    "twice as wide": ("--recipe", "pmm", "--dtype", "float64", "--optimizer", "adam", "--lr", "0.01"),
}  # fmt: skip


@pytest.fixture
def children(tmp_path: Path) -> Children:
    return Children(tmp_path)


def command(data: Path, out: Path, *options: str) -> tuple[str | Path, ...]:
    """Return how to begin a run, or go on with it."""
    if (out / "config.json").exists():
        return ("resume", out)
    return ("run", "--data", data, *SMALL, *ROUGH, *options, "--out", out)


def check_same(out: Path, whole: Path) -> None:
    assert timeless(out / "result.json") == timeless(whole / "result.json")
    assert (out / "history.jsonl").read_bytes() == (whole / "history.jsonl").read_bytes()
    assert len(list(out.glob("checkpoint-*"))) <= 2
    assert not list(out.glob(".*"))


def killed(children: Children, data: Path, tmp_path: Path, times: int, seed: int, *options: str) -> None:
    """Kill a run at random moments, let it end, and compare it with one that nobody killed."""
    whole, out = tmp_path / "whole", tmp_path / "run"
    began = time.monotonic()
    assert children.run(*command(data, whole, *options)) == 0, children.said()
    takes = time.monotonic() - began
    moments = random.Random(seed)
    for _ in range(times):
        child = children.start(*command(data, out, *options))
        child.join(moments.uniform(0, takes))
        child.kill()
        child.join()
        if (out / "result.json").exists():
            check_same(out, whole)
            (out / "result.json").unlink()
    assert children.run(*command(data, out, *options)) == 0, children.said()
    check_same(out, whole)


@pytest.mark.parametrize("way", WAYS)
def test_killed_three_times(children: Children, data: Path, tmp_path: Path, way: str) -> None:
    killed(children, data, tmp_path, 3, 1, *WAYS[way])


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_killed_twenty_times(children: Children, data: Path, tmp_path: Path, way: str) -> None:
    killed(children, data, tmp_path, 20, 2, *WAYS[way], "--rounds", "12")


@pytest.mark.parametrize("die_at", [1, 2, 3, *range(4, 9), pytest.param(None, marks=pytest.mark.slow)])
def test_killed_at_a_step_of_writing(children: Children, data: Path, tmp_path: Path, die_at: int | None) -> None:
    options = (*WAYS["online"], "--rounds", "2")
    whole = tmp_path / "whole"
    assert children.run(*command(data, whole, *options)) == 0, children.said()
    for step in range(9, 30) if die_at is None else [die_at]:
        out = tmp_path / f"run{step}"
        status = children.run(*command(data, out, *options), die_at=step)
        if status == 0:
            assert step > 15
            break
        assert status == -9
        assert children.run(*command(data, out, *options)) == 0, children.said()
        check_same(out, whole)


def test_killed_again_at_each_step_of_going_on(children: Children, data: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    options = WAYS["own models"]
    assert children.run(*command(data, whole, *options)) == 0, children.said()
    step = 4
    while children.run(*command(data, out, *options), die_at=step) != 0:
        step += 1
        assert step < 12  # each time it gets further, or as far as before
    check_same(out, whole)


def test_the_history_ends_in_half_a_line(children: Children, data: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert children.run(*command(data, whole)) == 0, children.said()
    assert children.run(*command(data, out), die_at=10) == -9
    with open(out / "history.jsonl", "ab") as file:
        file.write(b'{"round":3,"accuracy":0.')
    assert children.run("resume", out) == 0, children.said()
    check_same(out, whole)


def test_nothing_but_the_lock_was_made(children: Children, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert children.run(*command(data, out), die_at=1) == -9
    assert "config.json" not in content(out)
    assert children.run("resume", out) == 2
    assert "holds no run" in children.said()
    assert children.run(*command(data, out)) == 0, children.said()
