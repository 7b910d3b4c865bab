"""What is done with a bad modality, with features of two numbers that are the samples themselves."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from checks import Witness, aux_of, known_features, loss_and_gradient, rows, slots_of, weights
from torch import Tensor

from motet.learn.sample import Batch
from motet.nets.network import State

PROTOTYPES = {"a": {0: [4.0, 0.0], 1: [0.0, 2.0]}, "b": {0: [1.0, 0.0], 1: [0.0, 1.0]}}


def doubles(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def with_bad_a(y: int, quality: float = 0.25, **changes: Any) -> Batch:
    """Return one sample whose a is bad."""
    return rows({"a": [[2.0, 2.0]], "b": [[0.5, 0.0]]}, [y], **{"quality": {"a": [quality]}, **changes})


# --- In the slot -------------------------------------------------------------------------------------------------


def test_blend_goes_towards_the_prototype_as_far_as_the_quality_is_low() -> None:
    # z + (1 - q)(P - z) = (2, 2) + .75 (2, -2)
    slots = slots_of(with_bad_a(0), PROTOTYPES, degraded="blend")
    assert torch.equal(slots.value["a"], doubles([[3.5, 0.5]]))
    assert slots.used["a"].all()


@pytest.mark.parametrize(("quality", "value"), [(0.0, [4.0, 0.0]), (0.5, [3.0, 1.0]), (1.0, [2.0, 2.0])])
def test_blend_from_useless_to_good(quality: float, value: list[float]) -> None:
    slots = slots_of(with_bad_a(0, quality), PROTOTYPES, degraded="blend")
    assert torch.equal(slots.value["a"], doubles([value]))


def test_replace_takes_the_prototype_whatever_the_quality_below_one() -> None:
    for quality in (0.0, 0.25, 0.999):
        slots = slots_of(with_bad_a(0, quality), PROTOTYPES, degraded="replace")
        assert torch.equal(slots.value["a"], doubles([[4, 0]]))
    assert torch.equal(slots_of(with_bad_a(0, 1.0), PROTOTYPES, degraded="replace").value["a"], doubles([[2, 2]]))


@pytest.mark.parametrize(("member", "value"), [("blend", [2.0, 1.25]), ("replace", [2.0, 1.0])])
def test_a_class_without_a_prototype_takes_the_mean_of_the_modality_s(member: str, value: list[float]) -> None:
    slots = slots_of(with_bad_a(2), PROTOTYPES, degraded=member)
    assert torch.equal(slots.value["a"], doubles([value]))


@pytest.mark.parametrize("member", ["blend", "replace"])
@pytest.mark.parametrize("training", [True, False])
def test_a_modality_without_any_prototype_is_left_as_it_is(member: str, training: bool) -> None:
    slots = slots_of(with_bad_a(0), {"b": PROTOTYPES["b"]}, training=training, degraded=member)
    assert torch.equal(slots.value["a"], doubles([[2, 2]]))
    assert slots.used["a"].all()


def test_at_prediction_the_prototype_is_soft() -> None:
    # b's (.5, 0) is .125 and .625 per feature from classes 0 and 1: odds of 3 to 1 where tau V = .5 / ln 3
    variance = {"b": 2 / math.log(3)}
    for y in (0, 1, 2):
        slots = slots_of(with_bad_a(y), PROTOTYPES, variance, training=False, degraded="replace")
        torch.testing.assert_close(slots.value["a"], doubles([[3, 0.5]]))
    slots = slots_of(with_bad_a(0), PROTOTYPES, variance, training=False, degraded="blend")
    torch.testing.assert_close(slots.value["a"], doubles([[2.75, 0.875]]))


def test_drop_is_a_zero_slot_that_is_not_used() -> None:
    for training in (True, False):
        slots = slots_of(with_bad_a(0), PROTOTYPES, training=training, degraded="drop")
        assert not slots.value["a"].any()
        assert slots.used["a"].tolist() == [False]
        assert torch.equal(slots.value["b"], doubles([[0.5, 0]]))
        assert slots.used["b"].tolist() == [True]


@pytest.mark.parametrize("missing", ["zero", "skip", "prototype"])
def test_what_is_dropped_stays_out_whatever_fills_what_is_missing(missing: str) -> None:
    slots = slots_of(with_bad_a(0), PROTOTYPES, degraded="drop", missing=missing)
    assert not slots.value["a"].any()
    assert slots.used["a"].tolist() == [False]


@pytest.mark.parametrize("member", ["as-is", "align", "align:by=contrast", "align:by=cross"])
def test_as_is_and_align_leave_the_slot_alone(member: str) -> None:
    slots = slots_of(with_bad_a(0), PROTOTYPES, degraded=member)
    assert torch.equal(slots.value["a"], doubles([[2, 2]]))


@pytest.mark.parametrize("member", ["blend", "replace", "drop"])
def test_a_modality_that_is_absent_is_not_mended(member: str) -> None:
    """What is missing is for the missing member alone, also where a quality below 1 stands beside it."""
    batch = with_bad_a(0, present={"a": [False]})
    assert not slots_of(batch, PROTOTYPES, degraded=member, missing="skip").value["a"].any()
    filled = slots_of(batch, PROTOTYPES, degraded=member, missing="prototype")
    assert torch.equal(filled.value["a"], doubles([[4, 0]]))
    assert filled.used["a"].all()


@pytest.mark.parametrize(("member", "share"), [("as-is", 1.0), ("blend", 0.25), ("replace", 0.0), ("drop", 0.0)])
def test_the_encoder_learns_from_a_bad_sample_by_what_is_kept_of_it(member: str, share: float) -> None:
    """The gradient of the slot's sum with respect to the encoder's weight is what is kept of (2 + 2)."""
    witness = Witness()
    method = known_features(degraded=member, witness=witness)
    params = weights(method)
    method.loss(params, aux_of(method, params, PROTOTYPES), with_bad_a(0), method.phases()[0])
    slot = witness.seen[0][0].value["a"].sum()
    gradient = torch.autograd.grad(slot, params["encoder.a.weight"], materialize_grads=True)[0]
    assert gradient == 4 * share


# --- A further loss ----------------------------------------------------------------------------------------------


def alignment(batch: Batch, member: str, prototypes: Any = PROTOTYPES, **choices: Any) -> tuple[float, State]:
    """Return the further loss of a member alone, and its gradient."""
    method = known_features("".join(batch.x), degraded=member, witness=Witness(), **choices)
    params = weights(method)
    if "projection.weight" in params:
        params["projection.weight"] = torch.eye(2, dtype=torch.float64).requires_grad_()
    loss, gradient = loss_and_gradient(method, params, aux_of(method, params, prototypes), batch)
    return float(loss), gradient


def touched(gradient: State) -> set[str]:
    return {name for name, value in gradient.items() if bool(value.any())}


def test_mse_is_the_squared_distance_to_the_prototype_over_the_width() -> None:
    # |(2, 2) - (4, 0)|^2 / 2 = 4, times mu
    assert alignment(with_bad_a(0), "align:mu=0.5")[0] == pytest.approx(2)
    assert alignment(with_bad_a(0), "align:by=mse,mu=1")[0] == pytest.approx(4)


def test_mse_moves_the_bad_modality_s_encoder_alone() -> None:
    # d/dw of .5 |w (2, 2) - (4, 0)|^2 / 2 at w = 1: .5 (-2, 2) . (2, 2) = 0; for class 1: .5 (2, 0) . (2, 2) = 2
    loss, gradient = alignment(with_bad_a(1), "align:mu=0.5")
    assert loss == pytest.approx(1)
    assert gradient["encoder.a.weight"] == pytest.approx(2)
    assert touched(gradient) == {"encoder.a.weight"}


def test_only_bad_rows_cost_and_the_mean_is_over_all_rows() -> None:
    batch = rows(
        {"a": [[2.0, 2.0]] * 4, "b": [[0.5, 0.0]] * 4},
        y=[0, 0, 0, 0],
        quality={"a": [0.25, 1.0, 0.5, 0.5]},
        present={"a": [True, True, False, True]},
        mask=[True, True, True, False],
    )
    assert alignment(batch, "align")[0] == pytest.approx(4 / 3)


def test_two_bad_modalities_cost_their_sum() -> None:
    batch = with_bad_a(0, quality=0.5)._replace(quality={"a": doubles([0.5]), "b": doubles([0.5])})
    loss, gradient = alignment(batch, "align")
    assert loss == pytest.approx(4 + 0.25 / 2)
    assert touched(gradient) == {"encoder.b.weight"}  # a is at a right angle: see above


def test_mse_costs_nothing_without_a_prototype() -> None:
    loss, gradient = alignment(with_bad_a(0), "align", {"b": PROTOTYPES["b"]})
    assert loss == 0
    assert touched(gradient) == set()


def test_contrast_is_a_softmax_over_the_cosines_at_temperature_a_tenth() -> None:
    # (3, 0) has cosine 1 with (2, 0) and 0 with (0, 1); class 2 has no prototype and is left out
    prototypes = {"a": {0: [2.0, 0.0], 1: [0.0, 1.0]}}
    batch = rows({"a": [[3.0, 0.0]]}, [0], quality={"a": [0.0]})
    assert alignment(batch, "align:by=contrast", prototypes)[0] == pytest.approx(math.log1p(math.exp(-10)))
    other = batch._replace(y=torch.tensor([1]))
    assert alignment(other, "align:by=contrast", prototypes)[0] == pytest.approx(10 + math.log1p(math.exp(-10)))


def test_contrast_costs_nothing_where_the_class_has_no_prototype() -> None:
    batch = rows({"a": [[3.0, 1.0]]}, [2], quality={"a": [0.0]})
    loss, gradient = alignment(batch, "align:by=contrast", {"a": {0: [2.0, 0.0], 1: [0.0, 1.0]}})
    assert loss == 0
    assert touched(gradient) == set()


def test_contrast_moves_the_bad_modality_s_encoder_alone() -> None:
    """With features of unit length only their direction counts, so the encoder here is turned, not scaled."""
    method = known_features(degraded="align:by=contrast", witness=Witness())
    params = weights(method)
    params["encoder.a.weight"] = doubles([1.0, 1.0]).requires_grad_()
    params["encoder.b.weight"] = doubles([1.0, 1.0]).requires_grad_()
    _, gradient = loss_and_gradient(method, params, aux_of(method, params, PROTOTYPES), with_bad_a(0))
    assert touched(gradient) == {"encoder.a.weight"}
    assert gradient["encoder.a.weight"][0] < 0 < gradient["encoder.a.weight"][1]  # towards (4, 0)


def turned(batch: Batch, prototypes: Any = PROTOTYPES, member: str = "align:by=cross", **choices: Any) -> State:
    method = known_features("".join(batch.x), degraded=member, witness=Witness(), **choices)
    params = weights(method)
    for m in batch.x:
        params[f"encoder.{m}.weight"] = doubles([1.0, 1.0]).requires_grad_()
    return loss_and_gradient(method, params, aux_of(method, params, prototypes), batch)[1]


def test_cross_contrasts_with_the_good_modality_s_prototypes() -> None:
    # a's (2, 2) has cosine .5 ** .5 with both of b's prototypes: ln 2. b's own (1, 0) is good and trains the map:
    # cosines with a's (4, 0) and (0, 2) are 1 and 0
    batch = rows({"a": [[2.0, 2.0]], "b": [[1.0, 0.0]]}, [0], quality={"a": [0.25]})
    map_loss = math.log1p(math.exp(-10))
    assert alignment(batch, "align:by=cross")[0] == pytest.approx(math.log(2) + map_loss)
    assert alignment(batch, "align:by=cross,mu=0.5")[0] == pytest.approx(0.5 * math.log(2) + map_loss)


def test_cross_is_the_mean_over_the_good_modalities() -> None:
    # the further good modality c has prototypes (1, 1) and (-1, 1): cosines 1 and 0 with (2, 2)
    prototypes = {**PROTOTYPES, "c": {0: [1.0, 1.0], 1: [-1.0, 1.0]}}
    x = {"a": [[2.0, 2.0]], "b": [[1.0, 0.0]], "c": [[1.0, 0.0]]}
    aligned = (math.log(2) + math.log1p(math.exp(-10))) / 2
    # the map's own loss: b against a (cosines 1 and 0) and c (.7 and -.7), c against a and b (1 and 0)
    far, farther = math.log1p(math.exp(-10)), math.log1p(math.exp(-10 * math.sqrt(2)))
    found, _ = alignment(rows(x, [0], quality={"a": [0.25]}), "align:by=cross", prototypes)
    assert found == pytest.approx(aligned + (far + farther) / 2 + far, rel=1e-9)
    c_is_bad_too = rows(x, [0], quality={"a": [0.25], "c": [0.5]})
    found, _ = alignment(c_is_bad_too, "align:by=cross", prototypes)
    # a against b alone: log 2; c's (1, 0) against b: far; the map by b alone
    assert found == pytest.approx(math.log(2) + far + (far + farther) / 2, rel=1e-9)


def test_cross_moves_the_bad_encoder_and_the_map_learns_from_good_features_alone() -> None:
    gradient = turned(with_bad_a(0))
    assert touched(gradient) == {"encoder.a.weight", "projection.weight"}
    no_good = with_bad_a(0)._replace(quality={"a": doubles([0.25]), "b": doubles([0.25])})
    assert touched(turned(no_good)) == set()  # nothing good to be pulled towards, nothing to train the map with


def test_cross_does_not_train_the_map_by_bad_features() -> None:
    """A bad a trains the map no more than an absent one; a good one does."""
    x = {"a": [[2.0, 1.0]], "b": [[0.5, 0.2]]}
    bad = turned(rows(x, [0], quality={"a": [0.25]}))
    absent = turned(rows(x, [0], present={"a": [False]}))
    good = turned(rows(x, [0]))
    assert absent["projection.weight"].any()
    assert bad["encoder.a.weight"].any()
    torch.testing.assert_close(bad["projection.weight"], absent["projection.weight"], rtol=1e-12, atol=1e-15)
    assert not torch.allclose(good["projection.weight"], absent["projection.weight"], rtol=1e-3, atol=1e-12)


def test_the_map_is_trained_once_where_two_members_share_it() -> None:
    x = {"a": [[2.0, 1.0]], "b": [[0.5, 0.2]]}
    once = turned(rows(x, [0]))["projection.weight"]
    twice = turned(rows(x, [0]), missing="prototype:match=cross")["projection.weight"]
    torch.testing.assert_close(twice, once)


@pytest.mark.parametrize("by", ["mse", "contrast", "cross"])
def test_alignment_costs_nothing_on_good_samples_but_for_the_map(by: str) -> None:
    gradient = turned(with_bad_a(0, quality=1.0), member=f"align:by={by}")
    assert touched(gradient) == ({"projection.weight"} if by == "cross" else set())
