"""Who is who in a fleet: the server's certificate, by which devices know it, and a key for each device."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from motet.errors import InputError
from motet.record.files import write_atomic

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    raise InputError("keys are made with what Flower brings: install it with pip install 'motet[flower]'") from None

CA_DAYS, SERVER_DAYS = 3652, 730
HERE = ("localhost", "127.0.0.1", "::1")
"""Names of the machine itself, in every server's certificate: the server's own processes talk to it as well."""

_SLOW_CLOCK = timedelta(days=1)  # a device's clock may be behind when it meets a certificate that is new
_DNS = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE)


@dataclass(frozen=True)
class Certificates:
    """Where a server's certificates are; devices need `ca`, and `key` must not leave the server."""

    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class NodeKey:
    """Where a device's key is: `private` goes to the device and nowhere else, `public` is registered at the server."""

    private: Path
    public: Path


def make_certificates(folder: Path, hosts: Iterable[str] = ()) -> Certificates:
    """Make a certificate authority (10 years) and a server's certificate (2 years) that it signs.

    What is there already is kept, so the same call again changes nothing, and what is missing is made: to renew the
    server's certificate, or to have it name other hosts, remove ``server.crt`` and ``server.key`` and call again, with
    the ``ca.key`` that is there; devices notice nothing. A new authority needs an empty folder, and its ``ca.crt`` must
    then be brought to every device. Once ``server.crt`` is made, ``ca.key`` is best kept elsewhere until it is needed.

    Parameters
    ----------
    folder : Path
        Made if missing. Gets ``ca.crt``, ``ca.key``, ``server.crt`` and ``server.key``; keys are readable by their
        owner alone.
    hosts : iterable of str
        Names and addresses by which devices reach the server; `HERE` is always among them.

    Returns
    -------
    Certificates

    Raises
    ------
    InputError
        If a host is no name or address, the certificate that is there is over or names other hosts, the authority's
        key is missing, or the folder cannot be written.
    """
    names = [_general_name(host) for host in dict.fromkeys((*HERE, *hosts))]
    found = Certificates(folder / "ca.crt", folder / "server.crt", folder / "server.key")
    with _alone(folder):
        if not (found.ca.exists() and found.certificate.exists() and found.key.exists()):
            authority = _private_key(folder / "ca.key", found.ca, _pem)
            if not found.ca.exists():
                write_atomic(found.ca, _encoded(_ca(authority)))
            ca = _certificate(found.ca)
            if ca.public_key() != authority.public_key():
                raise InputError(f"{folder}: ca.crt and ca.key do not belong together: put back the ones that do")
            key = _private_key(found.key, found.certificate, _pem)
            write_atomic(found.certificate, _encoded(_server(key, names, ca, authority)))
        _check(found, names)
    return found


def make_node_key(folder: Path, name: str) -> NodeKey:
    """Make a device's key, as a SuperNode and ``flwr supernode register`` take it; one that is there is kept.

    Parameters
    ----------
    folder : Path
        Made if missing. Gets ``<name>.key``, readable by its owner alone, and ``<name>.pub``.
    name : str
        Letters, digits, ``.``, ``_`` and ``-``.

    Raises
    ------
    InputError
        If the name is none, only the public half is there, or the folder cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise InputError(f"{name!r} is no name for a device: use letters, digits, '.', '_' and '-'")
    if name in {"ca", "server"}:
        raise InputError(f"{name!r} is the name of a file of the server's certificates: call the device otherwise")
    found = NodeKey(folder / f"{name}.key", folder / f"{name}.pub")
    with _alone(folder):
        key = _private_key(found.private, found.public, _openssh)
        if not found.public.exists():
            public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
            write_atomic(found.public, public + f" {name}\n".encode())
    return found


def _private_key(
    path: Path, other: Path, encode: Callable[[ec.EllipticCurvePrivateKey], bytes]
) -> ec.EllipticCurvePrivateKey:
    """Return the key in a file, which is made before what belongs to it, and so never missing where that is there."""
    if path.exists():
        try:
            content = path.read_bytes()
            load = serialization.load_ssh_private_key if encode is _openssh else serialization.load_pem_private_key
            key = load(content, None)
        except (ValueError, TypeError, OSError) as error:
            raise InputError(
                f"{path}: cannot be read as a key ({error}): put back the right one, or remove it"
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise InputError(f"{path}: is not of the kind that is made here (elliptic curve): remove it")
        return key
    if other.exists():
        raise InputError(f"{path}: is missing and belongs to {other.name}: put it back, or remove {other.name} as well")
    key = ec.generate_private_key(ec.SECP384R1())
    write_atomic(path, encode(key), mode=0o600)
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    nobody = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, nobody)


def _openssh(key: ec.EllipticCurvePrivateKey) -> bytes:
    nobody = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, nobody)


def _encoded(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a certificate ({error}): put back the right one") from None


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLOW_CLOCK)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _ca(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Motet fleet")])
    builder = _builder(name, name, key.public_key(), CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA384())


def _server(
    key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    ca: x509.Certificate,
    authority: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Motet server")])
    builder = _builder(name, ca.subject, key.public_key(), SERVER_DAYS)
    for extension, critical in (
        (x509.SubjectAlternativeName(names), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical)
    return builder.sign(authority, hashes.SHA384())


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _check(found: Certificates, names: list[x509.GeneralName]) -> None:
    """Refuse a server's certificate that a device would refuse."""
    certificate = _certificate(found.certificate)
    renew = f"remove {found.certificate.name} and {found.key.name} and make them again"
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise InputError(f"{found.certificate}: was valid until {certificate.not_valid_after_utc:%Y-%m-%d}: {renew}")
    if _certificate(found.ca).not_valid_after_utc <= datetime.now(UTC):
        raise InputError(f"{found.ca}: is no longer valid: make new ones in an empty folder, for all devices")
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    missing = [str(name.value) for name in names if name not in named]
    if missing:
        raise InputError(f"{found.certificate}: does not name {', '.join(missing)}: {renew}")


def _general_name(host: str) -> x509.GeneralName:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if re.fullmatch(r"[0-9.]+", host) or not _DNS.fullmatch(host):
            raise InputError(
                f"{host!r} is no host: write a name or an address by which devices reach the server, without a port"
            ) from None
        return x509.DNSName(host.lower())
    if address.is_unspecified:
        raise InputError(f"{host!r} is no address that devices can reach: write the server's own, or its name")
    return x509.IPAddress(address)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others out while looking and writing, so that the halves of two keys do not mix."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}): choose a folder of your own") from None
