"""Any table with named columns as a dataset: of Hugging Face's `datasets`, Flower Datasets, pandas, a dict of arrays.

None of these is imported: what is asked of a table is ``table[column]``, and what its columns are called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.data.archive import meta
from motet.data.archive.file import read
from motet.data.archive.npz import Held
from motet.data.cells import stacked
from motet.data.dataset import TEST, TRAIN, VALIDATION, ArrayDataset
from motet.errors import InputError, unknown

SPLITS = {
    "train": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
}


def from_columns(
    table: Any,
    modalities: Mapping[str, str | Mapping[str, Any]],
    label: str,
    *,
    client: str | None = None,
    split: str | None = None,
    time: str | None = None,
    classes: Sequence[str] | None = None,
    name: str = "columns",
    source: str = "",
    terms: str = "",
    seed: int = 0,
) -> ArrayDataset:
    """Make a dataset of the columns of a table.

    Parameters
    ----------
    table : table, list of tables, or mapping of split to either
        A table is a mapping of column to values, or has ``table[column]`` and the names of its columns, such as a
        ``datasets.Dataset`` or a ``pandas.DataFrame``. A list has a table for each client, such as the partitions of
        Flower Datasets. A mapping of ``train``, ``test`` and ``validation`` has one for each split, such as a
        ``datasets.DatasetDict``.
    modalities : mapping of column to kind
        Which columns hold samples: ``signal`` (channels, time), ``image`` (height, width, channels), ``tokens``
        (length) or ``vector`` (features); or all that an archive says of it, such as
        ``{"kind": "tokens", "vocabulary": 1000}``. One channel and one feature need no axis. A sample whose value is
        None lacks the modality; tokens are padded to the longest.
    label : str
        Column of the classes, by name or number.
    client, split, time : str, optional
        Columns of who a sample came from (by number; names are numbered in their order), of its split (by name or
        number), and of seconds.
    classes : sequence of str, optional
        In their order; if left out, those that the table names, else those that occur.
    name, source, terms : str
        What the dataset says of itself.
    seed : int
        Of the draw of a test split (a fifth of each class), where there is none.

    Returns
    -------
    ArrayDataset
        What `motet.load` would return of an archive of these samples; `motet.save` makes one.

    Raises
    ------
    InputError
        If a column is missing, or its values do not fit; the sentence names it.

    Examples
    --------
    >>> import motet
    >>> table = {"acc": [[0.1, 0.2], [0.3, 0.1], None, [0.0, 0.2]], "does": ["rest", "walk", "rest", "walk"]}
    >>> data = motet.from_columns({**table, "heart": [60, 90, 70, None]}, {"acc": "vector", "heart": "vector"}, "does")
    >>> data.classes, data.present["acc"].tolist()
    (('rest', 'walk'), [True, True, False, True])
    """
    parts = _parts(table, name)

    def cells(column: str) -> list[Any]:
        return [cell for part in parts for cell in _column(part.table, column, name)]

    def array(column: str) -> NDArray[Any]:
        return _array(cells(column), f"{name}: {column}")

    y, named = _labels(array(label), classes or _classes(parts[0].table, label), f"{name}: {label}")
    kinds = {m: {"kind": kind} if isinstance(kind, str) else dict(kind) for m, kind in modalities.items()}
    about = {"format": meta.FORMAT, "modalities": kinds, "classes": named, "source": source, "terms": terms}
    arrays = {"y": y, "meta": np.array(json.dumps(about)), **_belonging(parts, label, name)}
    for m, kind in kinds.items():
        arrays[f"x.{m}"], arrays[f"present.{m}"] = stacked(cells(m), kind, f"{name}: {m}")
    if client is not None:
        arrays["client"] = _numbered(array(client))
    if split is not None:
        arrays["split"] = _numbered(array(split), SPLITS, f"split in {name}")
    if time is not None:
        arrays["time"] = array(time)
    return replace(read(Held(name, arrays), seed), name=name)


class _Part(NamedTuple):
    """A table, and where its samples belong."""

    table: Any
    split: int
    client: int


def _parts(table: Any, name: str) -> list[_Part]:
    """Take tables by split and client apart; one that is of no client of a list gets a number of its own."""
    by_split = table if isinstance(table, Mapping) and table and set(table) <= set(SPLITS) else {"train": table}
    most = max((len(own) for own in by_split.values() if isinstance(own, list | tuple)), default=0)
    parts = []
    for split, own in by_split.items():
        several = own if isinstance(own, list | tuple) else None
        numbered = [(own, most)] if several is None else [(one, number) for number, one in enumerate(several)]
        parts += [_Part(one, SPLITS[split], number) for one, number in numbered]
    if not parts:
        raise InputError(f"{name} is a list of no table: give one for each client")
    return parts


def _belonging(parts: list[_Part], label: str, name: str) -> dict[str, NDArray[Any]]:
    """Return the client and the split of each sample, by the tables that they came in, where these say anything."""
    sizes = [len(_column(part.table, label, name)) for part in parts]
    found = {
        "client": np.repeat([part.client for part in parts], sizes),
        "split": np.repeat([part.split for part in parts], sizes),
    }
    return {key: numbers for key, numbers in found.items() if len({*numbers.tolist()}) > 1}


def _column(table: Any, column: str, name: str) -> Any:
    """Return the values of a column, in any form that has a length and can be gone through."""
    names = table if isinstance(table, Mapping) else getattr(table, "column_names", getattr(table, "columns", None))
    if names is None or not hasattr(table, "__getitem__"):
        raise InputError(
            f"{name} is a {type(table).__name__}, which is no table: give columns by name, such as a dict of arrays "
            "or a datasets.Dataset that is not streamed"
        )
    if column not in names:
        raise unknown(f"column of {name}", column, map(str, names))
    return table[column]


def _classes(table: Any, label: str) -> Sequence[str] | None:
    """Return the names of the classes as Hugging Face's tables have them; None where a table has no such thing."""
    features = getattr(table, "features", None)
    return getattr(features[label], "names", None) if isinstance(features, Mapping) and label in features else None


def _array(cells: list[Any], where: str) -> NDArray[Any]:
    """Return a column that has one value a sample."""
    try:
        found = np.asarray(cells)
    except ValueError:  # lists of unequal lengths
        found = np.asarray(cells, dtype=object)
    if found.ndim != 1 or found.dtype.kind not in "fiubU":
        raise InputError(f"{where} must hold one number or name for each sample, in all of them")
    return found


def _labels(
    labels: NDArray[Any], classes: Sequence[str] | None, where: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if labels.dtype.kind == "f":
        raise InputError(f"{where} must hold a name or a whole number for each sample, not {labels.dtype}")
    if classes is None:
        values, y = np.unique(labels, return_inverse=True)
        return y.astype(np.int64), tuple(map(str, values))
    numbers = {label: number for number, label in enumerate(classes)}
    return _numbered(labels, numbers, f"class in {where}").astype(np.int64), tuple(classes)


def _numbered(values: NDArray[Any], numbers: Mapping[str, int] | None = None, what: str = "") -> NDArray[Any]:
    """Return numbers as they are, and names by theirs, or else by their place in their order."""
    if values.dtype.kind != "U":
        return values
    names = sorted(set(values.tolist()))
    numbers = {name: place for place, name in enumerate(names)} if numbers is None else numbers
    for name in names:
        if name not in numbers:
            raise unknown(what, name, numbers)
    return np.array([numbers[name] for name in values.tolist()], dtype=np.int64)
