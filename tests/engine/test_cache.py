"""Runs that are kept by what they are."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from people import configured, people

from motet.config import Config
from motet.data.archive import save
from motet.engine import cache, pool
from motet.engine.cache import TRAINING, Work, carry_out, do_once, name_of
from motet.engine.run import run
from motet.engine.watch import Watch
from motet.errors import InputError, Interrupted
from motet.record.folder import RunFolder
from motet.record.result import Result


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return an archive of a few people."""
    path = tmp_path / "people.npz"
    save(people(), path)
    return path


def config_of(archive: Path, **settings: object) -> Config:
    return configured(data=str(archive), **settings)


def test_a_name_is_that_of_the_content(archive: Path, tmp_path: Path) -> None:
    same = tmp_path / "elsewhere.npz"
    same.write_bytes(archive.read_bytes())
    other = tmp_path / "other.npz"
    save(people(seed=1), other)
    name = name_of(TRAINING, config_of(archive))
    assert name_of(TRAINING, config_of(same)) == name
    assert name_of(TRAINING, config_of(other)) != name
    assert name_of(TRAINING, config_of(archive, lr=0.06)) != name
    assert name_of(TRAINING, config_of(archive, seed=1)) != name


def test_data_that_change_under_the_same_path_are_other_data(archive: Path) -> None:
    name = name_of(TRAINING, config_of(archive))
    save(people(seed=1), archive)
    assert name_of(TRAINING, config_of(archive)) != name


def test_a_run_is_carried_out_once(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, configs = tmp_path / "kept", [config_of(archive, seed=seed) for seed in (0, 1, 0)]
    first = carry_out(TRAINING, configs, kept, Watch())
    assert [result.seed for result in first] == [0, 1, 0]
    assert first[0] == first[2]
    assert not [path for path in kept.iterdir() if path.is_dir()], "no folder is left"
    assert len(list(kept.glob("*.json"))) == 2

    def not_again(*_: object) -> None:
        raise AssertionError("it is there already")

    monkeypatch.setattr(cache, "run_all", not_again)
    assert carry_out(TRAINING, configs, kept, Watch()) == first


def test_a_kept_run_is_the_run(archive: Path, tmp_path: Path) -> None:
    config = config_of(archive)
    [kept] = carry_out(TRAINING, [config], tmp_path / "kept", Watch())
    alone = run(config, people()).result
    assert kept.history == alone.history
    assert kept.tail == alone.tail


class Impatient(Watch):
    """Stops a run after its first round."""

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        raise Interrupted("enough")


def test_a_run_that_was_stopped_goes_on(archive: Path, tmp_path: Path) -> None:
    config, path = config_of(archive), tmp_path / "kept"
    with pytest.raises(Interrupted):
        do_once(TRAINING, config, path, Impatient())
    opened = RunFolder.open(path)
    begun = opened.history()
    opened.close()
    result = do_once(TRAINING, config, path, Watch())
    assert result.history[: len(begun)] == begun
    assert result.history == run(config, people()).result.history
    assert not path.exists()


def test_a_record_that_cannot_be_read_is_made_again(archive: Path, tmp_path: Path) -> None:
    config, kept = config_of(archive), tmp_path / "kept"
    first = carry_out(TRAINING, [config], kept, Watch())
    [record] = kept.glob("*.json")
    record.write_bytes(record.read_bytes()[:100])
    assert carry_out(TRAINING, [config], kept, Watch())[0].history == first[0].history


def test_who_comes_second_waits_and_reads(archive: Path, tmp_path: Path) -> None:
    config, kept = config_of(archive).but(threads=1), tmp_path / "kept"
    kept.mkdir()
    path, done = kept / name_of(TRAINING, config), []
    threads = [threading.Thread(target=lambda: done.append(do_once(counted, config, path, Watch()))) for _ in range(2)]
    calls: list[Path] = []

    def slowly(config: Config, path: Path, watch: Watch) -> Result:
        calls.append(path)
        time.sleep(0.5)
        return first[0]

    first = carry_out(TRAINING, [config], tmp_path / "elsewhere", Watch())
    counted = Work(slowly, Result)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert done == [first[0], first[0]]


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written to"):
        cache.make(tmp_path / "file" / "kept")


def test_jobs_that_are_the_same_are_one(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    before = pool.run_all

    def counted(jobs: list[pool.Job], *rest: Any) -> object:
        seen.extend(jobs)
        return before(jobs, *rest)

    monkeypatch.setattr(cache, "run_all", counted)
    carry_out(TRAINING, [config_of(archive)] * 3, tmp_path / "kept", Watch())
    assert len(seen) == 1
