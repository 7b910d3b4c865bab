"""How sure a modality alone is of the right class."""

from __future__ import annotations

import math

import pytest
import torch
from checks import rows

from motet.learn.confidence import Joiner, confidence, scores, strongest, survey

LOGITS = torch.tensor([[0.0, math.log(3)], [0.0, 0.0], [math.log(4), 0.0], [0.0, math.log(9)]], dtype=torch.float64)


def test_confidence_is_the_probability_of_the_true_class() -> None:
    assert confidence(LOGITS, torch.tensor([1, 0, 1, 1])).tolist() == pytest.approx([0.75, 0.5, 0.2, 0.9])


def test_a_survey_is_the_mean_of_each_class_over_the_samples_that_have_the_modality() -> None:
    batch = rows({"a": [[0.0]] * 4}, [1, 0, 1, 1], present={"a": [True, True, True, False]})
    found = survey({"a": LOGITS}, batch)
    assert found["confidence/a"].tolist() == pytest.approx([0.5, (0.75 + 0.2) / 2])
    assert found["count/a"].tolist() == [1, 2]


def test_padding_is_no_sample_and_a_class_without_one_is_zero() -> None:
    batch = rows({"a": [[0.0]] * 4}, [1, 0, 1, 1], mask=[True, False, False, False])
    found = survey({"a": LOGITS}, batch)
    assert found["confidence/a"].tolist() == pytest.approx([0, 0.75])
    assert found["count/a"].tolist() == [0, 1]


def test_scores_are_sums_over_samples_and_their_number() -> None:
    told = scores({"confidence/a": torch.tensor([0.5, 0.25]), "count/a": torch.tensor([1.0, 4.0])})
    assert {name: float(value) for name, value in told.items()} == {"confidence/a": 1.5, "count/a": 5.0}


def test_the_server_takes_the_mean_over_all_samples() -> None:
    joiner = Joiner()
    joiner.add({"confidence/a": torch.tensor([1.5]), "count/a": torch.tensor([5.0])})
    joiner.add({"confidence/a": torch.tensor([0.5, 1.0]), "count/a": torch.tensor([1.0, 4.0])})
    joiner.add({"confidence/b": torch.tensor([0.0]), "count/b": torch.tensor([0.0])})
    found = joiner.finish({"a": torch.tensor(0.1), "b": torch.tensor(0.2, dtype=torch.float64)})
    assert float(found["a"]) == pytest.approx(0.3)
    assert float(found["b"]) == 0.2  # nobody has a sample


def test_the_first_of_equal_scores_is_the_strongest() -> None:
    assert strongest(torch.tensor([0.1, 0.7, 0.7])).tolist() == [False, True, False]
