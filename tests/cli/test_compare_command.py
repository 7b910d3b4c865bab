"""`motet compare`: what it writes, that it is fair, and that it can be stopped, killed and gone on with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from commands import ROUGH, SMALL, Children, Here, content, motet, refused, timeless
from test_interrupted import ENDLESS, begin, rounds, wait_for

pytestmark = pytest.mark.slow  # whole processes, stopped and killed

OPTIONS = (*SMALL, *ROUGH, "--buffer", "12", "--arrivals", "4")
RECIPES = ("--recipes", "fedavg,qqr", "--seeds", "2")


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison."""
    out = tmp_path_factory.mktemp("compared") / "whole"
    ran = motet("compare", "--data", data, *RECIPES, *OPTIONS, "--out", out)
    assert (ran.status, ran.err) == (0, "")
    assert "fedavg" in ran.out
    assert "qqr" in ran.out
    assert f"report: {out / 'report.html'}" in ran.out.replace("\n", "")
    return out


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_it_writes_a_folder_for_each_run(whole: Path) -> None:
    runs = {f"{recipe}-seed{seed}" for recipe in ("fedavg", "qqr") for seed in range(2)}
    assert {path.name for path in whole.iterdir()} == {"plan.json", "lock", "compare.json", "report.html", *runs}
    for run in runs:
        assert {"config.json", "history.jsonl", "result.json", "report.html"} <= set(content(whole / run))
    compared = read(whole / "compare.json")
    assert compared["runs"] == [read(whole / run / "result.json") for run in sorted(runs)]


def test_it_sums_up(whole: Path) -> None:
    compared = read(whole / "compare.json")
    assert (compared["format"], compared["recipes"], compared["seeds"]) == (
        "motet-compare/1",
        ["fedavg", "qqr"],
        [0, 1],
    )
    tail = [run["tail"]["accuracy"] for run in compared["runs"]]
    for row, own in zip(compared["summary"], (tail[:2], tail[2:]), strict=True):
        assert row["accuracy_mean"] == pytest.approx(sum(own) / 2)
        assert row["accuracy_sd"] == pytest.approx(abs(own[0] - own[1]) / 2**0.5)
    (pair,) = compared["paired"]
    assert (pair["recipe"], pair["against"]) == ("qqr", "fedavg")
    assert pair["difference_mean"] == pytest.approx((tail[2] - tail[0] + tail[3] - tail[1]) / 2)
    assert {"data", "rounds", "missing_rate", "threads"} <= set(compared["config"])
    assert not {"recipe", "seed", "missing"} & set(compared["config"])


def test_all_recipes_meet_the_same_failures(whole: Path) -> None:
    runs = {(run["recipe"]["name"], run["seed"]): run for run in read(whole / "compare.json")["runs"]}
    for seed in range(2):
        lost = [
            [(line["missing"], line["degraded"]) for line in runs[recipe, seed]["history"]]
            for recipe in ("fedavg", "qqr")
        ]
        assert lost[0] == lost[1]
        assert any(missing or degraded for missing, degraded in lost[0])
        assert runs["fedavg", seed]["data"] == runs["qqr", seed]["data"] | {
            "parameters": runs["fedavg", seed]["data"]["parameters"]
        }
    assert runs["fedavg", 0]["history"][0]["missing"] != runs["fedavg", 1]["history"][0]["missing"]


@pytest.mark.usefixtures("no_figures")
def test_each_run_is_what_it_would_be_alone(here: Here, data: Path, whole: Path, tmp_path: Path) -> None:
    options = (*OPTIONS, "--recipe", "qqr", "--seed", "1", "--quiet")
    assert here("run", "--data", data, *options, "--out", tmp_path / "alone").status == 0
    assert timeless(tmp_path / "alone" / "result.json") == timeless(whole / "qqr-seed1" / "result.json")


def test_resuming_a_finished_comparison_changes_nothing(here: Here, whole: Path) -> None:
    before = content(whole)
    ran = here("resume", whole)
    assert (ran.status, ran.err) == (0, "")
    assert "is finished already; nothing to do" in ran.out
    assert here("resume", whole, "--json").out == (whole / "compare.json").read_text()
    assert here("resume", whole, "--quiet").out == ""
    assert content(whole) == before


