"""TensorBoard and MLflow: what they hold of a run, read back in their own ways; and what a run is followed by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from synthetic import CONFIG, result

from motet.errors import InputError
from motet.record.result import Result, Round
from motet.record.track import Store, Track
from motet.record.track.figures import ENDED, WHOLE, of_result, of_round, settings

TOOLS = ("tensorboard", "mlflow")
PLACES = {"tensorboard": "events", "mlflow": "runs.db"}


@pytest.fixture
def run() -> Result:
    return result("qqr", 0.6, rounds=4)


def line(**changes: Any) -> Round:
    """Make a round in which three clients trained."""
    return Round(
        **{
            "round": 2,
            "accuracy": 0.5,
            "loss": 1.25,
            "balanced_accuracy": 0.4,
            "online_accuracy": None,
            "online_loss": 2.0,
            "train_loss": None,
            "bytes_up": 300,
            "bytes_down": 200,
            "clients": 3,
            "missing": {"acc": {"0": 1.0, "2": 0.5}, "gyro": {}},
            "degraded": {"acc": {}, "gyro": {"1": 0.75}},
            "flagged": {},
            "meaning": None,
            **changes,
        }
    )


def test_the_figures_of_a_round() -> None:
    assert of_round(line()) == {
        "accuracy": 0.5,
        "balanced_accuracy": 0.4,
        "loss": 1.25,
        "online/loss": 2.0,
        "clients": 3,
        "missing/acc": 0.5,
        "missing/gyro": 0,
        "degraded/acc": 0,
        "degraded/gyro": 0.25,
        "bytes/up": 300,
        "bytes/down": 200,
    }
    nobody = line(accuracy=None, loss=None, balanced_accuracy=None, online_loss=None, clients=0, missing={"acc": {}})
    assert of_round(nobody)["missing/acc"] == 0
    assert "accuracy" not in of_round(nobody)
    assert list(of_round(line(epsilon=2.0)))[-1] == WHOLE


def test_the_figures_of_an_end(run: Result) -> None:
    found = of_result(run)
    assert found[ENDED] == run.tail.accuracy
    assert found["final/macro_f1"] == run.final.macro_f1
    assert found["final/present/acc gyro"] == run.final.accuracy_by_present["acc+gyro"]
    assert found["total/bytes_up"] == run.bytes.up
    assert not any("+" in name for name in found)  # which MLflow refuses


def test_settings_as_texts() -> None:
    assert settings({"lr": 0.1, "clients": None, "noise": {"acc": 1}, "data": "wearables"}) == {
        "lr": "0.1",
        "noise": '{"acc": 1}',
        "data": "wearables",
    }


def test_how_a_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Track.parse("mlflow") == Track(tool="mlflow")
    assert Track.parse("tensorboard:some/where").path == str(tmp_path / "some" / "where")
    assert Track.parse("mlflow:http://host:5000").path == "http://host:5000"
    with pytest.raises(InputError, match="unknown tool to track with 'tensorbord': did you mean 'tensorboard'"):
        Track.parse("tensorbord")
    with pytest.raises(InputError, match=r"--track mlflow: names no place: write mlflow:PATH, or mlflow alone"):
        Track.parse("mlflow:")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_is_not_installed(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("torch.utils.tensorboard", f"motet.record.track.{tool}"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("mlflow", "tensorboard", "tensorboard.backend.event_processing.event_accumulator"):
        monkeypatch.setitem(sys.modules, name, None)  # as Python notes what is not there
    with pytest.raises(InputError, match=rf"--track {tool} needs {tool}: install it with pip install 'motet\[track\]'"):
        Track(tool=tool).check()


def installed(tool: str) -> None:
    """Skip a test where a tool is not installed."""
    for name in {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy", "alembic")}[tool]:
        pytest.importorskip(name, reason=f"{tool} is not installed")


def begun(tool: str, folder: Path, place: str | None = None) -> Track:
    """Begin a run in a folder."""
    installed(tool)
    folder.mkdir(parents=True)
    track = Track.parse(f"{tool}:{folder.parent / (place or PLACES[tool])}")
    track.check()
    track.begin(folder)
    return reopened(folder)


def reopened(folder: Path) -> Track:
    found = Track.of(folder)
    assert found is not None
    return found


def read_back(track: Track, names: list[str]) -> dict[str, list[tuple[int, float]]]:
    """Return the figures of a run with their rounds, as the tool's own reader sees them."""
    if track.tool == "tensorboard":
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(track.key).Reload()
        return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in names}
    run = found_in_mlflow(track)
    client = mlflow_client(track)
    return {name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)] for name in names}


