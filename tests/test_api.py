"""Motet from Python: runs, models, comparisons and recipes on any dataset in memory."""

from __future__ import annotations

import doctest
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import motet
from motet import api
from motet.cli import main as entry
from motet.engine.watch import Watch
from motet.record.result import Result, to_json

SMALL: dict[str, Any] = {"rounds": 2, "features": 4, "encoder": "mlp", "threads": 1, "flags": "oracle"}


@pytest.fixture(scope="module")
def data() -> motet.Dataset:
    return motet.wearables(clients=3, samples=16, test_people=2)


def command(*arguments: str | Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command in this process and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["motet", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        entry.main()
    return int(left.value.code or 0)


def same(one: Any, other: Any) -> bool:
    return bool(one.model_dump(exclude={"time"}) == other.model_dump(exclude={"time"}))


def test_doctests() -> None:
    for module in (motet, api):
        failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
        assert tried >= 2
        assert failed == 0


def test_importing_is_quick() -> None:
    code = "import sys, motet; dir(motet); assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_all_public_names_are_there() -> None:
    for name in motet.__all__:
        assert getattr(motet, name) is not None
    assert set(motet.__all__) <= set(dir(motet))
    with pytest.raises(AttributeError, match="no attribute 'rnu'"):
        motet.rnu  # noqa: B018


def test_a_run(data: motet.Dataset) -> None:
    result = motet.run(data, recipe="qqr", missing_rate=0.5, **SMALL)
    assert isinstance(result, motet.Run)
    assert 0 <= result.final.accuracy <= 1
    assert (result.config["rounds"], result.config["missing_rate"], result.config["data"]) == (2, 0.5, "wearables")
    assert len(result.history) == 2
    x = data.take(np.arange(4))
    assert result.model.predict({"acc": x["acc"]}).shape == (4,)
    assert json.loads(to_json(result))["recipe"]["name"] == "qqr"
    assert same(result, motet.run(data, recipe="qqr", missing_rate=0.5, **SMALL))


def test_nothing_is_written_unless_asked(
    data: motet.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    motet.run(data, **SMALL)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_data_by_name_by_path_and_in_memory(tmp_path: Path) -> None:
    digits = motet.digits()
    motet.save(digits, tmp_path / "digits.npz")
    settings = {**SMALL, "rounds": 1, "clients": 3, "recipe": "partial"}
    memory = motet.run(digits, **settings)
    by_name = motet.run("digits", **settings)
    by_path = motet.run(tmp_path / "digits.npz", **settings)
    by_text = motet.run(str(tmp_path / "digits.npz"), **settings)
    assert memory.final == by_name.final == by_path.final == by_text.final
    assert by_path.config["data"] == str(tmp_path / "digits.npz")


@pytest.mark.parametrize("wrong", [3, np.zeros(3), {"acc": np.zeros(3)}, ["digits"]])
def test_what_is_no_data(wrong: Any) -> None:
    with pytest.raises(motet.InputError, match="data must be a dataset"):
        motet.run(wrong)
    with pytest.raises(motet.InputError, match="data must be a dataset"):
        motet.compare(wrong, recipes=["qqr"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"round": 3}, "unknown setting 'round': did you mean 'rounds'"),
        ({"recipe": "qqrr"}, "unknown recipe 'qqrr': did you mean 'qqr'"),
        ({"data": "wearable"}, "unknown data set 'wearable': did you mean 'wearables'"),
        ({"rounds": "many"}, "--rounds must be a valid integer"),
        ({"missing_rate": 2}, "--missing-rate"),
        ({"missing_modality": "acce", "missing_rate": 0.5}, "did you mean 'acc'"),
        ({"modalities": []}, "no modality of wearables is chosen"),
        ({"clients": 4}, "--clients 4 is more than the 3 clients"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(data: motet.Dataset, settings: dict[str, Any], words: str) -> None:
    own = () if "data" in settings else (data,)
    with pytest.raises(motet.InputError, match=words) as error:
        motet.run(*own, **{**SMALL, **settings})
    assert isinstance(error.value, ValueError)
    assert "\n" not in str(error.value)


def test_a_run_in_a_folder_is_one_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    settings = {**SMALL, "rounds": 1, "clients": 3, "recipe": "pmm"}
    result = motet.run("digits", out=out, **settings)
    assert (out / "result.json").read_text() == to_json(result)
    assert result.model.predict({"upper": np.zeros((2, 1, 5, 8))}).shape == (2,)
    assert command("resume", out, monkeypatch=monkeypatch) == 0
    assert "finished already" in capfd.readouterr().out
    (out / "result.json").unlink()
    assert command("resume", out, "--quiet", monkeypatch=monkeypatch) == 0
    again = json.loads((out / "result.json").read_text())
    assert {**again, "time": None} == {**json.loads(to_json(result)), "time": None}
    with pytest.raises(motet.InputError, match="holds another run"):
        motet.run("digits", out=out, **settings)


def test_a_run_on_data_of_ones_own_is_not_resumed_on_other_data(
    data: motet.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is called wearables, but these are not the people that the command line would simulate."""
    motet.run(data, out=tmp_path / "run", **SMALL)
    (tmp_path / "run" / "result.json").unlink()
    assert command("resume", tmp_path / "run", "--quiet", monkeypatch=monkeypatch) == 2
    assert "the data are not those that the run began with" in capfd.readouterr().err
    assert not (tmp_path / "run" / "result.json").exists()


def test_ctrl_c(data: motet.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(Watch):
        def round(self, number: int, accuracy: float | None, title: str = "") -> None:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(api, "Watch", Impatient)
    for out in (None, tmp_path / "run"):
        with pytest.raises(motet.Interrupted, match="stopped after round 1 of 5"):
            motet.run(data, out=out, **{**SMALL, "rounds": 5})
    assert (tmp_path / "run" / "checkpoint-0000001.safetensors").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_a_thread(data: motet.Dataset) -> None:
    found: list[motet.Run] = []
    thread = threading.Thread(target=lambda: found.append(motet.run(data, **SMALL)))
    thread.start()
    thread.join()
    assert same(found[0], motet.run(data, **SMALL))


def test_a_run_leaves_the_number_of_threads_and_the_random_state(data: motet.Dataset) -> None:
    import torch

    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    motet.run(data, **{**SMALL, "threads": before + 1})
    assert torch.get_num_threads() == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_progress_may_be_shown(data: motet.Dataset, capfd: pytest.CaptureFixture[str]) -> None:
    assert same(motet.run(data, progress=True, **SMALL), motet.run(data, **SMALL))
    assert capfd.readouterr().out == ""


def test_a_combination() -> None:
    changed = motet.recipe("partial").but(missing="zero", upload="q8")
    settings = {**SMALL, "rounds": 1, "clients": 3, "missing_rate": 0.5}
    result = motet.run("digits", recipe=changed, **settings)
    assert (result.recipe["missing"], result.recipe["degraded"], result.recipe["upload"]) == ("zero", "drop", "q8")
    by_hand = motet.run("digits", recipe="partial", missing="zero", upload="q8", **settings)
    assert same(result, by_hand)
    over = motet.run("digits", recipe=changed, upload="dense", **settings)
    assert over.recipe["upload"] == "dense"
    assert motet.recipe("partial").choices == {"missing": "skip", "degraded": "drop"}


def test_what_is_no_recipe() -> None:
    with pytest.raises(motet.InputError, match="did you mean 'pmm'"):
        motet.recipe("pm")
    with pytest.raises(motet.InputError, match="unknown choice of a recipe 'mising': did you mean 'missing'"):
        motet.recipe("pmm").but(mising="skip")
    with pytest.raises(motet.InputError, match="'skp'"):
        motet.run("digits", recipe=motet.recipe("pmm").but(missing="skp"))


def test_a_comparison(data: motet.Dataset) -> None:
    own = motet.Recipe("own", "skips", "here", {"missing": "skip"})
    settings = {**SMALL, "missing_rate": 0.5, "degraded_rate": 0.5}
    found = motet.compare(data, recipes=["partial", own], seeds=2, **settings)
    assert (found.recipes, found.seeds) == (["partial", "own"], [0, 1])
    assert [row.recipe for row in found.summary] == ["partial", "own"]
    assert [(pair.recipe, pair.against) for pair in found.paired] == [("own", "partial")]
    assert [(run.recipe["name"], run.seed) for run in found.runs] == [
        ("partial", 0), ("partial", 1), ("own", 0), ("own", 1)
    ]  # fmt: skip
    assert same(found.runs[3], motet.run(data, recipe=own, seed=1, **settings))
    assert [line.missing for line in found.runs[0].history] == [line.missing for line in found.runs[2].history]
    assert json.loads(to_json(found))["config"]["missing_rate"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"recipes": ["qqr", motet.recipe("qqr").but(missing="skip")]}, "must differ in name: qqr, qqr"),
        ({"recipes": ["fedavg", "qqrr"]}, "did you mean 'qqr'"),
        ({"recipes": ["qqr"], "round": 2}, "did you mean 'rounds'"),
        ({"recipes": ["qqr"], "seeds": 0}, "at least one recipe and one seed"),
        ({"recipes": []}, "at least one recipe and one seed"),
    ],
)
def test_what_cannot_be_compared(
    data: motet.Dataset, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(api, "run_rounds", lambda *_, **__: pytest.fail("a run was begun"))
    with pytest.raises(motet.InputError, match=words):
        motet.compare(data, **{"rounds": 1, **arguments})


def test_what_modalities_are_worth(data: motet.Dataset, tmp_path: Path) -> None:
    settings = {**SMALL, "data": "wearables", "clients": 2, "recipe": "qqr", "missing_rate": 0.5}
    result = motet.run(out=tmp_path / "run", **settings)
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    found = motet.worth(result)
    assert sum(found.overall.worth.values()) == pytest.approx(result.final.accuracy - found.chance)
    assert motet.worth(tmp_path / "run") == motet.worth(str(tmp_path / "run")) == found
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before
    assert motet.worth(motet.run(data, **SMALL)).by_client


def test_what_is_worth_nothing(data: motet.Dataset, tmp_path: Path) -> None:
    with pytest.raises(motet.InputError, match=r"give what motet\.run returned"):
        motet.worth(Result.model_validate_json(to_json(motet.run(data, **SMALL))))
    with pytest.raises(motet.InputError, match="no finished run"):
        motet.worth(tmp_path)


def test_what_messages_give_away(data: motet.Dataset, tmp_path: Path) -> None:
    settings = {**SMALL, "data": "wearables", "clients": 2, "recipe": "qqr", "missing_rate": 0.5}
    result = motet.run(out=tmp_path / "run", **settings)
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    found = motet.audit(result, clients=2, steps=2)
    assert motet.audit(tmp_path / "run", clients=2, steps=2) == found
    assert (len(found.clients), found.steps) == (2, 2)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before
    with pytest.raises(motet.InputError, match="at least one client and one step"):
        motet.audit(result, steps=0)
    with pytest.raises(motet.InputError, match=r"give what motet\.run returned"):
        motet.audit(Result.model_validate_json(to_json(result)))
