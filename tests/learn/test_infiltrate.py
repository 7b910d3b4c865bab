"""Knowledge that infiltrates, with projectors and classifiers set by hand."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from checks import aux_of, finish, known_features, loss_and_gradient, method_for, rows, slots_of, toy, vectors, weights
from torch import Tensor

from motet.learn.degraded.drop import Drop
from motet.learn.method import Method
from motet.learn.objective.infiltrate import TAUGHT, UNTAUGHT, temperature
from motet.learn.sample import Batch
from motet.nets.network import State

LN3 = math.log(3)
EYE = torch.eye(2, dtype=torch.float64)


def by_hand(objective: str = "infiltrate", names: str = "ab", missing: str = "infiltration") -> tuple[Method, State]:
    """Return a method of two classes.

    Self features are the samples, infiltration features twice those, logits (0, ln 3) times a feature's first number;
    the fusion's logit of class 1 is the sum of the self features' first numbers, if positive.
    """
    method = known_features(names, classes=2, recipe="fedcmi", objective=objective, missing=missing, drift="none")
    params = {name: torch.zeros_like(value) for name, value in weights(method).items()}
    for m in names:
        params[f"encoder.{m}.weight"] = torch.ones((), dtype=torch.float64)
        params[f"self.{m}.weight"], params[f"infiltration.{m}.weight"] = EYE.clone(), 2 * EYE
        params[f"classifier.{m}.weight"] = torch.tensor([[0.0, 0.0], [LN3, 0.0]], dtype=torch.float64)
    params["head.0.weight"][0, ::2] = 1.0
    params["head.2.weight"][1, 0] = 1.0
    return method, {name: value.requires_grad_() for name, value in params.items()}


def loss(batch: Batch, phase: Any = TAUGHT, received: State | None = None, **choices: str) -> tuple[float, State]:
    method, params = by_hand(names="".join(batch.x), **choices)
    aux = aux_of(method, {**params, **(received or {})}, {})
    found, gradient = loss_and_gradient(method, params, aux, batch, phase)
    return float(found), gradient


def cross_entropy(*probabilities: float) -> float:
    """Return the mean of -log p over the probabilities of true classes."""
    return sum(-math.log(p) for p in probabilities) / len(probabilities)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


SAMPLE = {"a": [[1.0, 0.0]], "b": [[0.5, 0.0]]}
FUSED, OWN_A, OWN_B = sigmoid(1.5), 0.75, sigmoid(LN3 / 2)
SELF = cross_entropy(FUSED) + 2 * (cross_entropy(OWN_A) + cross_entropy(OWN_B))
PLAIN = "infiltrate:temperature=none"


def test_before_the_teacher_is_trained_each_modality_answers_for_itself_beside_the_fusion() -> None:
    assert loss(rows(SAMPLE, [1]), UNTAUGHT)[0] == pytest.approx(SELF)
    half = loss(rows(SAMPLE, [1]), UNTAUGHT, objective="infiltrate:self_weight=1")[0]
    assert half == pytest.approx(cross_entropy(FUSED) + cross_entropy(OWN_A) + cross_entropy(OWN_B))


def test_the_dominant_modality_teaches_the_weak_one() -> None:
    """Modality a is surer (3/4 against .634); b's infiltration logits (0, ln 3) are what a says: its entropy."""
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert loss(rows(SAMPLE, [1]), objective=PLAIN)[0] == pytest.approx(SELF + entropy)
    twice = loss(rows(SAMPLE, [1]), objective=f"{PLAIN},infiltration_weight=2")[0]
    assert twice == pytest.approx(SELF + 2 * entropy)
    assert loss(rows(SAMPLE, [1]), objective=f"{PLAIN},infiltration_weight=0")[0] == pytest.approx(SELF)


