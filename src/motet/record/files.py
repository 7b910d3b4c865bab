"""Writing files so that a crash leaves the old content or the new, never a part."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomic(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Write a file; a reader sees the old content or the new, and the bytes are on disk on return.

    It has its mode, less the umask, before there is anything in it: a secret (0o600) is at no moment to be read.
    """
    with (
        replaced(path) as temporary,
        open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file,
    ):
        file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield where to write what is to take a file's place, which it does at the end, and lies on disk then."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def left_behind(path: Path) -> bool:
    """Return whether a file is one that `write_atomic` was writing when its process was killed."""
    return re.fullmatch(r"\..+\.\d+\.tmp", path.name) is not None


def sweep(folder: Path) -> None:
    """Remove what killed processes left behind; for the holder of the folder's lock alone."""
    for path in filter(left_behind, list(folder.iterdir())):
        path.unlink(missing_ok=True)
