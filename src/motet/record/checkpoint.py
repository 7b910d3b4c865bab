"""Checkpoints: one safetensors file each, with the rest of the state as JSON in its header, and a digest over both."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motet.errors import InputError
from motet.record.files import replaced

FORMAT = "motet-checkpoint/1"
KEPT = 2


def save(folder: Path, round: int, tensors: dict[str, Tensor], rest: dict[str, Any]) -> None:  # noqa: A002
    """Write a checkpoint and let go of all but the last two; it is not copied on its way to disk, as it may be large.

    Raises
    ------
    OSError
        If there is no room for it, or it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"names": list(contiguous), "rest": rest})
    header = {"format": FORMAT, "state": text, "digest": _digest(contiguous, text)}
    path = folder / f"checkpoint-{round:07d}.safetensors"
    try:
        with replaced(path) as temporary:
            save_file(contiguous, temporary, header)
    except SafetensorError as error:  # that of the system is in its words alone
        number = re.search(r"os error (\d+)", str(error))
        code = int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from None
    prune(folder)


def prune(folder: Path) -> None:
    """Let go of all but the last two; for the holder of the folder's lock alone."""
    for old in found(folder)[KEPT:]:
        old.unlink()


def found(folder: Path) -> list[Path]:
    """Return the checkpoints of a run, the newest first."""
    return sorted(folder.glob("checkpoint-*.safetensors"), key=lambda path: (len(path.name), path.name), reverse=True)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint; tensors come in the order in which they were saved.

    Raises
    ------
    InputError
        If the file is cut short, damaged, or no checkpoint of Motet.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is cut short or damaged ({error}): remove it to go on from an earlier one") from None
    if header.get("format") != FORMAT:
        raise InputError(f"{path} is no checkpoint of this version of Motet ({FORMAT}): remove it")
    if _digest(tensors, header.get("state", "")) != header.get("digest"):
        raise InputError(f"{path} is damaged: its content does not match its digest; remove it")
    state = json.loads(header["state"])
    return {name: tensors[name] for name in state["names"]}, state["rest"]


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
