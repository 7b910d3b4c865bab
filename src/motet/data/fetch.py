"""Download a file: resumed where it was cut off, verified, and under its name only when it is whole."""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from motet.data.progress import Progress, silent
from motet.errors import InputError

TIMEOUT = 30.0
"""Seconds that a server may stay silent."""
PAUSES = (1.0, 3.0, 9.0)
"""Seconds before each further attempt after a cut connection."""

_CHUNK = 2**18
_HOPELESS = (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError)
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that another attempt may mend


class _CutError(Exception):
    """The connection failed; another attempt may go on from where it did."""


@dataclass(frozen=True)
class _Part:
    """An unfinished download, and beside it what its server said that identifies the version of the file."""

    url: str
    path: Path

    @property
    def note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self) -> str | None:
        """Return the validator that the download began with, if it was of this address."""
        with suppress(OSError, ValueError, AttributeError):
            note = json.loads(self.note.read_text(encoding="utf-8"))
            if note.get("url") == self.url and isinstance(note.get("version"), str):
                return str(note["version"])
        return None

    def remember(self, version: str | None) -> None:
        self.note.write_text(json.dumps({"url": self.url, "version": version}), encoding="utf-8")

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def fetch(
    url: str,
    destination: str | os.PathLike[str],
    sha256: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Download a file.

    What has arrived is kept in ``<destination>.part`` until it is whole, so that an interrupted download goes on where
    it stopped, if the server allows and its file is still the same one; otherwise it starts again.

    Parameters
    ----------
    url : str
        An ``http`` or ``https`` address.
    destination : path-like
        Missing folders are made. A file that is there already is kept if it has the checksum, and else replaced.
    sha256 : str, optional
        The checksum that the file must have, in hexadecimal digits.
    progress : function of (done, total), optional
        Told the bytes that have arrived.

    Returns
    -------
    str
        The file's checksum.

    Raises
    ------
    InputError
        If there is no connection, no such file, no room for it, or its checksum is wrong (it is removed then).
    """
    if not url.startswith(("http://", "https://")):
        raise InputError(f"{url}: is no address to download from: it should begin with https://")
    path = Path(destination)
    if sha256 is not None and path.is_file() and checksum(path) == sha256.lower():
        return sha256.lower()
    part = _Part(url, path.with_name(path.name + ".part"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        resumed = part.size > 0
        _download(part, progress or silent)
        found = checksum(part.path)
        if sha256 is not None and found != sha256.lower() and resumed:  # the fault may lie in the older piece
            part.forget()
            _download(part, progress or silent)
            found = checksum(part.path)
        if sha256 is not None and found != sha256.lower():
            part.forget()
            raise InputError(
                f"{url}: what arrived has the checksum {found}, not {sha256.lower()}, and was removed: try again, and "
                "if it happens twice the file has changed on the server"
            )
        os.replace(part.path, path)
        part.note.unlink(missing_ok=True)
    except OSError as error:
        _refuse_write(path, error)
    return found


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(part: _Part, tell: Progress) -> None:
    """Fetch what is missing of a part; a cut connection is tried again after a pause."""
    for pause in (*PAUSES, None):
        try:
            _attempt(part, tell)
        except _CutError as cut:
            if pause is None:
                kept = f", {part.size:,} bytes are kept" if part.size and part.version() else ""
                raise InputError(f"{part.url}: {cut}{kept}: check the network and run the same command again") from None
            time.sleep(pause)
        else:
            return


def _attempt(part: _Part, tell: Progress) -> None:
    have, version = part.size, part.version()
    headers = {"User-Agent": "motet", "Accept-Encoding": "identity"}
    if have and version:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    response = _open(part, urllib.request.Request(part.url, headers=headers), have)
    if response is None:
        return
    with response:
        going_on = response.status == 206
        if going_on and not _continues(response.headers, have, version):
            part.forget()
            raise _CutError("the server sent another piece than was asked for")
        if not going_on:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdecimal() else None
        with open(part.path, "ab" if going_on else "wb") as file:
            if not going_on:  # now that the old bytes are gone: a kill must not leave them under the new version
                part.remember(_version(response.headers))
            _check_room(part.path, None if total is None else total - have)
            _copy(response, file, have, total, tell)


def _open(part: _Part, request: urllib.request.Request, have: int) -> Any | None:
    """Ask the server; None if it says that nothing is missing of the part."""
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and request.has_header("Range"):
                if error.headers.get("Content-Range") == f"bytes */{have}":
                    return None
                part.forget()
                raise _CutError("the server's file is shorter than the part that had arrived") from None
            if error.code in _PASSING:
                raise _CutError(f"the server answered {error.code} ({error.reason})") from None
            mend = "the file is no longer there, look for its new address" if error.code in {404, 410} else "try later"
            raise InputError(f"{part.url}: the server answered {error.code} ({error.reason}): {mend}") from None
    except (http.client.InvalidURL, ValueError) as error:
        raise InputError(f"{part.url}: is no address to download from ({_why(error)})") from None
    except (http.client.HTTPException, OSError) as error:
        if isinstance(getattr(error, "reason", None), _HOPELESS):
            raise InputError(f"{part.url}: no connection ({_why(error)}): check the network and the address") from None
        raise _CutError(f"no connection ({_why(error)})") from None


def _copy(response: Any, file: IO[bytes], have: int, total: int | None, tell: Progress) -> None:
    tell(have, total)
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (http.client.HTTPException, OSError) as error:
            raise _CutError(f"the connection was cut ({_why(error)})") from None
        if not chunk:
            break
        file.write(chunk)
        have += len(chunk)
        tell(have, total)
    file.flush()
    os.fsync(file.fileno())
    if total is not None and have < total:
        raise _CutError(f"the connection was cut ({have:,} of {total:,} bytes)")


def _continues(headers: Any, have: int, version: str | None) -> bool:
    """Whether a piece follows on what is there; some servers ignore If-Range."""
    piece = headers.get("Content-Range") or ""
    return piece.startswith(f"bytes {have}-") and _version(headers) in {None, version}


def _version(headers: Any) -> str | None:
    """Return what If-Range may name: a strong tag, else the date of the last change."""
    tag, date = headers.get("ETag"), headers.get("Last-Modified")
    if tag and re.fullmatch(r'"[^"\r\n]*"', tag):
        return str(tag)
    return str(date) if date else None


def _check_room(path: Path, needed: int | None) -> None:
    if needed is not None and shutil.disk_usage(path.parent).free < needed:
        raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed")


def _refuse_write(path: Path, error: OSError) -> NoReturn:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        raise InputError(
            f"{path}: there is no room left on its disk: make some and run the same command again"
        ) from None
    raise InputError(f"{path}: cannot be written ({error.strerror}): choose a folder that you may write to") from None


def _why(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return " ".join(str(reason).split())[:120] or type(reason).__name__
