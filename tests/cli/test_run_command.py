"""`motet run` and `motet resume`: what they write, and what resuming does in every state of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import ROUGH, SMALL, Here, content, gestures, motet, refused, timeless

from motet.config import Config
from motet.data.archive import save


def test_a_run_writes_its_folder(here: Here, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    ran = here("run", "--data", data, *SMALL, *ROUGH, "--out", out)
    assert (ran.status, ran.err) == (0, "")
    assert f"report: {out / 'report.html'}" in ran.out
    files = set(content(out))
    always = {"config.json", "engine.json", "lock", "history.jsonl", "result.json", "report.html"}
    assert always < files
    assert files - always == {path.name for path in out.glob("checkpoint-*.safetensors")}
    config = json.loads((out / "config.json").read_text())
    assert set(config) == set(Config().flat())
    assert (config["rounds"], config["missing_rate"], config["recipe"], config["threads"]) == (4, 0.5, "qqr", 1)
    result = json.loads((out / "result.json").read_text())
    assert result["config"] == config
    lines = (out / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == result["history"]
    assert "<html" in (out / "report.html").read_text()


def test_quiet_says_nothing(here: Here, data: Path, tmp_path: Path) -> None:
    ran = here("run", "--data", data, *SMALL, "--quiet", "--out", tmp_path / "run")
    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_json_prints_the_result(here: Here, data: Path, tmp_path: Path) -> None:
    ran = here("run", "--data", data, *SMALL, "--json", "--out", tmp_path / "run")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (tmp_path / "run" / "result.json").read_text()


def test_without_out_each_run_gets_a_folder_of_its_own(
    here: Here, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert here("run", "--data", data, *SMALL, "--quiet").status == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "gestures-qqr-seed0",
        "gestures-qqr-seed0-2",
    ]


def test_the_same_run_gives_the_same_bytes(here: Here, data: Path, tmp_path: Path) -> None:
    for name in "ab":
        here("run", "--data", data, *SMALL, *ROUGH, "--quiet", "--out", tmp_path / name)
    assert timeless(tmp_path / "a" / "result.json") == timeless(tmp_path / "b" / "result.json")
    other = tmp_path / "c"
    here("run", "--data", data, *SMALL, *ROUGH, "--quiet", "--seed", "1", "--out", other)
    assert timeless(other / "result.json") != timeless(tmp_path / "a" / "result.json")


def test_as_a_process(data: Path, tmp_path: Path) -> None:
    ran = motet("run", "--data", data, *SMALL, "--out", "run", cwd=tmp_path)
    assert (ran.status, ran.err) == (0, "")
    assert "accuracy" in ran.out
    again = motet("resume", "run", cwd=tmp_path)
    assert (again.status, again.out, again.err) == (0, "run is finished already; nothing to do\n", "")


def finished(here: Here, data: Path, out: Path, *more: str) -> Path:
    assert here("run", "--data", data, *SMALL, *ROUGH, *more, "--quiet", "--out", out).status == 0
    return out


def test_resuming_a_finished_run_changes_nothing(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    before = content(out), (out / "result.json").stat().st_mtime_ns
    ran = here("resume", out)
    assert (ran.status, ran.out, ran.err) == (0, f"{out} is finished already; nothing to do\n", "")
    assert here("resume", out, "--quiet").out == ""
    ran = here("resume", out, "--json")
    assert ran.out == (out / "result.json").read_text()
    assert "finished already" in ran.err
    assert (content(out), (out / "result.json").stat().st_mtime_ns) == before


def test_a_finished_run_needs_no_data_to_say_so(here: Here, tmp_path: Path) -> None:
    save(gestures(), tmp_path / "gone.npz")
    out = finished(here, tmp_path / "gone.npz", tmp_path / "run")
    (tmp_path / "gone.npz").unlink()
    assert here("resume", out).status == 0


def unfinish(out: Path) -> str:
    """Make a finished run look as if it had stopped before its result; return that result."""
    result = timeless(out / "result.json")
    for name in ("result.json", "report.html"):
        (out / name).unlink()
    return result


def test_without_a_checkpoint_a_run_starts_at_round_one(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    result = unfinish(out)
    for path in out.glob("checkpoint-*"):
        path.unlink()
    ran = here("resume", out)
    assert (ran.status, ran.err) == (0, "")
    assert "accuracy" in ran.out
    assert timeless(out / "result.json") == result


def test_config_alone_is_enough_to_resume(here: Here, data: Path, tmp_path: Path) -> None:
    whole = finished(here, data, tmp_path / "whole")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_bytes((whole / "config.json").read_bytes())
    assert here("resume", bare, "--quiet").status == 0
    assert timeless(bare / "result.json") == timeless(whole / "result.json")


def test_only_the_result_is_missing(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    result = unfinish(out)
    assert here("resume", out, "--quiet").status == 0
    assert timeless(out / "result.json") == result
    assert (out / "report.html").exists()


def test_resuming_goes_on_from_the_last_checkpoint(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    result = unfinish(out)
    first = (out / "history.jsonl").read_bytes().splitlines(keepends=True)[0]
    kept = sorted(out.glob("checkpoint-*"))[0]
    rounds = int(kept.stem.removeprefix("checkpoint-"))
    lines = (out / "history.jsonl").read_bytes().splitlines(keepends=True)[:rounds]
    for path in sorted(out.glob("checkpoint-*"))[1:]:
        path.unlink()
    (out / "history.jsonl").write_bytes(b"".join(lines) + b'{"round": 9, "accuracy": 0.1')
    assert here("resume", out, "--quiet").status == 0
    assert timeless(out / "result.json") == result
    assert (out / "history.jsonl").read_bytes().startswith(first)


def test_a_folder_that_holds_no_run(here: Here, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for place in (tmp_path / "notes", tmp_path / "nowhere"):
        refused(here("resume", place), f"{place} holds no run", f"motet run --out {place}")
        refused(here("report", place), f"{place} holds no finished run")
    assert content(tmp_path) == {"notes": "folder"}


def test_two_runs_do_not_share_a_folder(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    before = content(out)
    ran = here("run", "--data", data, *SMALL, "--out", out)
    refused(ran, f"{out} holds another run", "--out", f"motet resume {out}")
    assert content(out) == before


def test_report_writes_the_page_again(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    before = content(out)
    (out / "report.html").unlink()
    ran = here("report", out)
    assert (ran.status, ran.out, ran.err) == (0, f"report: {out / 'report.html'}\n", "")
    assert content(out) == before


def test_report_needs_a_finished_run(here: Here, data: Path, tmp_path: Path) -> None:
    out = finished(here, data, tmp_path / "run")
    unfinish(out)
    refused(here("report", out), "no finished run", f"motet resume {out}")


@pytest.mark.parametrize("recipe", ["fedavg", "full", "partial", "local", "late", "fedprox", "pmm", "qqr"])
def test_every_recipe_runs_from_the_command_line(here: Here, data: Path, tmp_path: Path, recipe: str) -> None:
    ran = here("run", "--data", data, *SMALL, *ROUGH, "--recipe", recipe, "--json", "--out", tmp_path / "run")
    assert ran.status == 0, ran.err
    assert json.loads(ran.out)["recipe"]["name"] == recipe
