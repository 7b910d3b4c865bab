"""The archive: one .npz file of multimodal samples that any user can write in five lines."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from motet.data.archive import columns, meta, npz
from motet.data.archive.samples import to_disk, to_memory
from motet.data.dataset import ArrayDataset, Arrays, Dataset, Modality
from motet.data.holdout import split_off_test
from motet.errors import InputError

_SAMPLE_AXES = {
    "signal": ("channels", "time"),
    "image": ("height", "width", "channels"),
    "tokens": ("length",),
    "vector": ("features",),
}
_MEMORY_BYTES = {"signal": 4, "image": 4, "tokens": 8, "vector": 4}
_OPTIONAL = ("client", "split", "time")


def load(path: str | os.PathLike[str], *, seed: int = 0) -> ArrayDataset:
    """Read an archive.

    Parameters
    ----------
    path : path-like
        An ``.npz`` file in the format ``motet-archive/1``.
    seed : int
        Of the draw of a test split (a fifth of each class), where the archive has no `split`.

    Returns
    -------
    ArrayDataset
        Named after the file. Real modalities are float32, images (N, channels, height, width) with uint8 values scaled
        to 0..1, tokens int64. Samples of a modality that is not present are zero (tokens: padding).

    Raises
    ------
    InputError
        If anything is wrong with the file; the sentence names the file, the key and what was expected.
    """
    with npz.Npz(Path(path)) as file:
        return read(file, seed)


def read(file: npz.Npz, seed: int) -> ArrayDataset:
    """Read an archive that is open (see `load`)."""
    path = file.path
    described = _describe(file)
    modalities = _shapes(file, described.modalities)
    n = file.headers["y"].shape[0]
    _check_memory(path, n, modalities)

    y = columns.labels(file, described.classes)
    present = columns.presence(file, list(modalities))
    split = columns.split(file)
    client = columns.integers(file, "client") if "client" in file.headers else None
    time = columns.seconds(file) if "time" in file.headers else None
    x: Arrays = {m: to_memory(path, spec, file.read(f"x.{m}"), present[m]) for m, spec in modalities.items()}
    return ArrayDataset(
        name=path.stem,
        modalities=modalities,
        classes=described.classes,
        y=y,
        split=split_off_test(y, seed, path) if split is None else split,
        x=x,
        client=client,
        time=time,
        present=present,
        source=described.source,
        terms=described.terms,
    )


def save(dataset: Dataset | ArrayDataset, path: str | os.PathLike[str]) -> None:
    """Write a dataset as an archive that `load` reads back with equal values.

    The file appears whole or not at all. Values are stored in the smallest type that loses nothing (images that were
    uint8 become uint8 again); equal datasets give equal bytes.

    Parameters
    ----------
    dataset : Dataset
    path : path-like
        Where to write; missing folders are made.

    Raises
    ------
    InputError
        If the dataset is not one that `load` would accept, or the file cannot be written.
    """
    path = Path(path)
    n = len(dataset.y)
    x = dataset.take(np.arange(n))
    for m, spec in dataset.modalities.items():
        if x[m].shape != (n, *spec.shape) or x[m].dtype.kind not in "fiu":
            _fail(path, f"x.{m}", f"must hold numbers in shape {(n, *spec.shape)}, not {x[m].dtype} in {x[m].shape}")
    arrays: dict[str, NDArray[Any]] = {f"x.{m}": to_disk(spec, x[m]) for m, spec in dataset.modalities.items()}
    arrays |= {"y": dataset.y, "split": dataset.split}
    if dataset.client is not None:
        arrays["client"] = dataset.client
    if dataset.time is not None:
        arrays["time"] = dataset.time
    arrays |= {f"present.{m}": flags for m, flags in dataset.present.items() if not flags.all()}
    text = meta.dump(meta.Meta(dataset.modalities, dataset.classes, dataset.source, dataset.terms))
    arrays["meta"] = np.array(text)
    npz.write(path, arrays, check=load)


def _describe(file: npz.Npz) -> meta.Meta:
    """Read `meta`, and compare the keys of the file with it."""
    header = file.headers.get("meta")
    if header is None:
        _fail(file.path, "meta", f"is missing: add a JSON text with format {meta.FORMAT!r}, modalities and classes")
    if header.shape != () or header.dtype.kind not in "US":
        _fail(
            file.path,
            "meta",
            f"must be one text, as numpy.array(json.dumps(...)) makes, not {header.dtype} {header.shape}",
        )
    if header.dtype.itemsize > 4 * meta.LONGEST:
        _fail(file.path, "meta", f"is longer than {meta.LONGEST:,} characters")
    try:
        text = _decoded(file.read("meta"))
    except UnicodeDecodeError:
        _fail(file.path, "meta", "is not valid Unicode: write it again with numpy.array(json.dumps(...))")
    described = meta.parse(file.path, text)
    _compare_keys(file, list(described.modalities))
    return described


def _decoded(text: NDArray[Any]) -> str:
    """Read a text from its bytes, since numpy does not mind code points that Python's strings break on."""
    if text.dtype.kind == "S":
        return text.tobytes().rstrip(b"\0").decode()
    return text.astype(text.dtype.newbyteorder("<")).tobytes().decode("utf-32-le").rstrip("\0")