def test_report_writes_the_page_again(here: Here, whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    (copy / "report.html").unlink()
    assert here("report", copy).out == f"report: {copy / 'report.html'}\n"
    assert content(copy) == content(whole)
    (copy / "compare.json").write_text("{}")
    before = content(copy)
    refused(here("report", copy), "compare.json is no comparison of this version")
    refused(here("resume", copy), "compare.json is no comparison of this version")
    (copy / "compare.json").unlink()
    refused(here("report", copy), "no finished comparison", f"motet resume {copy}")
    assert content(copy) == {name: digest for name, digest in before.items() if name != "compare.json"}


@pytest.mark.slow
def test_going_on_keeps_what_is_finished(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    for name in ("compare.json", "report.html", "qqr-seed1/result.json"):
        (copy / name).unlink()
    shutil.rmtree(copy / "fedavg-seed1")
    kept = (copy / "fedavg-seed0" / "result.json").stat().st_mtime_ns
    assert motet("resume", copy, "--quiet").status == 0
    assert timeless(copy / "compare.json") == timeless(whole / "compare.json")
    assert (copy / "fedavg-seed0" / "result.json").stat().st_mtime_ns == kept


LONG = (*OPTIONS, "--rounds", "24", "--evaluate-every", "24", "--quiet")
THREE = ("--recipes", "qqr", "--seeds", "3")
AT_ONCE = min(3, os.cpu_count() or 1)


def begun(data: Path, out: Path) -> subprocess.Popen[str]:
    """Start a comparison and wait until as many of its runs are under way as there are processors."""
    process = begin("compare", "--data", data, *THREE, *LONG, "--out", out)
    wait_for(lambda: len([run for run in out.glob("*/") if rounds(run) > 1]) >= AT_ONCE, process)
    return process


def goes_on(children: Children, data: Path, out: Path) -> None:
    """Check that a comparison goes on to the end, and that its runs are those of runs alone."""
    assert motet("resume", out, "--quiet").status == 0
    assert timeless(out / "compare.json")
    alone = out.parent / "alone"
    for run in out.glob("*-seed*"):
        shutil.rmtree(alone, ignore_errors=True)
        recipe, _, seed = run.name.partition("-seed")
        options = (*LONG, "--recipe", recipe, "--seed", seed)
        assert children.run("run", "--data", data, *options, "--out", alone) == 0, children.said()
        assert timeless(alone / "result.json") == timeless(run / "result.json")


def has_checkpoint(run: Path) -> bool:
    return (run / f"checkpoint-{rounds(run):07d}.safetensors").exists()


def stops(process: subprocess.Popen[str], out: Path) -> None:
    """Check that a comparison leaves one sentence, and a checkpoint of each run that has begun."""
    said, error = process.communicate(timeout=60)
    assert (process.returncode, said, error) == (3, "", f"motet: stopped: go on with `motet resume {out}`\n")
    runs = [path.parent for path in out.glob("*/config.json")]
    assert len(runs) <= AT_ONCE  # no other is begun
    assert all(has_checkpoint(run) and not (run / "result.json").exists() for run in runs)


def test_ctrl_c_in_a_terminal(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begun(data, out)
    os.killpg(process.pid, signal.SIGINT)  # a terminal tells the whole group
    stops(process, out)
    goes_on(Children(tmp_path), data, out)


@pytest.mark.slow
def test_the_parent_alone_is_told_to_stop(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begun(data, out)
    process.send_signal(signal.SIGINT)
    stops(process, out)
    goes_on(Children(tmp_path), data, out)


@pytest.mark.slow
def test_ctrl_c_while_the_workers_start(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begin("compare", "--data", data, *THREE, *LONG, "--out", out)
    wait_for(lambda: (out / "plan.json").exists() and len(workers(process.pid)) >= 2, process)
    os.killpg(process.pid, signal.SIGINT)
    stops(process, out)
    goes_on(Children(tmp_path), data, out)


@pytest.mark.slow
def test_a_second_ctrl_c_ends_the_workers_too(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begin("compare", "--data", data, *THREE, *LONG, *ENDLESS, "--out", out)
    wait_for(lambda: len(list(out.glob("*/config.json"))) >= AT_ONCE, process)
    below = workers(process.pid)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(1)
    _, error = process.communicate(timeout=10)
    assert process.returncode == 1
    assert error == f"motet: stopped at once: go on with `motet resume {out}`\n"
    wait_for(lambda: not any(map(alive, below)), seconds=5)


def workers(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
        except OSError:  # it has ended
            pass
    return found


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_the_parent_is_killed(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begun(data, out)
    below = workers(process.pid)
    assert len(below) >= 2
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(alive, below)), seconds=10)
    goes_on(Children(tmp_path), data, out)


@pytest.mark.slow
def test_a_worker_is_killed(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begun(data, out)
    victim = next(
        worker for worker in workers(process.pid) if "spawn_main" in Path(f"/proc/{worker}/cmdline").read_text()
    )
    os.kill(victim, signal.SIGKILL)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error == "motet: a run's process was killed (is the memory full?): go on with `motet resume`\n"
    goes_on(Children(tmp_path), data, out)


@pytest.mark.slow
def test_one_run_fails_and_the_others_stop(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = motet("compare", "--data", data, *THREE, *LONG, "--lr", "1e30", "--out", out)
    refused(ran, "client 0, round 1, training", "lower --lr", status=1)
    assert not (out / "compare.json").exists()
