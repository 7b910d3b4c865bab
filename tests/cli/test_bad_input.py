"""Input that is wrong: one sentence that says what and how to mend it, exit status 2, and nothing is changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import COMMAND, ENVIRONMENT, SMALL, Here, archive, content, gestures, motet, refused

from motet.data.archive import save

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        # names
        ("--recipe qqrr", ("unknown recipe 'qqrr'", "did you mean 'qqr'")),
        ("--recipe zzz", ("unknown recipe 'zzz'", "choose one of", "fedavg")),
        ("--data wearable", ("unknown data set 'wearable'", "did you mean 'wearables'")),
        ("--data ucihar.npy", ("ucihar.npy", "no such file")),
        ("--encoder convv", ("unknown encoder 'convv'", "did you mean 'conv'")),
        ("--encoder gyroo=conv", ("gyroo", "did you mean 'gyro'")),
        ("--encoder acc=convv", ("'convv'", "did you mean 'conv'")),
        ("--modalities acc,gyrro", ("gyrro", "did you mean 'gyro'")),
        ("--noise gyrro=1", ("--noise", "did you mean 'gyro'")),
        ("--test-missing gyrro", ("--test-missing", "did you mean 'gyro'")),
        ("--missing-modality gyrro --missing-rate 0.5", ("--missing-modality", "did you mean 'gyro'")),
        ("--degraded-modality gyrro --degraded-rate 0.5", ("--degraded-modality", "did you mean 'gyro'")),
        ("--degradation nois --degraded-rate 0.5", ("unknown degradation 'nois'", "did you mean 'noise'")),
        ("--test-degradation spike", ("unknown degradation 'spike'", "did you mean 'spikes'")),
        ("--objective lat", ("--objective", "did you mean 'late'")),
        ("--missing skipp", ("--missing", "did you mean 'skip'")),
        ("--missing prototype:matsch=soft", ("--missing prototype", "did you mean 'match'")),
        ("--missing skip:by=1", ("--missing skip", "takes no parameters")),
        ("--degraded dropp", ("--degraded", "did you mean 'drop'")),
        ("--drift proximal:nu=1", ("--drift proximal", "mu")),
        ("--drift proximal:mu=big", ("--drift proximal:mu=big", "number")),
        ("--drift proximal:0.1", ("--drift proximal:0.1", "name=value")),
        ("--drift none --proximal 0.1", ("--proximal", "--drift")),
        ("--aggregate means", ("--aggregate", "did you mean 'mean'")),
        ("--upload q99", ("--upload", "'q99'")),
        ("--upload denze", ("--upload", "did you mean 'dense'?")),
        ("--weights sample", ("--weights", "did you mean 'samples'")),
        ("--flags oracl", ("--flags", "did you mean 'oracle'")),
        ("--partition iidd", ("--partition", "did you mean 'iid'")),
        ("--optimizer adm", ("--optimizer", "did you mean 'adam'")),
        ("--order tim", ("--order", "did you mean 'time'")),
        ("--engine loops", ("--engine", "did you mean 'loop'")),
        ("--device cpuu", ("device 'cpuu'", "did you mean 'cpu'")),
        ("--dtype float16", ("--dtype", "float32")),
        ("--missing-pattern burst", ("--missing-pattern", "did you mean 'bursty'")),
        ("--missing-granularity rounds", ("--missing-granularity", "did you mean 'round'")),
        # types
        ("--rounds many", ("--rounds", "valid integer", "'many'")),
        ("--rounds 2.5", ("--rounds", "valid integer", "'2.5'")),
        ("--lr fast", ("--lr", "valid number", "'fast'")),
        ("--noise 0.5", ("--noise", "modality=number")),
        ("--impaired maybe", ("--impaired", "'maybe'")),
        ("--buffer some", ("--buffer", "'all'", "'some'")),
        # ranges
        ("--missing-rate 1.01", ("--missing-rate", "1.01")),
        ("--missing-rate -0.1", ("--missing-rate", "-0.1")),
        ("--missing-rate nan", ("--missing-rate", "nan")),
        ("--degraded-rate 2", ("--degraded-rate", "'2'")),
        ("--missing-bias 1.5", ("--missing-bias", "1.5")),
        ("--missing-length 0.5", ("--missing-length", "0.5")),
        ("--participation 0", ("--participation", "'0'")),
        ("--participation 1.1", ("--participation", "1.1")),
        ("--momentum 1", ("--momentum", "'1'")),
        ("--lr 0", ("--lr", "greater than 0")),
        ("--lr inf", ("--lr", "finite")),
        ("--lr-decay 1.1", ("--lr-decay", "1.1")),
        ("--rounds 0", ("--rounds", "'0'")),
        ("--batch-size 0", ("--batch-size", "'0'")),
        ("--features -3", ("--features", "'-3'")),
        ("--clients 0", ("--clients", "'0'")),
        ("--buffer 0", ("--buffer", "at least 1", "not 0")),
        ("--buffer -5", ("--buffer", "at least 1", "not -5")),
        ("--seed -1", ("--seed", "'-1'")),
        ("--seed 9223372036854775808", ("--seed", "9223372036854775808")),
        ("--threads 0", ("--threads", "'0'")),
        ("--evaluate-every 0", ("--evaluate-every", "'0'")),
        ("--alpha 0", ("--alpha", "'0'")),
        ("--noise acc=-1", ("--noise", "-1")),
        ("--prototype-bits 33", ("--prototype-bits", "33")),
        # what does not go together
        ("--buffer 10 --arrivals 11", ("--arrivals 11", "--buffer 10")),
        ("--test-missing acc,gyro,heart", ("--test-missing", "leave at least one")),
        ("--modalities ,", ("no modality", "acc")),
        ("--clients 100000 --data digits", ("--clients 100000", "training samples of digits")),
        ("--partition natural --data digits", ("digits does not say", "--partition")),
        ("--data digits --degraded-rate 0.5 --degradation spikes", ("spikes", "of kind vector", "use one of noise")),
        ("--missing-rate 0.9 --missing-pattern bursty --missing-length 1", ("burst",)),
        # the parser's own complaints
        ("--lrr 0.1", ("unknown option '--lrr': did you mean '--lr'?",)),
        ("--mising-rate 0.1", ("did you mean '--missing-rate'?",)),
        ("--hepl", ("did you mean '--help'?",)),
        ("--zzzzz", ("unknown option '--zzzzz': see `motet run --help`",)),
        ("own.toml other.toml", ("unexpected extra argument",)),
    ],
)
def test_options_are_refused(here: Here, tmp_path: Path, options: str, words: tuple[str, ...]) -> None:
    refused(here("run", *options.split(), "--out", tmp_path / "run"), *words)
    assert content(tmp_path) == {}


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a CUDA device")
def test_no_cuda_here(here: Here, tmp_path: Path) -> None:
    refused(here("run", "--device", "cuda", "--out", tmp_path / "run"), "--device cpu")
    assert content(tmp_path) == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rn",), ("unknown command 'rn': did you mean 'run'?",)),
        (("zzz",), ("unknown command 'zzz': choose one of: audit, ",)),
        ((), ("no command is given",)),
        (("data",), ("no command is given",)),
        (("data", "lst"), ("unknown command 'lst': did you mean 'list'?",)),
        (("resume",), ("missing argument 'DIR': see `motet resume --help`",)),
        (("report",), ("DIR",)),
        (("data", "info", "wearable"), ("did you mean 'wearables'",)),
        (("compare", "--recipes", "fedavg,qqrr"), ("unknown recipe 'qqrr'", "did you mean 'qqr'")),
        (("compare", "--recipes", ","), ("--recipes", "at least one")),
        (("compare", "--recipes", "qqr,qqr"), ("--recipes", "twice")),
        (("run", "--rounds"), ("--rounds", "requires an argument")),
        (("compare", "--seeds", "0"), ("invalid value for '--seeds': 0 ", "see `motet compare --help`")),
        (("compare", "--seeds", "few"), ("--seeds", "few")),
        (("compare", "--recipe", "qqr"), ("unknown option '--recipe': did you mean '--recipes'?",)),
        (("compare", "--modalities", "accc"), ("did you mean 'acc'",)),
        (("compare", "--missing-modality", "accc"), ("did you mean 'acc'",)),
        (("compare", "--missing-rate", "7"), ("--missing-rate", "'7'")),
        (("study", "skew", "--preset", "smal"), ("did you mean 'small'?",)),
        (("study", "skw"), ("did you mean 'skew'?",)),
    ],
)
def test_commands_are_refused(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(here(*arguments), *words)
    assert content(tmp_path) == {}


def test_a_file_that_is_not_there_is_answered_with_the_nearest(here: Here, data: Path, tmp_path: Path) -> None:
    archive(tmp_path / "gestures.npz")
    ran = here("run", "--data", tmp_path / "gesture.npz", "--out", tmp_path / "run")
    refused(ran, "there is no such file", f"did you mean '{tmp_path / 'gestures.npz'}'?")


def test_as_a_process(tmp_path: Path) -> None:
    ran = motet("run", "--recipe", "qqrr", cwd=tmp_path)
    refused(ran, "did you mean 'qqr'")
    assert ran.out == ""
    assert content(tmp_path) == {}


def without(m: str, **changes: Any) -> dict[str, Any]:
    """Say that one modality is absent from every training sample."""
    return {"present": {m: gestures().split == 2}, **changes}


def test_a_modality_that_no_client_has(here: Here, tmp_path: Path) -> None:
    data = archive(tmp_path / "gestures.npz", **without("body"))
    out = tmp_path / "run"
    refused(here("run", "--data", data, *SMALL, "--out", out), "no client has body", "--modalities move")
    refused(here("compare", "--data", data, *SMALL, "--out", out), "no client has body", "--modalities move")
    assert not out.exists()
    assert here("run", "--data", data, *SMALL, "--modalities", "move", "--quiet", "--out", out).status == 0


def test_a_modality_that_only_a_client_left_out_has(here: Here, tmp_path: Path) -> None:
    whole = gestures()
    assert whole.client is not None
    data = archive(tmp_path / "gestures.npz", present={"body": whole.client == 3})
    refused(here("run", "--data", data, *SMALL, "--clients", "3", "--out", tmp_path / "run"), "no client has body")
    assert here("run", "--data", data, *SMALL, "--clients", "4", "--quiet", "--out", tmp_path / "run").status == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_in_an_archive(here: Here, data: Path, tmp_path: Path, value: float) -> None:
    arrays = dict(np.load(data))
    arrays["x.move"] = arrays["x.move"].astype(np.float32)
    arrays["x.move"][3, 0, 2] = value
    np.savez(tmp_path / "broken.npz", **arrays)
    ran = here("run", "--data", tmp_path / "broken.npz", *SMALL, "--out", tmp_path / "run")
    refused(ran, "broken.npz", "x.move", "NaN")
    assert set(content(tmp_path)) == {"broken.npz"}


def test_a_damaged_archive(here: Here, data: Path, tmp_path: Path) -> None:
    whole = data.read_bytes()
    for name, text in {"cut.npz": whole[: len(whole) // 2], "text.npz": b"no archive", "empty.npz": b""}.items():
        (tmp_path / name).write_bytes(text)
        refused(here("run", "--data", tmp_path / name, *SMALL, "--out", tmp_path / "run"), name)
    assert not (tmp_path / "run").exists()


def test_more_clients_than_people(here: Here, data: Path, tmp_path: Path) -> None:
    ran = here("run", "--data", data, *SMALL, "--clients", "5", "--out", tmp_path / "run")
    refused(ran, "--clients 5", "4 clients", "at most 4", "--partition")
    assert content(tmp_path) == {}


def test_a_folder_with_something_in_it(here: Here, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "thesis.tex").write_text("at last")
    before = content(tmp_path)
    for command in ("run", "compare"):
        refused(here(command, "--data", data, *SMALL, "--out", out), "thesis is not empty (thesis.tex)", "--out")
        assert content(tmp_path) == before


def test_out_is_no_folder(here: Here, data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    before = content(tmp_path)
    for command in ("run", "compare"):
        refused(here(command, "--data", data, *SMALL, "--out", tmp_path / "file"), "file is a file", "--out")
        ran = here(command, "--data", data, *SMALL, "--out", tmp_path / "file" / "run")
        refused(ran, "cannot be written to", "Not a directory", "--out")
    assert content(tmp_path) == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, where no folder can be made")
def test_out_cannot_be_made(here: Here, data: Path) -> None:
    for command in ("run", "compare"):
        refused(here(command, "--data", data, *SMALL, "--out", "/proc/motet"), "/proc/motet cannot be written to")


def test_an_empty_folder_is_taken(here: Here, data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert here("run", "--data", data, *SMALL, "--quiet", "--out", tmp_path / "run").status == 0


def test_a_run_is_no_place_for_a_comparison_nor_the_other_way(here: Here, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert here("run", "--data", data, *SMALL, "--quiet", "--out", run).status == 0
    plan = tmp_path / "comparison"
    plan.mkdir()
    (plan / "plan.json").write_text("{}")
    before = content(tmp_path)
    for command in ("run", "compare"):
        for out in (run, plan):
            refused(here(command, "--data", data, *SMALL, "--out", out), f"motet resume {out}")
    assert content(tmp_path) == before


def a_run(here: Here, data: Path, out: Path) -> Path:
    """Make a run that has a checkpoint and no result."""
    assert here("run", "--data", data, *SMALL, "--quiet", "--out", out).status == 0
    (out / "result.json").unlink()
    return out


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rounds": "many"}', '{"round": 3}', "\x00\x01"])
def test_a_damaged_config(here: Here, data: Path, tmp_path: Path, text: str) -> None:
    out = a_run(here, data, tmp_path / "run")
    (out / "config.json").write_text(text)
    before = content(out)
    refused(here("resume", out), "config.json" if not text.startswith('{"') else "round")
    assert content(out) == before


def test_a_damaged_result(here: Here, data: Path, tmp_path: Path) -> None:
    out = a_run(here, data, tmp_path / "run")
    (out / "result.json").write_text('{"format": "motet-result/1"}')
    before = content(out)
    refused(here("report", out), "result.json", "no result of this version")
    assert content(out) == before


@pytest.mark.parametrize("text", ["", "{}", '{"recipes": 3, "seeds": 1, "given": {}}', '{"recipes": ["qqr"]}', "[1]"])
def test_a_damaged_plan(here: Here, tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    refused(here("resume", tmp_path), "plan.json is damaged")
    assert set(content(tmp_path)) <= {"plan.json", "lock"}
    refused(here("report", tmp_path), "no finished comparison", "motet resume")


def test_the_history_lacks_rounds(here: Here, data: Path, tmp_path: Path) -> None:
    out = a_run(here, data, tmp_path / "run")
    for text in (None, "", "{}"):
        (out / "history.jsonl").unlink(missing_ok=True)
        if text is not None:
            (out / "history.jsonl").write_text(text)
        before = content(out)
        refused(here("resume", out), "history.jsonl lacks rounds")
        assert content(out) == before


def test_other_data_than_the_run_began_with(here: Here, tmp_path: Path) -> None:
    data = archive(tmp_path / "gestures.npz")
    out = a_run(here, data, tmp_path / "run")
    changed = gestures()
    for other in (gestures(seed=1), gestures(y=1 - changed.y), gestures(client=np.arange(96) % 4)):
        save(other, data)
        before = content(out)
        refused(here("resume", out), "data are not those that the run began with")
        assert content(out) == before
    archive(data)
    assert here("resume", out, "--quiet").status == 0


LOCKED = """
import sys, time
from pathlib import Path
from motet.record.folder import take_lock
take_lock(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(600)
"""


def test_a_folder_in_use(here: Here, data: Path, tmp_path: Path) -> None:
    run = a_run(here, data, tmp_path / "run")
    plan = tmp_path / "comparison"
    plan.mkdir()
    (plan / "plan.json").write_text(json.dumps({"recipes": ["qqr"], "seeds": 1, "given": {"data": str(data)}}))
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, command in ((run, "resume"), (plan, "resume"), (empty, "run"), (empty, "compare")):
        other = subprocess.Popen([sys.executable, "-c", LOCKED, str(folder)], stdout=subprocess.PIPE, text=True)
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "locked\n"
            before = content(folder)
            where = [folder] if command == "resume" else ["--data", data, *SMALL, "--out", folder]
            refused(here(command, *where), f"{folder} is in use by another run", "wait for it")
            assert content(folder) == before
        finally:
            other.kill()
            other.wait()
    assert here("resume", run, "--quiet").status == 0  # the lock of a dead process is none


def test_an_old_lock_file_does_not_matter(here: Here, data: Path, tmp_path: Path) -> None:
    run = a_run(here, data, tmp_path / "run")
    (run / "lock").write_text(f"{os.getpid()}\n")
    assert here("resume", run, "--quiet").status == 0
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "lock").write_text("1")
    assert here("run", "--data", data, *SMALL, "--quiet", "--out", tmp_path / "new").status == 0


def test_what_a_killed_process_was_writing_does_not_matter(here: Here, data: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    (new / ".config.json.4711.tmp").write_text('{"rounds"')
    assert here("run", "--data", data, *SMALL, "--quiet", "--out", new).status == 0
    run = a_run(here, data, tmp_path / "run")
    (run / ".checkpoint-0000002.safetensors.4711.tmp").write_bytes(b"half")
    assert here("resume", run, "--quiet").status == 0
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    command = subprocess.Popen(
        [*COMMAND, "recipes", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, cwd=tmp_path
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    assert command.stderr.read() == b""
    assert command.wait(120) in (0, 1)
    command.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "recipes"], stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "disk is full" in done.stderr
