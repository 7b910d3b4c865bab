"""Certificates that devices accept for the right hosts alone, and keys that nobody overwrites or reads."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="needs the extra flower")

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from motet.engine.flower import keys
from motet.engine.flower.keys import Certificates, make_certificates, make_node_key
from motet.errors import InputError


def handshake(server: Certificates, ca: Path, host: str) -> None:
    """Connect to a server of these certificates as one that trusts `ca` and looks for `host`."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(server.certificate, server.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            link, _ = listening.accept()
            with link, suppress(OSError):  # the client may hang up, and says why itself
                ours.wrap_socket(link, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        theirs = ssl.create_default_context(cafile=str(ca))
        theirs.verify_flags |= ssl.VERIFY_X509_STRICT  # the default of later Pythons
        try:
            with socket.create_connection(listening.getsockname(), timeout=10) as link:
                theirs.wrap_socket(link, server_hostname=host).close()
        finally:
            thread.join(10)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("keys"), ["fleet.example.org", "10.0.0.5", "fd00::5"])


@pytest.mark.parametrize("host", ["fleet.example.org", "10.0.0.5", "fd00::5", "localhost", "127.0.0.1", "::1"])
def test_a_device_accepts_the_server(fleet: Certificates, host: str) -> None:
    handshake(fleet, fleet.ca, host)


@pytest.mark.parametrize("host", ["other.example.org", "10.0.0.6"])
def test_a_device_refuses_another_host(fleet: Certificates, host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"[Hh]ostname|IP address"):
        handshake(fleet, fleet.ca, host)


def test_a_device_refuses_another_authority(fleet: Certificates, tmp_path: Path) -> None:
    other = make_certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(fleet, other.ca, "localhost")


def test_the_certificate_signs_no_other(fleet: Certificates) -> None:
    certificate = x509.load_pem_x509_certificate(fleet.certificate.read_bytes())
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(days=731)


def test_private_files_are_their_owners(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "new" / "folder")
    key = make_node_key(tmp_path / "new" / "folder", "watch-1")
    for path in (made.key, made.ca.with_name("ca.key"), key.private):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(made.ca.parent.glob(".*"))


def test_again_changes_nothing_and_a_new_key_joins_the_old(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["10.0.0.5"])
    make_node_key(tmp_path, "a")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    make_certificates(tmp_path, ["10.0.0.5"])
    make_node_key(tmp_path, "a")
    make_node_key(tmp_path, "b")
    after = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.items() <= after.items()
    assert {path.name for path in after.keys() - before.keys()} == {"b.key", "b.pub"}


def test_renewed_by_the_same_authority(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    ca = made.ca.read_bytes()
    with pytest.raises(InputError, match=r"does not name 10.0.0.5: remove server.crt and server.key"):
        make_certificates(tmp_path, ["10.0.0.5"])
    made.certificate.unlink()
    made.key.unlink()
    make_certificates(tmp_path, ["10.0.0.5"])
    assert made.ca.read_bytes() == ca
    handshake(made, made.ca, "10.0.0.5")


def test_without_the_authoritys_key_the_server_goes_on(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    (tmp_path / "ca.key").unlink()
    assert make_certificates(tmp_path) == made
    made.certificate.unlink()
    made.key.unlink()
    with pytest.raises(InputError, match=r"ca.key: is missing"):
        make_certificates(tmp_path)


def test_an_authority_of_two_halves_is_refused(tmp_path: Path) -> None:
    make_certificates(tmp_path / "one")
    make_certificates(tmp_path / "two")
    (tmp_path / "one" / "ca.key").write_bytes((tmp_path / "two" / "ca.key").read_bytes())
    (tmp_path / "one" / "server.crt").unlink()
    with pytest.raises(InputError, match="do not belong together"):
        make_certificates(tmp_path / "one")


def test_what_is_over_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "SERVER_DAYS", 0)
    with pytest.raises(InputError, match="was valid until"):
        make_certificates(tmp_path)


@pytest.mark.parametrize(
    "host", ["http://a.b", "a.b:8000", "", "a b", "1.2.3", "-a", "0.0.0.0", "::", "[::1]", "ä.org"]
)
def test_no_host(tmp_path: Path, host: str) -> None:
    with pytest.raises(InputError):
        make_certificates(tmp_path, [host])
    assert not list(tmp_path.iterdir())


def test_a_node_key_is_what_flower_reads(tmp_path: Path) -> None:
    made = make_node_key(tmp_path, "watch-1")
    private = serialization.load_ssh_private_key(made.private.read_bytes(), None)
    public = serialization.load_ssh_public_key(made.public.read_bytes())
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.public_key() == public


def test_the_public_half_can_be_made_again(tmp_path: Path) -> None:
    made = make_node_key(tmp_path, "a")
    public = made.public.read_bytes()
    made.public.unlink()
    make_node_key(tmp_path, "a")
    assert made.public.read_bytes() == public
    made.private.unlink()
    with pytest.raises(InputError, match=r"a.key: is missing and belongs to a.pub"):
        make_node_key(tmp_path, "a")


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".a", "a b", "ca", "server"])
def test_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        make_node_key(tmp_path, name)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        make_certificates(tmp_path / "file")
