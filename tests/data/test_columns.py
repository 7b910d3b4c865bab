"""Datasets from tables: dicts, and what libraries of tables look like; and the libraries themselves where installed."""

from __future__ import annotations

import doctest
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import motet
from motet.data import columns
from motet.errors import InputError

KINDS: dict[str, Any] = {
    "acc": {"kind": "signal", "rate_hz": 20},
    "camera": "image",
    "words": {"kind": "tokens", "vocabulary": 9, "pad": 0},
    "heart": "vector",
}


def rows(n: int = 12) -> dict[str, list[Any]]:
    """Make a table of plain lists, in which each modality lacks a sample."""
    rng = np.random.default_rng(0)
    table: dict[str, list[Any]] = {
        "acc": rng.standard_normal((n, 2, 5)).tolist(),
        "camera": rng.integers(0, 256, (n, 4, 6, 3)).tolist(),
        "words": [list(range(1, 2 + i % 3)) for i in range(n)],
        "heart": [60.0 + i for i in range(n)],
        "does": [("rest", "walk", "run")[i % 3] for i in range(n)],
        "who": [("ada", "bob")[i // 3 % 2] for i in range(n)],
        "part": ["test" if i >= n - 3 else "train" for i in range(n)],
        "when": [float(i) for i in range(n)],
    }
    for at, m in enumerate(KINDS):
        table[m][at] = None
    return table


def made(table: Any, **more: Any) -> motet.ArrayDataset:
    return motet.from_columns(table, KINDS, "does", **more)


WITH: dict[str, Any] = {"client": "who", "split": "part", "time": "when"}


class Listing:
    """A table as `datasets` has it: columns by name, no mapping."""

    def __init__(self, columns: dict[str, list[Any]], features: dict[str, Any] | None = None) -> None:
        self._columns, self.features = columns, features
        self.column_names = list(columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, column: str) -> list[Any]:
        return self._columns[column]


def test_a_table_of_lists() -> None:
    table = rows()
    data = made(table, **WITH)
    assert data.classes == ("rest", "run", "walk")
    assert data.y.tolist() == [0, 2, 1] * 4
    assert data.client is not None
    assert data.client.tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert data.split.tolist() == [0] * 9 + [2] * 3
    assert data.time is not None
    assert data.time.tolist() == table["when"]
    assert {m: spec.shape for m, spec in data.modalities.items()} == {
        "acc": (2, 5),
        "camera": (3, 4, 6),
        "words": (3,),
        "heart": (1,),
    }
    assert data.modalities["acc"].rate_hz == 20
    for at, m in enumerate(KINDS):
        assert np.flatnonzero(~data.present[m]).tolist() == [at]
        assert not data.x[m][at].any()
    assert np.allclose(data.x["acc"][5], table["acc"][5])
    assert np.allclose(data.x["camera"][5], np.moveaxis(np.array(table["camera"][5]), -1, 0) / 255)
    assert data.x["words"][3].tolist() == [1, 0, 0]
    assert data.x["heart"][5].tolist() == [65]


def test_it_is_what_an_archive_of_it_holds(tmp_path: Path) -> None:
    data = made(rows(), **WITH, name="own", source="made up", terms="none")
    motet.save(data, tmp_path / "own.npz")
    again = motet.load(tmp_path / "own.npz")
    for field in ("name", "modalities", "classes", "source", "terms"):
        assert getattr(again, field) == getattr(data, field)
    for field in ("y", "split", "client", "time"):
        assert np.array_equal(getattr(again, field), getattr(data, field))
    for m in KINDS:
        assert np.array_equal(again.x[m], data.x[m])
        assert np.array_equal(again.present[m], data.present[m])


def test_a_run_on_it() -> None:
    data = made(rows(60), client="who")
    result = motet.run(data, rounds=1, features=4, encoder="mlp", flags="none", threads=1)
    assert result.data["name"] == "columns"
    assert result.data["partition"] == "natural"
    assert result.model.predict({"heart": np.array([[61.0], [70.0]])}).shape == (2,)


def test_without_a_split_a_seeded_fifth_is_test() -> None:
    assert [int(np.sum(made(rows(60), seed=seed).split == 2)) for seed in (0, 1)] == [12, 12]
    assert not np.array_equal(made(rows(60)).split, made(rows(60), seed=1).split)


def test_names_of_classes() -> None:
    class Label:
        names = ("walk", "rest", "run")

    numbers = {**rows(), "does": [0, 1, 2] * 4}
    assert made(numbers).classes == ("0", "1", "2")
    assert made(numbers, classes=("a", "b", "c")).classes == ("a", "b", "c")
    listed = Listing({**numbers, "acc": rows()["acc"]}, {"does": Label()})
    assert made(listed).classes == Label.names
    assert made(listed, classes=("a", "b", "c")).classes == ("a", "b", "c")
    assert made(rows(), classes=("walk", "rest", "run")).y.tolist() == [1, 0, 2] * 4
    with pytest.raises(InputError, match="unknown class in columns: does 'walk'"):
        made(rows(), classes=("rest", "run"))


def test_tables_by_split_and_by_client() -> None:
    apart = {"train": [rows(9), rows(6)], "validation": rows(6), "test": Listing(rows(5))}
    data = made(apart)
    assert data.split.tolist() == [0] * 15 + [1] * 6 + [2] * 5
    assert data.client is not None
    assert data.client.tolist() == [0] * 9 + [1] * 6 + [2] * 11  # those of no client have a number of their own
    assert made({"train": rows(9), "test": rows(6)}).client is None
    assert made([rows(9), rows(6)]).client is not None
    assert made(apart, client="who").client is not None
    assert set(made(apart, client="who").client.tolist()) == {0, 1}  # type: ignore[union-attr]


def test_axes_of_length_one_and_other_forms() -> None:
    n = 10
    table = {
        "sound": [{"array": np.arange(6.0) + i, "sampling_rate": 8} for i in range(n)],
        "grey": np.arange(n * 12, dtype=np.uint8).reshape(n, 3, 4),
        "heart": [float("nan"), *range(1, n)],
        "y": [i % 2 for i in range(n)],
    }
    data = motet.from_columns(table, {"sound": "signal", "grey": "image", "heart": "vector"}, "y")
    assert {m: spec.shape for m, spec in data.modalities.items()} == {"sound": (1, 6), "grey": (1, 3, 4), "heart": (1,)}
    assert data.x["sound"][2, 0].tolist() == [2, 3, 4, 5, 6, 7]
    assert data.present["heart"].tolist() == [False] + [True] * (n - 1)


@given(st.integers(6, 30), st.integers(1, 4), st.randoms(use_true_random=False))
def test_however_a_table_is_cut_the_samples_are_the_same(n: int, pieces: int, random: Any) -> None:
    table = rows(n)
    cuts = sorted(random.sample(range(3, n), min(pieces - 1, n - 3)))
    bounds = [0, *cuts, n]
    several = [{c: values[a:b] for c, values in table.items()} for a, b in pairwise(bounds)]
    whole, cut = made(table, client="who"), made(several, client="who")
    for m in KINDS:
        assert np.array_equal(whole.x[m], cut.x[m])
        assert np.array_equal(whole.present[m], cut.present[m])
    assert np.array_equal(whole.y, cut.y)
    assert np.array_equal(whole.split, cut.split)
    own = made(several).client
    sizes = [b - a for a, b in pairwise(bounds)]
    assert (own is None) if len(sizes) == 1 else np.array_equal(own, np.repeat(range(len(sizes)), sizes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({}, {"label": "do"}, "unknown column of columns 'do': did you mean 'does'"),
        ({}, {"client": "whom"}, "unknown column of columns 'whom': did you mean 'who'"),
        ({"does": [0.5] * 12}, {}, "does must hold a name or a whole number"),
        ({"does": ["rest", None] * 6}, {}, "does must hold one number or name for each sample"),
        ({"does": [[1], [1, 2]] * 6}, {}, "does must hold one number or name for each sample"),
        ({"does": [1] * 12}, {}, "classes must be a list of at least two names"),
        ({"does": [3, 0] * 6}, {"classes": ("a", "b")}, "y must be 0 to 1"),
        ({"part": ["train", "tset"] * 6}, {"split": "part"}, "unknown split in columns 'tset': did you mean 'test'"),
        ({"part": [0] * 12}, {"split": "part"}, "split has no test sample"),
        ({"when": ["now"] * 12}, {"time": "when"}, "time must hold seconds"),
        ({"acc": ["text"] * 12}, {}, "acc must hold numbers, not text"),
        ({"acc": [[[1.0, 2.0], [1.0]]] * 12}, {}, "acc has a sample with rows of unequal lengths"),
        ({"acc": [[[1.0]], [[1.0, 2.0]]] * 6}, {}, r"acc has samples of several shapes, such as \(1, 1\) and \(1, 2\)"),
        ({"acc": [None] * 12}, {}, "acc has no value in any sample"),
        ({"acc": [[[float("inf")] * 5] * 2] * 12}, {}, "x.acc has .* NaN or infinite"),
        ({"words": [[99]] * 12}, {}, "x.words has .* out of range"),
        ({"camera": [[[[300]]]] * 12}, {}, "x.camera has .* out of range"),
        ({"heart": [[[1.0]]] * 12}, {}, "x.heart is of kind 'vector' and must have the axes"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(changes: dict[str, Any], more: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        motet.from_columns({**rows(), **changes}, KINDS, **{"label": "does", **more})


def test_columns_of_unequal_length_and_no_tables() -> None:
    with pytest.raises(InputError, match=r"x\.acc must have one entry per sample, 12"):
        made({**rows(), "acc": rows()["acc"][:5]})
    with pytest.raises(InputError, match="columns is a int, which is no table"):
        made(3)
    with pytest.raises(InputError, match="a list of no table"):
        made([])
    with pytest.raises(InputError, match="unknown kind of modality 'acc'"):
        motet.from_columns(rows(), {"acc": "singal"}, "does")
    with pytest.raises(InputError, match="vocabulary must be the number of ids"):
        motet.from_columns(rows(), {"words": "tokens"}, "does")


def test_the_example_of_the_docstring() -> None:
    assert doctest.testmod(columns) == (0, 4)


def test_a_real_dataset_of_hugging_face() -> None:
    datasets = pytest.importorskip("datasets", reason="Hugging Face's datasets is not installed")
    table = datasets.Dataset.from_dict(rows()).cast_column("does", datasets.ClassLabel(names=["run", "rest", "walk"]))
    data, plain = made(table, **WITH), made(rows(), **WITH)
    assert data.classes == ("run", "rest", "walk")
    assert [data.classes[label] for label in data.y] == rows()["does"]
    for m in KINDS:
        assert np.array_equal(data.x[m], plain.x[m])
        assert np.array_equal(data.present[m], plain.present[m])
    apart = datasets.DatasetDict({"train": table.select(range(9)), "test": table.select(range(9, 12))})
    assert np.array_equal(made(apart).split, plain.split)
    numbers = table.with_format("numpy").remove_columns([*KINDS])
    assert made(datasets.concatenate_datasets([table.remove_columns(numbers.column_names), numbers], axis=1)).y.any()


def test_real_partitions_of_flower() -> None:
    datasets = pytest.importorskip("datasets", reason="Hugging Face's datasets is not installed")
    partitioners = pytest.importorskip("flwr_datasets.partitioner", reason="Flower Datasets is not installed")
    partitioner = partitioners.NaturalIdPartitioner("who")
    partitioner.dataset = datasets.Dataset.from_dict(rows())
    several = [partitioner.load_partition(number) for number in range(partitioner.num_partitions)]
    data = made({"train": several, "test": datasets.Dataset.from_dict(rows(6))})
    assert data.client is not None
    assert data.client.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert data.split.tolist() == [0] * 12 + [2] * 6