def _compare_keys(file: npz.Npz, modalities: list[str]) -> None:
    for m in modalities:
        if f"x.{m}" not in file.headers:
            _fail(
                file.path,
                f"x.{m}",
                f"is missing, though meta names the modality {m!r}: add the array, or drop it from meta",
            )
    if "y" not in file.headers:
        _fail(file.path, "y", "is missing: add one class, 0..C-1, per sample")
    allowed = {"y", "meta", *_OPTIONAL, *(f"x.{m}" for m in modalities), *(f"present.{m}" for m in modalities)}
    for key in file.headers:
        if key not in allowed:
            what = "belongs to no modality in meta" if key.startswith(("x.", "present.")) else "is no key of an archive"
            raise InputError(
                f"{file.path}: {key!r} {what}: an archive holds y, meta, x.<modality>, present.<modality>, "
                f"{', '.join(_OPTIONAL)}, with the modalities {', '.join(modalities)}"
            )


def _shapes(file: npz.Npz, modalities: dict[str, Modality]) -> dict[str, Modality]:
    """Check every array's axes and length by the headers alone; give each modality the shape of its samples."""
    path, y = file.path, file.headers["y"]
    if len(y.shape) != 1:
        _fail(path, "y", f"must have one axis (samples), not shape {y.shape}")
    if y.shape[0] == 0:
        _fail(path, "y", "is empty: an archive needs samples for training and for test")
    shaped = {}
    for key, header in file.headers.items():
        if key in {"y", "meta"}:
            continue
        if not header.shape or header.shape[0] != y.shape[0]:
            _fail(path, key, f"must have one entry per sample, {y.shape[0]} as y has, not shape {header.shape}")
        if not key.startswith("x.") and len(header.shape) != 1:
            _fail(path, key, f"must have one axis (samples), not shape {header.shape}")
    for m, spec in modalities.items():
        shaped[m] = replace(spec, shape=_sample_shape(path, spec, file.headers[f"x.{m}"]))
    return shaped


def _sample_shape(path: Path, spec: Modality, header: npz.Header) -> tuple[int, ...]:
    axes = _SAMPLE_AXES[spec.kind]
    if len(header.shape) != 1 + len(axes):
        wanted = ", ".join(("samples", *axes))
        _fail(path, header.key, f"is of kind {spec.kind!r} and must have the axes ({wanted}), not shape {header.shape}")
    for axis, size in zip(axes, header.shape[1:], strict=True):
        if size == 0:
            _fail(path, header.key, f"has zero width: its axis {axis!r} is empty in shape {header.shape}")
    types = "iu" if spec.kind == "tokens" else "fiu"
    if header.dtype.kind not in types:
        wanted = "integer ids" if spec.kind == "tokens" else "real numbers or integers"
        _fail(path, header.key, f"is of kind {spec.kind!r} and must hold {wanted}, not {header.dtype}")
    shape = header.shape[1:]
    return (shape[2], shape[0], shape[1]) if spec.kind == "image" else shape


def _check_memory(path: Path, n: int, modalities: dict[str, Modality]) -> None:
    sizes = (n * int(np.prod(spec.shape, dtype=object)) * _MEMORY_BYTES[spec.kind] for spec in modalities.values())
    npz.check_size(path, sum(sizes))


def _fail(path: Path, key: str, text: str) -> NoReturn:
    raise InputError(f"{path}: {key} {text}")
