"""What a SuperLink refuses before it starts, and how it says that it could not."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="needs the extra flower")

from motet.engine.flower import processes, superlink
from motet.engine.flower.keys import make_certificates
from motet.engine.flower.processes import descendants, free_port
from motet.engine.flower.superlink import SuperLink
from motet.errors import InputError, MotetError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "fleet.example.org", ""])
def test_beyond_the_machine_only_with_certificates(tmp_path: Path, host: str) -> None:
    with pytest.raises(InputError, match="without certificates"):
        SuperLink(tmp_path, host)
    assert not list(tmp_path.iterdir())


def test_with_certificates_it_may_listen_everywhere(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "keys")
    assert SuperLink(tmp_path / "a", "0.0.0.0", 8000, made).address == "127.0.0.1:8000"
    assert SuperLink(tmp_path / "b", "::", 8000, made).address == "[::1]:8000"


def test_a_port_in_use(tmp_path: Path, taken: int) -> None:
    with pytest.raises(InputError, match=rf"port {taken} of 127\.0\.0\.1 is in use"):
        SuperLink(tmp_path, port=taken).start()
    assert not (tmp_path / "superlink.log").exists()


def test_a_port_that_a_killed_server_is_about_to_leave(
    tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state.db").touch()
    monkeypatch.setattr(superlink, "FREED_S", 0.6)
    began = time.monotonic()
    with pytest.raises(InputError, match="is in use"):
        SuperLink(tmp_path, port=taken).start()
    assert time.monotonic() - began >= 0.6

    def left(link: SuperLink) -> None:
        if time.monotonic() - began < 1.2:
            raise InputError("in use")
        raise MotetError("it has left")

    monkeypatch.setattr(superlink, "FREED_S", 5.0)
    monkeypatch.setattr(SuperLink, "_check_port", left)
    with pytest.raises(MotetError, match="it has left"):
        SuperLink(tmp_path, port=taken).start()


def test_a_port_that_is_taken_at_the_last_moment(tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SuperLink, "_check_port", lambda self: None)
    monkeypatch.setattr(SuperLink, "_answers", lambda self: False)
    with pytest.raises(InputError, match=rf"port {taken} of 127\.0\.0\.1 is in use"):
        SuperLink(tmp_path, port=taken).start()


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "keys")
    with pytest.raises(InputError, match="cannot be listened on"):
        SuperLink(tmp_path, "192.0.2.1", 8000, made).start()


def test_it_does_not_answer_in_time(tmp_path: Path) -> None:
    others = descendants(os.getpid())  # of earlier tests, such as what looks after processes in a pool
    link = SuperLink(tmp_path, port=free_port())
    with pytest.raises(MotetError, match=r"has not answered within 0\.2 s, and last said: "):
        link.start(within_s=0.2)
    assert not link.running
    assert descendants(os.getpid()) == others


def test_one_without_a_guard_is_stopped(tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else answers there, and not with the guard's refusal."""
    monkeypatch.setattr(SuperLink, "_get", lambda *_: (405, b"method not allowed"))
    link = SuperLink(tmp_path, port=free_port())
    with pytest.raises(MotetError, match="has no guard"):
        link.start()
    assert not link.running


def test_a_certificate_of_another_host(tmp_path: Path) -> None:
    """What a device would refuse is noticed at once."""
    import ssl

    made = make_certificates(tmp_path / "keys")
    link = SuperLink(tmp_path / "link", "127.0.0.1", 0, made)
    link._near = "127.0.0.2"
    with socket.create_server(("127.0.0.2", 0)) as listening:
        link.port = listening.getsockname()[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate, made.key)

        def serve() -> None:
            try:
                context.wrap_socket(listening.accept()[0], server_side=True)
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(InputError, match=r"server.crt: is not what a device would accept of 127\.0\.0\.2"):
            link._answers()
        thread.join(10)


def test_without_flower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.shutil, "which", lambda name, path: None)
    with pytest.raises(InputError, match=r"pip install 'motet\[flower\]'"):
        SuperLink(tmp_path)