def test_the_teacher_is_the_model_received_and_who_dominates_is_asked_of_the_model_in_training() -> None:
    """The received classifier of a says (ln 9, 0); so b is told (9/10, 1/10), though a in training says (0, ln 3)."""
    received = {"classifier.a.weight": torch.tensor([[math.log(9), 0.0], [0.0, 0.0]], dtype=torch.float64)}
    found, _ = loss(rows(SAMPLE, [1]), received=received, objective=PLAIN)
    assert found == pytest.approx(SELF - 0.9 * math.log(0.25) - 0.1 * math.log(0.75))


def test_infiltration_reaches_the_weak_modality_s_projector_classifier_and_encoder_alone() -> None:
    with_it, without = (loss(rows(SAMPLE, [0]), objective=o)[1] for o in (PLAIN, f"{PLAIN},infiltration_weight=0"))
    changed = {name for name in with_it if not torch.equal(with_it[name], without[name])}
    # of a sample of class 0 the modality that says less of class 1 is the surer: b teaches a
    assert {name.rpartition(".")[0] for name in changed} == {"infiltration.a", "classifier.a", "encoder.a"}


def test_the_modality_with_the_largest_sum_over_the_minibatch_dominates_all_of_it() -> None:
    x = {"a": [[1.0, 0.0], [1.0, 0.0]], "b": [[0.9, 0.0], [3.0, 0.0]]}
    # sure of class 1: a 3/4 and 3/4; b .729 and .964: b, though a is surer of the first sample
    with_it, without = (loss(rows(x, [1, 1]), objective=o)[1] for o in (PLAIN, f"{PLAIN},infiltration_weight=0"))
    assert not torch.equal(with_it["infiltration.a.weight"], without["infiltration.a.weight"])
    assert torch.equal(with_it["infiltration.b.weight"], without["infiltration.b.weight"])


def test_a_sample_with_one_modality_has_the_fusion_s_loss_alone() -> None:
    """The slot of b is a's infiltration feature, twice a: the fusion sees 1 + 2."""
    batch = rows(SAMPLE, [1], present={"b": [False]})
    assert loss(batch)[0] == pytest.approx(cross_entropy(sigmoid(3.0)))


def test_a_bad_modality_that_is_left_out_neither_teaches_nor_is_taught() -> None:
    method, params = by_hand(missing="skip")
    method = dataclasses.replace(method, degraded=Drop())
    batch = rows(SAMPLE, [1], quality={"b": [0.5]})
    found, gradient = loss_and_gradient(method, params, aux_of(method, params, {}), batch, TAUGHT)
    assert float(found) == pytest.approx(cross_entropy(sigmoid(1.0)))  # the fusion of a alone
    assert not any(bool(value.any()) for name, value in gradient.items() if ".b." in name)


def test_with_three_modalities_the_dominant_one_teaches_both_others() -> None:
    batch = rows({"a": [[1.0, 0.0]], "b": [[0.5, 0.0]], "c": [[0.0, 0.0]]}, [1])
    own = cross_entropy(FUSED) + 2 * (cross_entropy(OWN_A) + cross_entropy(OWN_B) + cross_entropy(0.5))
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    taught_c = math.log(2)  # c's infiltration logits are (0, 0), whatever it is told
    assert loss(batch, objective=PLAIN)[0] == pytest.approx(own + entropy + taught_c)


# --- Temperatures ------------------------------------------------------------------------------------------------


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


ALL = torch.tensor([True, True])


def test_a_class_in_which_the_strong_modality_leads_by_more_than_usual_has_a_lower_temperature() -> None:
    # ratios 2 and 1, mean 1.5; and the other way round .5 and 1, mean .75
    expected = 1 / (1 + 2 * math.log(4 / 3))
    assert temperature(tensor(0.8, 0.4), tensor(0.4, 0.4), ALL).tolist() == pytest.approx([expected, 1])
    assert temperature(tensor(0.4, 0.4), tensor(0.8, 0.4), ALL).tolist() == pytest.approx([1, expected])


