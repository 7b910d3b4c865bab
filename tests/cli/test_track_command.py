"""`--track`: runs and comparisons that are followed, stopped, and gone on with; read back by the tools' own readers."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from commands import ROUGH, SMALL, Here, content, motet, refused, timeless
from test_interrupted import Impatient

from motet.cli import run as command
from motet.engine.watch import Watch


def steps(folder: Path) -> list[int]:
    """Return the rounds that TensorBoard shows of a run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return [event.step for event in EventAccumulator(str(folder)).Reload().Scalars("accuracy")]


def test_a_wrong_tool_is_refused(here: Here, data: Path, tmp_path: Path) -> None:
    for begin in ("run", "compare"):
        ran = here(begin, "--data", data, *SMALL, "--track", "tensorbord", "--out", tmp_path / "run")
        refused(ran, "unknown tool to track with 'tensorbord'", "did you mean 'tensorboard'")
    assert content(tmp_path) == {}


@pytest.mark.usefixtures("no_figures")
def test_a_run_that_is_followed_stopped_and_resumed(
    here: Here, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    plain, out = tmp_path / "plain", tmp_path / "run"
    assert here("run", "--data", data, *SMALL, *ROUGH, "--quiet", "--out", plain).status == 0
    monkeypatch.setattr(command, "watch", lambda silent: Impatient(2, signal.SIGINT))
    options = (*SMALL, *ROUGH, "--track", "tensorboard", "--out", out)
    assert here("run", "--data", data, *options).status == 3
    assert steps(out) == [1, 2]
    monkeypatch.setattr(command, "watch", lambda silent: Watch())
    ran = here("resume", out, "--quiet")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert steps(out) == [1, 2, 3, 4]
    assert timeless(out / "result.json") == timeless(plain / "result.json")
    assert (out / "history.jsonl").read_bytes() == (plain / "history.jsonl").read_bytes()
    assert (out / "config.json").read_bytes() == (plain / "config.json").read_bytes()


@pytest.mark.slow  # whole processes
@pytest.mark.parametrize("tool", ["tensorboard", "mlflow"])
def test_a_comparison_that_is_followed(data: Path, tmp_path: Path, tool: str) -> None:
    pytest.importorskip(tool, reason=f"{tool} is not installed")
    place, out = tmp_path / "place", tmp_path / "compared"
    options = (*SMALL, *ROUGH, "--recipes", "fedavg,qqr", "--seeds", "2", "--quiet")
    ran = motet("compare", "--data", data, *options, "--track", f"{tool}:{place}", "--out", out)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    runs = [f"{recipe}-seed{seed}" for recipe in ("fedavg", "qqr") for seed in range(2)]
    if tool == "tensorboard":
        assert sorted(path.name for path in (place / "compared").iterdir()) == runs
        assert all(steps(place / "compared" / run) == [1, 2, 3, 4] for run in runs)
        shutil.rmtree(out / runs[-1])  # as where that run had not begun
        (out / "compare.json").unlink()
        assert motet("resume", out, "--quiet").status == 0
        assert steps(place / "compared" / f"{runs[-1]}-2") == [1, 2, 3, 4]
    else:
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{place}")
        found = client.search_runs([client.get_experiment_by_name("motet").experiment_id])
        assert sorted(run.info.run_name for run in found) == [f"compared/{run}" for run in runs]
        for run in found:
            history = client.get_metric_history(run.info.run_id, "accuracy")
            assert [metric.step for metric in history] == [1, 2, 3, 4]
