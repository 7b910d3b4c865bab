"""What hostile devices do, by hand."""

from __future__ import annotations

import pytest
import torch
from folding import doubles

from motet.learn.attack import Attack
from motet.learn.attack.colluding import Colluding
from motet.learn.attack.label_flip import LabelFlip
from motet.learn.attack.noise import Noise
from motet.learn.attack.prototype_poisoning import PrototypePoisoning
from motet.learn.attack.scaled import Scaled
from motet.learn.attack.sign_flip import SignFlip

EVERY = [Attack(), SignFlip(), Scaled(), LabelFlip(), PrototypePoisoning(), Colluding(), Noise()]
DELTA = {"a": doubles([1.0, -2.0]), "b": doubles(3.0)}
MODEL = {"a": doubles([2.0, 0.0]), "b": doubles(4.0), "c": doubles([4.0])}
DRAWN = {"a": doubles([1.0, 2.0]), "b": doubles(0.0), "c": doubles([2.0])}


def lists(state: dict[str, torch.Tensor]) -> dict[str, object]:
    return {name: value.tolist() for name, value in state.items()}


def test_sign_flip_goes_the_other_way_three_times_as_far() -> None:
    assert lists(SignFlip().update(DELTA, {}, MODEL)) == {"a": [-3, 6], "b": -9}


def test_scaled_goes_ten_times_as_far() -> None:
    assert lists(Scaled().update(DELTA, {}, MODEL)) == {"a": [10, -20], "b": 30}


def test_label_flip_mirrors_the_classes() -> None:
    assert LabelFlip().labels(torch.tensor([0, 1, 4, 2]), 5).tolist() == [4, 3, 0, 2]
    assert LabelFlip().labels(torch.tensor([0, 1]), 2).tolist() == [1, 0]


def test_poisoned_prototypes_stand_one_class_further() -> None:
    summary = {
        "mean": {"a": doubles([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])},
        "count": {"a": doubles([4.0, 0.0, 6.0])},
        "variance": {"a": doubles(0.5)},
    }
    found = PrototypePoisoning().prototypes(summary)
    assert found["mean"]["a"].tolist() == [[3, 3], [1, 1], [2, 2]]
    assert found["count"]["a"].tolist() == [6, 4, 0]
    assert found["variance"]["a"] == 0.5


def test_those_who_collude_send_one_direction_as_long_as_the_model() -> None:
    """The model is of length 6, what is drawn of length 3; of it each sends the parameters that it has."""
    assert lists(Colluding().update(DELTA, DRAWN, MODEL)) == {"a": [2, 4], "b": 0}
    assert lists(Colluding().update({"c": doubles([9.0])}, DRAWN, MODEL)) == {"c": [4]}


def test_noise_is_of_the_update_s_own_deviation() -> None:
    """Of 1, -2, 6 and 3 the mean is 2, and the deviation sqrt((1 + 16 + 16 + 1) / 4)."""
    found = Noise().update({"a": doubles([1.0, -2.0]), "b": doubles(6.0), "c": doubles([3.0])}, DRAWN, MODEL)
    deviation = 8.5**0.5
    assert found["a"].tolist() == pytest.approx([1 + deviation, -2 + 2 * deviation])
    assert found["b"] == 6
    assert found["c"].tolist() == pytest.approx([3 + 2 * deviation])


@pytest.mark.parametrize("attack", EVERY, ids=lambda attack: type(attack).__name__)
def test_an_attack_does_one_thing_and_writes_over_nothing(attack: Attack) -> None:
    delta, drawn = ({name: value.clone() for name, value in state.items()} for state in (DELTA, DRAWN))
    y, summary = torch.tensor([0, 1, 2]), {what: {"a": doubles([1.0, 2.0, 3.0])} for what in ("mean", "count")}
    changed = [
        not torch.equal(attack.labels(y, 3), y),
        attack.prototypes(summary)["mean"]["a"].tolist() != [1, 2, 3],
        lists(attack.update(delta, drawn, MODEL)) != lists(DELTA),
    ]
    assert sum(changed) == (type(attack) is not Attack)
    assert (lists(delta), lists(drawn)) == (lists(DELTA), lists(DRAWN))
    assert summary["mean"]["a"].tolist() == [1, 2, 3]