def test_a_class_that_is_not_there_has_temperature_1_and_no_part_in_the_mean() -> None:
    seen = torch.tensor([True, True, False])
    expected = 1 / (1 + 2 * math.log(4 / 3))
    found = temperature(tensor(0.8, 0.4, 0.0), tensor(0.4, 0.4, 0.0), seen)
    assert found.tolist() == pytest.approx([expected, 1, 1])
    assert temperature(tensor(0.0), tensor(0.0), torch.tensor([False])).tolist() == [1]


def test_a_probability_of_zero_is_clamped() -> None:
    found = temperature(tensor(0.5, 0.5), tensor(0.0, 0.5), ALL)  # ratios 500,000 and 1
    assert found.tolist() == pytest.approx([1 / (1 + 2 * math.log(500000 / 250000.5)), 1])


def test_teacher_and_student_are_divided_by_the_temperature_of_the_sample_s_class() -> None:
    """Two samples of class 1 and one of class 0; the survey of the received model gives the ratios."""
    x = {"a": [[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], "b": [[0.5, 0.0], [0.5, 0.0], [0.0, 0.0]]}
    ratio = [1.0, OWN_A / OWN_B]  # of class 0 both say one half
    mean = sum(ratio) / 2
    tau = 1 / (1 + 2 * math.log(ratio[1] / mean))
    p = sigmoid(LN3 / tau)
    taught = [-(p * math.log(p) + (1 - p) * math.log(1 - p))] * 2 + [math.log(2)]
    with_it, without = (
        loss(rows(x, [1, 1, 0]), objective=o)[0] for o in ("infiltrate", f"{PLAIN},infiltration_weight=0")
    )
    assert with_it - without == pytest.approx(sum(taught) / 3)


# --- Infiltration as a substitute ----------------------------------------------------------------------------------


def test_an_absent_slot_is_the_mean_of_what_the_present_ones_send() -> None:
    batch = rows({m: [[1.0, 2.0]] for m in "abc"}, [0], present={"b": [False]})
    slots = slots_of(batch, recipe="fedavg", missing="infiltration")
    method = known_features("abc", recipe="fedavg", missing="infiltration")
    sent = [method.network.bind(weights(method))(f"infiltration.{m}", batch.x[m]) for m in "ac"]
    torch.testing.assert_close(slots.value["b"], (sent[0] + sent[1]) / 2)
    assert [bool(slots.used[m]) for m in "abc"] == [True, True, True]


def test_with_nothing_present_nothing_is_filled() -> None:
    batch = rows({m: [[1.0, 2.0]] for m in "ab"}, [0], present={"a": [False], "b": [False]})
    slots = slots_of(batch, recipe="fedavg", missing="infiltration")
    assert [slots.value[m].tolist() for m in "ab"] == [[[0, 0]], [[0, 0]]]
    assert [bool(slots.used[m]) for m in "ab"] == [False, False]


def test_with_one_modality_there_is_nobody_to_fill_in() -> None:
    batch = rows({"a": [[1.0, 2.0]]}, [0], present={"a": [False]})
    assert slots_of(batch, recipe="fedavg", missing="infiltration").value["a"].tolist() == [[0, 0]]


def test_the_parts_are_those_of_the_modality_s_block() -> None:
    method = method_for(vectors(2), 3, recipe="fedcmi")
    blocks = {block: {name.partition(".")[0] for name in names} for block, names in method.network.blocks.items()}
    own = {"encoder", "self", "infiltration", "classifier"}
    assert blocks == {"m0": own, "m1": own, "head.": {"head"}}


def test_global_dominance_is_told_up_and_down() -> None:
    finished = finish(toy(), recipe="fedcmi", objective="infiltrate:dominance=global")
    assert finished.result.bytes.up_by_kind["scores"] > 0
    assert finished.result.bytes.down_by_kind["scores"] > 0
    assert all(0 < float(score) < 1 for score in finished.state.shared["scores"].values())
    local = finish(toy(), recipe="fedcmi")
    assert "scores" not in local.result.bytes.up_by_kind
