"""What a device refuses before it starts."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="needs the extra flower")

from motet.engine.flower import supernode
from motet.engine.flower.supernode import SuperNode
from motet.errors import InputError, Interrupted


@pytest.mark.parametrize("address", ["", "fleet", "fleet:", "https://fleet:8000", "fleet:8000/", "::1:8000", "a b:1"])
def test_no_address(tmp_path: Path, address: str) -> None:
    with pytest.raises(InputError, match="host:port"):
        SuperNode(tmp_path, address)


@pytest.mark.parametrize("address", ["10.0.0.5:8000", "fleet.example.org:8000", "[fd00::1]:8000"])
def test_nobody_far_away_is_believed_without_a_certificate(tmp_path: Path, address: str) -> None:
    with pytest.raises(InputError, match=r"give that file"):
        SuperNode(tmp_path, address)


def test_on_the_same_machine_it_is(tmp_path: Path) -> None:
    for address in ("127.0.0.1:8000", "localhost:8000", "[::1]:8000"):
        assert not SuperNode(tmp_path, address).running


def test_a_key_needs_encryption(tmp_path: Path) -> None:
    (tmp_path / "a.key").touch()
    with pytest.raises(InputError, match="encrypted"):
        SuperNode(tmp_path, "127.0.0.1:8000", key=tmp_path / "a.key")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ca.crt: is not there"):
        SuperNode(tmp_path, "127.0.0.1:8000", ca=tmp_path / "ca.crt")
    (tmp_path / "ca.crt").touch()
    with pytest.raises(InputError, match=r"a.key: is not there"):
        SuperNode(tmp_path, "127.0.0.1:8000", ca=tmp_path / "ca.crt", key=tmp_path / "a.key")


class Refused:
    """Flower's process of a device whose key the server does not know."""

    status = 1

    def __init__(self, *_: object) -> None:
        type(self).begun += 1

    begun = 0

    def said(self) -> str:
        """Return what it said."""
        return "[code: 2004] Failed to activate SuperNode."

    def stop(self) -> None:
        """End it."""


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> type[Refused]:
    Refused.begun = 0
    for name, value in {"Process": Refused, "FORGOTTEN_S": 0.5, "_AGAIN_S": 0.1}.items():
        monkeypatch.setattr(supernode, name, value)
    return Refused


def test_a_key_that_the_server_does_not_know(tmp_path: Path, refused: type[Refused]) -> None:
    with pytest.raises(InputError, match="does not know the key"):
        SuperNode(tmp_path, "127.0.0.1:8000").start()
    assert refused.begun == 1


def test_who_waits_for_a_server_waits_for_it_to_be_told_of_the_key(
    tmp_path: Path, refused: type[Refused], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("motet"), "propagate", True)
    with pytest.raises(InputError, match="does not know the key"):
        SuperNode(tmp_path, "127.0.0.1:8000").start(within_s=None)
    assert refused.begun > 2
    assert [record.message.endswith("(it is asked again for 0.5 s)") for record in caplog.records] == [True]


def test_who_waits_can_be_stopped(tmp_path: Path, refused: type[Refused]) -> None:
    def check() -> None:
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        SuperNode(tmp_path, "127.0.0.1:8000").start(within_s=None, check=check)
    assert refused.begun == 1
