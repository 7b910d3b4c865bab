"""The handwritten digits as two views."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from motet.data.dataset import TEST, TRAIN, ArrayDataset
from motet.data.digits import digits
from motet.errors import InputError


@pytest.fixture(scope="module")
def data() -> ArrayDataset:
    return digits()


def test_samples_have_the_declared_shapes_and_range(data):
    x = data.take(np.arange(len(data.y)))
    assert list(x) == list(data.modalities) == ["upper", "lower"]
    for name, spec in data.modalities.items():
        assert x[name].shape == (1797, *spec.shape)
        assert x[name].dtype == np.float32
        assert x[name].min() == 0
        assert x[name].max() == 1
    assert data.client is None
    assert data.time is None


def test_says_what_to_install_where_scikit_learn_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match="pip install scikit-learn"):
        digits()


def test_two_views_make_up_the_real_image(data):
    x = data.take(np.arange(3))
    image = np.concatenate([x["upper"][:, 0], x["lower"].reshape(3, 3, 8)], axis=1)
    np.testing.assert_array_equal(image * 16, load_digits().images[:3])
    np.testing.assert_array_equal(data.y[:3], [0, 1, 2])


def test_split_holds_out_a_fifth_of_each_class(data):
    assert set(data.split) == {TRAIN, TEST}
    counts = np.bincount(data.y)
    held = np.bincount(data.y[data.split == TEST])
    np.testing.assert_array_equal(held, np.round(counts / 5))


def test_split_follows_the_seed(data):
    np.testing.assert_array_equal(data.split, digits(seed=0).split)
    assert (data.split != digits(seed=1).split).any()


def test_only_one_view(data):
    lower = data.only(["lower"])
    assert list(lower.take(np.arange(2))) == ["lower"]
    with pytest.raises(InputError, match="unknown modality of digits 'lwoer'"):
        data.only(["lwoer"])


def test_upper_view_is_stronger_and_both_together_are_best(data):
    train, test = np.flatnonzero(data.split == TRAIN), np.flatnonzero(data.split == TEST)

    def accuracy(*names: str) -> float:
        flat = {m: values.reshape(len(values), -1) for m, values in data.take(np.arange(len(data.y))).items()}
        x = np.concatenate([flat[m] for m in names], axis=1)
        return LogisticRegression(max_iter=200).fit(x[train], data.y[train]).score(x[test], data.y[test])

    upper, lower = accuracy("upper"), accuracy("lower")
    assert 0.6 < lower < upper - 0.08
    assert accuracy("upper", "lower") > upper + 0.02
