"""What stands in for an absent modality, with features of two numbers that are the samples themselves."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from checks import (
    Witness,
    aux_of,
    drawn_aux,
    drawn_batch,
    finish,
    known_features,
    loss_and_gradient,
    method_for,
    rows,
    settings,
    slots_of,
    toy,
    vectors,
    weights,
)
from torch import Tensor

from motet.engine.client import Client
from motet.engine.federation import build_federation
from motet.engine.state import initial_state
from motet.engine.watch import Watch
from motet.learn.sample import Batch
from motet.stream.assessment import Oracle

LN3 = math.log(3)


def doubles(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def without_a(y: list[int], b: list[list[float]], **changes: Any) -> Batch:
    """Return samples that lack a; what stands in its place must never show."""
    there = [False] * len(y)
    return rows({"a": [[0.0, 0.0]] * len(y), "b": b}, y, **{"present": {"a": there}, **changes})


# --- Training: by label ------------------------------------------------------------------------------------------

BY_LABEL: dict[str, Any] = {"missing": "prototype", "prototypes": {"a": {0: [4.0, 0.0], 1: [0.0, 2.0]}}}


def test_an_absent_modality_is_the_prototype_of_the_sample_s_class() -> None:
    slots = slots_of(without_a([1, 0], [[1.0, 1.0], [2.0, 2.0]]), **BY_LABEL)
    assert torch.equal(slots.value["a"], doubles([[0, 2], [4, 0]]))
    assert torch.equal(slots.value["b"], doubles([[1, 1], [2, 2]]))
    assert slots.used["a"].all()


def test_a_modality_that_is_there_is_left_alone() -> None:
    batch = rows({"a": [[7.0, 7.0], [0.0, 0.0]], "b": [[1.0, 1.0]] * 2}, [1, 1], present={"a": [True, False]})
    slots = slots_of(batch, **BY_LABEL)
    assert torch.equal(slots.value["a"], doubles([[7, 7], [0, 2]]))


def test_a_class_without_a_prototype_takes_the_mean_of_the_modality_s() -> None:
    slots = slots_of(without_a([2], [[1.0, 1.0]]), **BY_LABEL)
    assert torch.equal(slots.value["a"], doubles([[2, 1]]))
    assert slots.used["a"].all()


@pytest.mark.parametrize("match", ["label", "nearest", "cross"])
@pytest.mark.parametrize("training", [True, False])
def test_a_modality_without_any_prototype_is_zeros_and_not_used(match: str, training: bool) -> None:
    batch = without_a([1], [[1.0, 1.0]])
    slots = slots_of(
        batch, {"b": {0: [3.0, 4.0], 1: [1.0, 2.0]}}, training=training, missing=f"prototype:match={match}"
    )
    assert not slots.value["a"].any()
    assert not slots.used["a"].any()


# --- Training: by the nearest class ------------------------------------------------------------------------------

NEAREST: dict[str, Any] = {"missing": "prototype:match=nearest"}


def test_nearest_goes_by_the_present_features_and_not_by_the_label() -> None:
    prototypes = {"a": {0: [4.0, 0.0], 1: [0.0, 2.0]}, "b": {0: [0.0, 0.0], 1: [3.0, 0.0]}}
    slots = slots_of(without_a([0, 0], [[1.0, 0.0], [2.0, 0.0]]), prototypes, **NEAREST)
    assert torch.equal(slots.value["a"], doubles([[4, 0], [0, 2]]))


def test_nearest_weighs_each_modality_by_its_variance() -> None:
    # b is nearer to class 0 by 4, c nearer to class 1 by 9; b's variance is a tenth of c's, so b decides
    batch = rows({"a": [[0.0, 0.0]], "b": [[0.0, 0.0]], "c": [[3.0, 0.0]]}, y=[1], present={"a": [False]})
    prototypes = {
        "a": {0: [4.0, 0.0], 1: [0.0, 2.0]},
        "b": {0: [0.0, 0.0], 1: [2.0, 0.0]},
        "c": {0: [0.0, 0.0], 1: [3.0, 0.0]},
    }
    narrow = slots_of(batch, prototypes, {"b": 0.1, "c": 1.0}, **NEAREST)
    assert torch.equal(narrow.value["a"], doubles([[4, 0]]))
    alike = slots_of(batch, prototypes, **NEAREST)
    assert torch.equal(alike.value["a"], doubles([[0, 2]]))


def test_nearest_leaves_out_classes_that_the_absent_modality_has_no_prototype_of() -> None:
    prototypes = {"a": {0: [4.0, 0.0], 2: [8.0, 8.0]}, "b": {0: [9.0, 9.0], 1: [1.0, 0.0], 2: [2.0, 0.0]}}
    slots = slots_of(without_a([1], [[1.0, 0.0]]), prototypes, **NEAREST)
    assert torch.equal(slots.value["a"], doubles([[8, 8]]))


def test_nearest_takes_one_class_where_two_are_equally_near() -> None:
    prototypes = {"a": {0: [4.0, 0.0], 1: [0.0, 2.0]}, "b": {0: [-1.0, 0.0], 1: [1.0, 0.0]}}
    slots = slots_of(without_a([1], [[0.0, 0.0]]), prototypes, **NEAREST)
    assert torch.equal(slots.value["a"], doubles([[4, 0]]))


# --- Training: across modalities ---------------------------------------------------------------------------------

SAME, SECOND = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]
CROSS: dict[str, Any] = {"missing": "prototype:match=cross", "projection": SAME}
CROSSED = {
    "a": {0: [1.0, 0.0], 1: [0.0, -1.0]},
    "b": {0: [0.0, 5.0], 1: [3.0, 1.0]},
    "c": {0: [9.0, 0.0]},
}


def three(y: int, **changes: Any) -> Batch:
    return rows(
        {"a": [[0.0, 0.0]], "b": [[1.0, 1.0]], "c": [[1.0, 1.0]]}, [y], **{"present": {"a": [False]}, **changes}
    )


def test_cross_takes_the_most_similar_prototype_of_a_present_modality() -> None:
    # cosines of (1, 0) with b's (0, 5) and (3, 1): 0 and .95; with c's (9, 0): 1
    assert torch.equal(slots_of(three(0), CROSSED, **CROSS).value["a"], doubles([[9, 0]]))


def test_cross_takes_only_modalities_that_are_present_and_good() -> None:
    for changes in ({"present": {"a": [False], "c": [False]}}, {"quality": {"c": [0.5]}}):
        slots = slots_of(three(0, **changes), CROSSED, **CROSS)
        assert torch.equal(slots.value["a"], doubles([[3, 1]]))


def test_cross_compares_in_the_shared_space() -> None:
    # the cosines of (9, -1) with b's are .98 and .11; where the map keeps the second number alone, -1 and 1
    prototypes = {"a": {0: [1.0, 1.0], 1: [9.0, -1.0]}, "b": {0: [9.0, 1.0], 1: [0.0, -1.0]}}
    batch = without_a([1], [[1.0, 1.0]])
    choices: dict[str, Any] = {"missing": "prototype:match=cross"}
    assert torch.equal(slots_of(batch, prototypes, projection=SAME, **choices).value["a"], doubles([[9, 1]]))
    assert torch.equal(slots_of(batch, prototypes, projection=SECOND, **choices).value["a"], doubles([[0, -1]]))


def test_cross_falls_back_to_the_modality_s_own_prototype() -> None:
    slots = slots_of(three(1, quality={"b": [0.0], "c": [0.0]}), CROSSED, **CROSS)
    assert torch.equal(slots.value["a"], doubles([[0, -1]]))
    assert slots.used["a"].all()


def test_cross_takes_the_mean_of_the_modality_s_where_the_class_has_no_prototype() -> None:
    slots = slots_of(three(2), CROSSED, **CROSS)
    assert torch.equal(slots.value["a"], doubles([[0.5, -0.5]]))


def test_the_shared_space_is_learnt_from_good_features_and_teaches_nothing_else() -> None:
    witness = Witness()  # no other loss
    method = known_features("ab", witness=witness, missing="prototype:match=cross")
    params = weights(method)
    params |= {f"encoder.{m}.weight": doubles([1.0, 1.0]).requires_grad_() for m in "ab"}
    params["projection.weight"] = doubles(SAME).requires_grad_()
    aux = aux_of(method, params, {"a": {0: [1.0, 0.0], 1: [0.0, 1.0]}})
    # b's (3, 3) is good and has cosine .7 with both of a's prototypes: ln 2
    loss, gradient = loss_and_gradient(method, params, aux, without_a([0], [[3.0, 3.0]]))
    assert float(loss) == pytest.approx(math.log(2))
    assert {name for name, value in gradient.items() if value.any()} == {"projection.weight"}
    loss, gradient = loss_and_gradient(method, params, aux, without_a([0], [[3.0, 3.0]], quality={"b": [0.5]}))
    assert loss == 0
    assert not gradient["projection.weight"].any()


# --- Prediction: soft prototypes ---------------------------------------------------------------------------------

SOFT: dict[str, Any] = {"missing": "prototype", "training": False}


def test_a_soft_prototype_weighs_classes_by_their_distance() -> None:
    # b = (.5, 0) is .125 from class 0 and 1.125 from class 1, per feature; tau V = 1 / ln 3, so odds are 3 to 1
    prototypes = {"a": {0: [4.0, 0.0], 1: [0.0, 8.0]}, "b": {0: [0.0, 0.0], 1: [2.0, 0.0]}}
    slots = slots_of(without_a([1], [[0.5, 0.0]]), prototypes, {"b": 4 / LN3}, **SOFT)
    torch.testing.assert_close(slots.value["a"], doubles([[3, 2]]))
    assert slots.used["a"].all()


def test_a_higher_temperature_is_softer() -> None:
    prototypes = {"a": {0: [4.0, 0.0], 1: [0.0, 8.0]}, "b": {0: [0.0, 0.0], 1: [2.0, 0.0]}}
    slots = slots_of(without_a([1], [[0.5, 0.0]]), prototypes, {"b": 1 / LN3}, prototype_temperature=1.0, **SOFT)
    torch.testing.assert_close(slots.value["a"], doubles([[3, 2]]))
    slots = slots_of(without_a([1], [[0.5, 0.0]]), prototypes, {"b": 2 / LN3}, prototype_temperature=1.0, **SOFT)
    odds = math.sqrt(3)
    torch.testing.assert_close(slots.value["a"], doubles([[4 * odds / (1 + odds), 8 / (1 + odds)]]))


def test_a_soft_prototype_averages_over_the_good_modalities() -> None:
    # b speaks for class 0 with log odds 2 ln 3, c with none; the mean is ln 3
    prototypes = {
        "a": {0: [4.0, 0.0], 1: [0.0, 8.0]},
        "b": {0: [0.0, 0.0], 1: [2.0, 0.0]},
        "c": {0: [1.0, 0.0], 1: [-1.0, 0.0]},
    }
    batch = rows({"a": [[0.0, 0.0]], "b": [[0.5, 0.0]], "c": [[0.0, 3.0]]}, [1], present={"a": [False]})
    variance = {"b": 2 / LN3}
    torch.testing.assert_close(slots_of(batch, prototypes, variance, **SOFT).value["a"], doubles([[3, 2]]))
    bad_c = batch._replace(quality={**batch.quality, "c": doubles([0.5])})
    torch.testing.assert_close(slots_of(bad_c, prototypes, variance, **SOFT).value["a"], doubles([[3.6, 0.8]]))


def test_where_no_modality_is_good_the_present_ones_speak() -> None:
    prototypes = {"a": {0: [4.0, 0.0], 1: [0.0, 8.0]}, "b": {0: [0.0, 0.0], 1: [2.0, 0.0]}}
    batch = without_a([1], [[0.5, 0.0]], quality={"b": [0.1]})
    slots = slots_of(batch, prototypes, {"b": 4 / LN3}, **SOFT)
    torch.testing.assert_close(slots.value["a"], doubles([[3, 2]]))


def test_classes_without_a_prototype_are_left_out() -> None:
    unknown_to_a = {"a": {0: [4.0, 0.0]}, "b": {0: [0.0, 0.0], 1: [2.0, 0.0]}}
    unknown_to_b = {"a": {0: [4.0, 0.0], 1: [0.0, 8.0]}, "b": {1: [2.0, 0.0]}}
    batch = without_a([1], [[0.5, 0.0]])
    assert torch.equal(slots_of(batch, unknown_to_a, **SOFT).value["a"], doubles([[4, 0]]))
    assert torch.equal(slots_of(batch, unknown_to_b, **SOFT).value["a"], doubles([[0, 8]]))


def test_where_no_class_can_be_told_the_mean_of_the_modality_s_stands_in() -> None:
    slots = slots_of(without_a([1], [[0.5, 0.0]]), {"a": {0: [4.0, 0.0], 1: [0.0, 8.0]}}, **SOFT)
    assert torch.equal(slots.value["a"], doubles([[2, 4]]))
    assert slots.used["a"].all()


def test_a_distance_that_is_huge_or_a_variance_that_is_nothing_does_not_break_the_soft_prototype() -> None:
    prototypes = {"a": {0: [4.0, 0.0], 1: [0.0, 8.0]}, "b": {0: [0.0, 0.0], 1: [2.0, 0.0]}}
    slots = slots_of(without_a([0, 0], [[1e6, 0.0], [-1e6, 0.0]]), prototypes, {"b": 0.0}, **SOFT)
    assert torch.equal(slots.value["a"], doubles([[0, 8], [4, 0]]))


# --- Zero and skip -----------------------------------------------------------------------------------------------


def _gradient_of_absent(missing: str) -> dict[str, bool]:
    """Return for each parameter whether a sample that lacks m0 gives it a gradient."""
    modalities = vectors(2)
    method = method_for(modalities, 3, recipe="pmm", missing=missing)
    params = weights(method)
    aux = drawn_aux(method, params, {"m0": 3, "m1": 3}) if method.uses_prototypes else aux_of(method, params, {})
    batch = drawn_batch(modalities, [0, 1, 2], absent={"m0": [0, 1, 2]})
    _, gradient = loss_and_gradient(method, params, aux, batch)
    return {name: bool(value.any()) for name, value in gradient.items()}


@pytest.mark.parametrize("missing", ["skip", "prototype", "prototype:match=nearest", "prototype:match=cross"])
def test_an_absent_modality_gives_its_encoder_no_gradient(missing: str) -> None:
    found = _gradient_of_absent(missing)
    assert not any(there for name, there in found.items() if name.startswith("encoder.m0"))
    assert all(there for name, there in found.items() if name.startswith(("encoder.m1", "head")))


def test_a_zero_filled_modality_gives_its_encoder_a_gradient() -> None:
    found = _gradient_of_absent("zero")
    assert found["encoder.m0.hidden.bias"]
    assert found["encoder.m0.out.weight"]


def test_a_skipped_slot_is_zero_and_not_used() -> None:
    slots = slots_of(without_a([1], [[1.0, 2.0]]), missing="skip")
    assert not slots.value["a"].any()
    assert slots.used["a"].tolist() == [False]
    assert slots.used["b"].tolist() == [True]


def test_a_zero_filled_slot_is_what_the_encoder_makes_of_zeros() -> None:
    modalities = vectors(2)
    method = method_for(modalities, 3, recipe="fedavg")
    params = weights(method)
    batch = drawn_batch(modalities, [0, 1], absent={"m0": [0]})
    encoded = method.encode(params, batch.x)
    here = batch._replace(present={m: torch.ones(2, dtype=torch.bool) for m in modalities})
    aux = aux_of(method, params, {})
    assert not batch.x["m0"][0].any()
    assert torch.equal(method.logits(params, aux, encoded, batch), method.logits(params, aux, encoded, here))
    assert slots_of(without_a([1], [[1.0, 2.0]]), missing="zero").used["a"].all()


# --- Whose update counts for which key ---------------------------------------------------------------------------


def sent(missing: str, **choices: Any) -> tuple[set[str], set[str]]:
    """Return which parameters of encoder m0 a client without m0 sends, and all that the encoder has."""
    config = settings(recipe="pmm", missing=missing, missing_rate=1.0, missing_modality="m0", **choices)
    federation = build_federation(config, toy(), Watch())
    client = Client(config, federation.method, Oracle(federation.dataset.modalities))
    shared = initial_state(federation).shared
    view = federation.views.view(1, 0)
    outcome = client.run(1, 0, view, shared, {})
    assert outcome.model is not None
    keys = set(outcome.model.content)
    assert keys >= set(federation.method.network.names["encoder.m1"])
    own = set(federation.method.network.names["encoder.m0"])
    return keys & own, own


@pytest.mark.parametrize("missing", ["skip", "prototype", "prototype:match=nearest", "prototype:match=cross"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_device_without_a_sensor_sends_nothing_of_its_encoder(missing: str, optimizer: str) -> None:
    assert sent(missing, optimizer=optimizer)[0] == set()


def test_a_zero_filled_modality_counts_for_every_parameter_of_its_encoder() -> None:
    """Zeros give the first layer's weights a gradient of exactly zero; the client has trained them all the same."""
    found, own = sent("zero")
    assert found == own


@pytest.mark.parametrize("missing", ["skip", "zero"])
def test_what_nobody_sends_keeps_its_bits(missing: str) -> None:
    finished = finish(toy(), recipe="fedavg", missing=missing, missing_rate=1.0, missing_modality="m0")
    start, end = finished.federation.method.network.state(), finished.state.shared["model"]
    names = finished.federation.method.network.names["encoder.m0"]
    kept = all(torch.equal(end[name], start[name].double()) for name in names)
    assert kept == (missing == "skip")
