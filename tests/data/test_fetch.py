"""Downloads against a small server of our own: resumed, verified, and never half a file under the final name."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import stat
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from motet.data import fetch as module
from motet.data import unpack as unpacking
from motet.data.fetch import checksum, fetch
from motet.data.unpack import unpack
from motet.errors import InputError

CONTENT = np.random.default_rng(0).bytes(900_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the next answers are; and the requests that came."""

    content: bytes = CONTENT
    ranges: bool = True
    etag: str | None = '"one"'
    modified: str | None = None
    length: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes after which each answer is cut
    statuses: list[int] = field(default_factory=list)
    ignore_if_range: bool = False
    seen: list[str | None] = field(default_factory=list)  # the Range of each request
    url: str = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(module, "TIMEOUT", 5.0)
    monkeypatch.setenv("no_proxy", "*")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.seen.append(self.headers.get("Range"))
            if state.statuses:
                status = state.statuses.pop(0)
                if status != 200:
                    self.send_error(status)
                    return
            body, start = state.content, 0
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            same = state.ignore_if_range or self.headers.get("If-Range") in {state.etag, state.modified} - {None}
            if state.ranges and wanted and same:
                start = int(wanted[1])
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            if state.etag:
                self.send_header("ETag", state.etag)
            if state.modified:
                self.send_header("Last-Modified", state.modified)
            if state.length:
                self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            body = body[start:]
            self.wfile.write(body[: state.cuts.pop(0)] if state.cuts else body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        state.url = f"http://127.0.0.1:{http.server_port}/set.zip"
        yield state
        http.shutdown()


def fails(url: str, path: Path, *parts: str, sha256: str | None = None) -> None:
    with pytest.raises(InputError) as caught:
        fetch(url, path, sha256)
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def partly(server: Server, path: Path, size: int = 300_000) -> None:
    """Leave a download that stopped after `size` bytes."""
    server.cuts = [size, 0, 0, 0]
    fails(server.url, path, "cut")
    server.seen.clear()
    assert not path.exists()


def test_download(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "new" / "set.zip"
    told: list[tuple[int, int | None]] = []
    assert fetch(server.url, path, progress=lambda done, total: told.append((done, total))) == SHA
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["set.zip"]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert checksum(path) == SHA


def test_without_a_length(server: Server, tmp_path: Path) -> None:
    server.length = False
    told: list[tuple[int, int | None]] = []
    assert fetch(server.url, tmp_path / "set.zip", SHA, lambda done, total: told.append((done, total))) == SHA
    assert told[-1] == (len(CONTENT), None)


def test_a_file_with_the_right_checksum_is_kept(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    fetch(server.url, path, SHA)
    assert fetch(server.url, path, SHA.upper()) == SHA
    assert len(server.seen) == 1


def test_a_file_with_another_checksum_is_replaced(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_text("an older version")
    fetch(server.url, path, SHA)
    assert path.read_bytes() == CONTENT


def test_a_cut_connection_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.cuts = [300_000, 400_000]
    assert fetch(server.url, tmp_path / "set.zip", SHA) == SHA
    assert server.seen == [None, "bytes=300000-", "bytes=700000-"]


@pytest.mark.parametrize(("etag", "modified"), [('"one"', None), (None, "Wed, 21 Oct 2015 07:28:00 GMT")])
def test_a_later_run_goes_on_where_the_first_stopped(
    server: Server, tmp_path: Path, etag: str | None, modified: str | None
) -> None:
    server.etag, server.modified = etag, modified
    path = tmp_path / "set.zip"
    partly(server, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.zip.part", "set.zip.part.json"]
    told: list[int] = []
    fetch(server.url, path, progress=lambda done, _: told.append(done))
    assert path.read_bytes() == CONTENT
    assert server.seen == ["bytes=300000-"]
    assert told[0] == 300_000
    assert [p.name for p in tmp_path.iterdir()] == ["set.zip"]


@pytest.mark.parametrize(
    "change",
    [
        {"ranges": False},
        {"content": CONTENT[::-1], "etag": '"two"'},
        {"content": CONTENT[::-1], "etag": '"two"', "ignore_if_range": True},
        {"content": CONTENT[:100], "etag": '"two"', "ignore_if_range": True},
        {"content": CONTENT[:100], "etag": '"two"'},
    ],
    ids=["no ranges", "changed", "changed, If-Range ignored", "shorter, If-Range ignored", "shorter"],
)
def test_a_part_that_does_not_match_starts_again(server: Server, tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "set.zip"
    partly(server, path)
    for name, value in change.items():
        setattr(server, name, value)
    told: list[tuple[int, int | None]] = []
    fetch(server.url, path, progress=lambda done, total: told.append((done, total)))
    assert path.read_bytes() == server.content
    assert told[-1] == (len(server.content), len(server.content))


@pytest.mark.parametrize("etag", [None, 'W/"weak"', '"one'])
def test_without_a_strong_version_a_later_run_starts_again(server: Server, tmp_path: Path, etag: str | None) -> None:
    server.etag = etag
    path = tmp_path / "set.zip"
    partly(server, path)
    server.content = CONTENT[::-1]
    fetch(server.url, path)
    assert server.seen == [None]
    assert path.read_bytes() == CONTENT[::-1]


def test_a_part_of_another_address_starts_again(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    partly(server, path)
    server.content = CONTENT[::-1]
    fetch(server.url + "?other", path)
    assert path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("note", [None, b"", b"[1]", b"\xff", b'{"url": 3}'])
def test_a_part_whose_note_is_lost_starts_again(server: Server, tmp_path: Path, note: bytes | None) -> None:
    path = tmp_path / "set.zip"
    partly(server, path)
    beside = tmp_path / "set.zip.part.json"
    beside.unlink()
    if note is not None:
        beside.write_bytes(note)
    fetch(server.url, path)
    assert path.read_bytes() == CONTENT


def test_a_part_that_is_whole_already(server: Server, tmp_path: Path) -> None:
    """The run was killed after the last byte and before the file got its name."""
    path = tmp_path / "set.zip"
    partly(server, path, len(CONTENT) - 1)
    with open(tmp_path / "set.zip.part", "ab") as file:
        file.write(CONTENT[-1:])
    assert fetch(server.url, path) == SHA
    assert server.seen == [f"bytes={len(CONTENT)}-"]


def test_a_wrong_checksum_removes_what_came(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    fails(server.url, path, SHA, "0" * 64, "was removed", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []
    assert len(server.seen) == 1


def test_a_wrong_piece_is_fetched_again_once(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    partly(server, path)
    part = tmp_path / "set.zip.part"
    part.write_bytes(bytes(300_000))
    assert fetch(server.url, path, SHA) == SHA
    assert server.seen == ["bytes=300000-", None]


def test_a_connection_that_stays_cut(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000] * 4
    fails(server.url, tmp_path / "set.zip", "the connection was cut", "400,000 bytes are kept", "same command again")
    assert (tmp_path / "set.zip.part").stat().st_size == 400_000


def test_statuses(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    server.statuses = [404]
    fails(server.url, path, "404", "no longer there")
    server.statuses = [403]
    fails(server.url, path, "403")
    assert len(server.seen) == 2
    server.statuses = [503] * 4
    fails(server.url, path, "503", "same command again")
    server.statuses = [503, 500]
    assert fetch(server.url, path) == SHA


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    fails("http://127.0.0.1:1/set.zip", tmp_path / "set.zip", "127.0.0.1", "no connection", "check the network")
    fails("http://host.invalid/set.zip", tmp_path / "set.zip", "host.invalid", "no connection", "check the network")
    assert list(tmp_path.iterdir()) == []


def test_a_silent_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        fails(f"http://127.0.0.1:{listener.getsockname()[1]}/set.zip", tmp_path / "set.zip", "timed out")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/x", "set.zip", ""])
def test_other_addresses(tmp_path: Path, url: str) -> None:
    fails(url, tmp_path / "set.zip", "is no address")


def test_an_address_of_rubbish(tmp_path: Path) -> None:
    fails("http://127.0.0.1:port/ x", tmp_path / "set.zip", "http://127.0.0.1:port/ x")


def test_too_little_room_is_said_before_the_download(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = module.shutil._ntuple_diskusage(10**9, 10**9, 1000)  # type: ignore[attr-defined]
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    path = tmp_path / "set.zip"
    fails(server.url, path, str(path), "no room left")
    assert not path.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_another_version_is_noted_only_once_the_old_bytes_are_gone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set.zip"
    part = path.with_name("set.zip.part")
    part.write_bytes(b"of another version")

    def killed(self: object, version: str | None) -> None:
        raise SystemExit

    monkeypatch.setattr(module._Part, "remember", killed)
    with pytest.raises(SystemExit):
        fetch(server.url, path)
    assert part.read_bytes() == b""


def test_a_disk_that_fills_up(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.with_name("set.zip.part").symlink_to("/dev/full")
    fails(server.url, path, str(path), "no room left")
    assert not path.exists()


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fails(server.url, tmp_path / "file" / "set.zip", "cannot be written")


# ---- unpacking


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def unpack_fails(archive: Path, *parts: str) -> None:
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(InputError) as caught:
        unpack(archive, archive.parent / "out")
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(archive.parent.rglob("*")) == before


def test_unpack(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    archive = zipped(tmp_path / "set.zip", {"top/": b"", "top/a b.txt": b"x" * 10, "top/in/c.txt": b"y", "d..e": b"z"})
    unpack(archive, tmp_path / "new" / "out", lambda done, total: told.append((done, total)))
    files = {
        str(p.relative_to(tmp_path / "new" / "out")): p.read_bytes() for p in tmp_path.rglob("out/**/*") if p.is_file()
    }
    assert files == {"top/a b.txt": b"x" * 10, "top/in/c.txt": b"y", "d..e": b"z"}
    assert told[-1] == (12, 12)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "a\\..\\..\\evil", "C:evil", "..", "a/..", "."])
def test_a_name_that_leads_out(tmp_path: Path, name: str) -> None:
    unpack_fails(zipped(tmp_path / "set.zip", {"good": b"", name: b"x"}), "leads out")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(tmp_path: Path, kind: int) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    unpack_fails(tmp_path / "set.zip", "'link'", "or is a link")


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = zipped(tmp_path / "set.zip", {"zeros": bytes(5_000_000)})
    monkeypatch.setattr(unpacking, "LARGEST", 4_000_000)
    unpack_fails(archive, "5,000,000 bytes", "made to fill the disk")
    monkeypatch.setattr(unpacking, "LARGEST", 2**40)
    monkeypatch.setattr(unpacking, "MOST", 0)
    unpack_fails(archive, "1 files")


def test_more_than_a_file_of_its_size_can_hold(tmp_path: Path) -> None:
    """Members that share their bytes: each is honest, together they are a bomb."""
    archive = zipped(tmp_path / "set.zip", {"zeros": bytes(3_000_000)})
    whole = archive.read_bytes()
    with zipfile.ZipFile(archive) as file:
        start = file.start_dir
    entry, end = whole[start : whole.rfind(b"PK\x05\x06")], bytearray(whole[whole.rfind(b"PK\x05\x06") :])
    copies = 50
    end[8:12] = copies.to_bytes(2, "little") * 2
    end[12:16] = (len(entry) * copies).to_bytes(4, "little")
    archive.write_bytes(whole[:start] + entry * copies + bytes(end))
    unpack_fails(archive, "50 files of 150,000,000 bytes", "made to fill the disk")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04"])
def test_no_zip(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "set.zip").write_bytes(data)
    unpack_fails(tmp_path / "set.zip", "damaged or no zip file")


def test_damage_inside(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "set.zip", {"a": os.urandom(10_000)})
    data = bytearray(archive.read_bytes())
    data[5_000] ^= 1
    archive.write_bytes(data)
    unpack_fails(archive, "damaged")


def test_a_name_twice_or_a_file_as_folder(tmp_path: Path) -> None:
    unpack_fails(zipped(tmp_path / "set.zip", {"a": b"", "a/b": b""}), "cannot be unpacked")


def test_a_folder_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    unpack_fails(zipped(tmp_path / "set.zip", {"a": b""}), "is there already")


def test_no_archive(tmp_path: Path) -> None:
    unpack_fails(tmp_path / "none.zip", "none.zip", "No such file")


def test_encrypted(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "set.zip", {"a": b"secret"})
    data = bytearray(archive.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    unpack_fails(archive, "encrypted: unpack it yourself")
