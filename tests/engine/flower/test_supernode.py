"""What a device refuses before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="needs the extra flower")

from motet.engine.flower.supernode import SuperNode
from motet.errors import InputError


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
