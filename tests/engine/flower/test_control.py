"""How Flower's own command is called."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flwr", reason="needs the extra flower")

from motet.engine.flower.control import CONNECTION, Control


def test_a_folder_of_the_connection_s_name_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / CONNECTION).mkdir()
    (tmp_path / "node.pub").touch()
    monkeypatch.chdir(tmp_path)
    called: dict[str, Any] = {}

    def run(command: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        called.update(settings, command=command)
        return subprocess.CompletedProcess(command, 0, '{"success": true}', "")

    monkeypatch.setattr(subprocess, "run", run)
    Control(Path("flwr"), "127.0.0.1:8000").register(Path("node.pub"), "node")
    where = Path(called["cwd"])
    assert CONNECTION in called["command"]
    assert not (where / CONNECTION).exists()
    assert (Path(called["env"]["FLWR_HOME"]) / "config.toml").is_file()
    assert Path(called["env"]["FLWR_HOME"]).is_absolute()
    assert str(tmp_path / "node.pub") in called["command"]
