"""Unpack a zip file from elsewhere without trusting it."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from motet.data.progress import Progress, silent
from motet.errors import InputError

LARGEST = 16 * 2**30
"""Bytes that the unpacked files may take together."""
MOST = 200_000
"""Files that an archive may hold."""

_CHUNK = 2**20
_PACKED = 1100
"""Times that deflate can shrink data, a little rounded up."""


def unpack(archive: str | os.PathLike[str], folder: str | os.PathLike[str], progress: Progress | None = None) -> None:
    """Unpack a zip file into a new folder, which appears whole or not at all.

    Parameters
    ----------
    archive : path-like
    folder : path-like
        Must not exist yet.
    progress : function of (done, total), optional
        Told the bytes written.

    Raises
    ------
    InputError
        If the file is no zip file or is damaged; if a name in it leads out of the folder or is a link; or if it claims
        more than `LARGEST` bytes, `MOST` files, the room on the disk, or more than its size can hold.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise InputError(f"{folder}: is there already: name a new folder, or remove it")
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(archive) as file:
            infos = file.infolist()
            names = [_safe(archive, info) for info in infos]
            temporary.mkdir(parents=True)
            total = _check_size(archive, infos, temporary)
            done = 0
            for info, name in zip(infos, names, strict=True):
                done = _write(file, info, temporary / name, done, total, progress or silent)
        os.replace(temporary, folder)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{archive}: cannot be unpacked into {folder} ({error.strerror or error})") from None
    except Exception as error:  # what zlib and zipfile raise on damage is not a closed list
        why = " ".join(str(error).split())[:120]
        raise InputError(f"{archive}: is damaged or no zip file ({why}): fetch it again") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _safe(archive: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    """Check that a member stays inside the folder and is a plain file or folder."""
    name = PurePosixPath(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    outside = name.is_absolute() or ".." in name.parts or "\\" in info.filename or ":" in info.filename
    if outside or not name.parts or kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise InputError(
            f"{archive}: holds {info.filename!r}, which leads out of the folder to unpack to, or is a link"
        )
    if info.flag_bits & 1:
        raise InputError(f"{archive}: is encrypted: unpack it yourself")
    return name


def _check_size(archive: Path, infos: list[zipfile.ZipInfo], folder: Path) -> int:
    total = sum(info.file_size for info in infos)
    limit = min(LARGEST, archive.stat().st_size * _PACKED, shutil.disk_usage(folder).free)
    if total > limit or len(infos) > MOST:
        raise InputError(
            f"{archive}: would unpack to {len(infos):,} files of {total:,} bytes, more than the {MOST:,} files or "
            f"{limit:,} bytes allowed here: it is damaged or made to fill the disk, or the disk is full"
        )
    return total


def _write(file: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, done: int, total: int, tell: Progress) -> int:
    if info.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return done
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open(info) as source, open(target, "xb") as copy:
        while chunk := source.read(_CHUNK):  # never more than the size in the directory, which is checked
            copy.write(chunk)
            done += len(chunk)
            tell(done, total)
    return done