def mlflow_client(track: Track) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{track.path}")


def found_in_mlflow(track: Track) -> Any:
    client = mlflow_client(track)
    (found,) = client.search_runs(
        [client.get_experiment_by_name("motet").experiment_id], f"tags.`motet.key` = '{track.key}'"
    )
    return found


@pytest.mark.parametrize("tool", TOOLS)
def test_what_a_tool_holds_of_a_run(tool: str, tmp_path: Path, run: Result) -> None:
    track = begun(tool, tmp_path / "run")
    store: Store = track.open(tmp_path / "run", CONFIG)
    assert store.last == 0
    for own in run.history[:2]:
        store.round(own)
    store.close()  # as where it is stopped
    store = track.open(tmp_path / "run", CONFIG)
    assert store.last == 2
    for own in run.history[2:]:
        store.round(own)
    store.finish(run)
    store.close()
    store = track.open(tmp_path / "run", CONFIG)  # as where it was killed between the end and its record
    assert store.last == 4
    store.finish(run)
    store.close()
    names = ["accuracy", "loss", WHOLE, "missing/acc", ENDED]
    found = read_back(track, names)
    for name in names[:-1]:
        expected = [(own.round, of_round(own)[name]) for own in run.history if name in of_round(own)]
        assert [step for step, _ in found[name]] == [step for step, _ in expected]
        assert [value for _, value in found[name]] == pytest.approx([value for _, value in expected])
    assert [value for _, value in found[ENDED]] == pytest.approx([run.tail.accuracy])


def test_settings_in_tensorboard(tmp_path: Path) -> None:
    track = begun("tensorboard", tmp_path / "run")
    track.open(tmp_path / "run", CONFIG).close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    events = EventAccumulator(track.key).Reload()
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    told = metadata.parse_session_start_info_plugin_data(content).hparams
    assert {key: value.string_value for key, value in told.items()} == settings(CONFIG)


def test_a_round_that_was_half_written(tmp_path: Path, run: Result) -> None:
    track = begun("tensorboard", tmp_path / "run")
    store: Any = track.open(tmp_path / "run", CONFIG)
    store.round(run.history[0])
    store._write({"accuracy": 0.99}, 2)  # killed here
    store = track.open(tmp_path / "run", CONFIG)
    assert store.last == 1
    store.round(run.history[1])
    store.close()
    found = read_back(track, ["accuracy"])["accuracy"]
    assert [step for step, _ in found] == [1, 2]
    assert found[1][1] == pytest.approx(run.history[1].accuracy)


def test_the_places_of_tensorboard(tmp_path: Path, run: Result) -> None:
    first, second = (begun("tensorboard", tmp_path / name / "run", "../events") for name in "ab")
    assert first.key == str(tmp_path / "a" / "../events" / "run")
    first.open(tmp_path / "a" / "run", CONFIG).close()
    Path(second.key).mkdir(exist_ok=True)
    assert begun("tensorboard", tmp_path / "c" / "run", "../events").key.endswith("events/run-2")
    whole = Track(tool="tensorboard", path=str(tmp_path / "more")).inside("compared")
    (tmp_path / "d").mkdir()
    whole.begin(tmp_path / "d")
    assert reopened(tmp_path / "d").key == str(tmp_path / "more" / "compared" / "d")
    own = tmp_path / "own"
    own.mkdir()
    Track(tool="tensorboard").begin(own)
    reopened(own).open(own, CONFIG).close()
    assert list(own.glob("events.out.tfevents.*"))


def test_a_run_in_mlflow(tmp_path: Path, run: Result) -> None:
    track = begun("mlflow", tmp_path / "run")
    store = track.open(tmp_path / "run", {**CONFIG, **{f"more{n}": n for n in range(100)}})
    found = found_in_mlflow(track)
    assert found.info.run_name == "run"
    assert found.info.status == "RUNNING"
    assert found.data.params.items() >= settings(CONFIG).items()
    assert found.data.params["more99"] == "99"
    store.close()
    assert found_in_mlflow(track).info.status == "KILLED"
    store = track.inside("compared").open(tmp_path / "run", CONFIG)
    assert found_in_mlflow(track).info.status == "RUNNING"
    for own in run.history:
        store.round(own)
    store.finish(run)
    store.close()
    assert found_in_mlflow(track).info.status == "FINISHED"


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for tool in TOOLS:
        installed(tool)
        with pytest.raises(InputError, match=rf"--track {tool}:.*file.*: .*; name another place, or leave it out"):
            Track.parse(f"{tool}:{tmp_path / 'file' / 'inside'}").check()
