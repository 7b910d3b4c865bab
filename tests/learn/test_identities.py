"""Settings under which two recipes are the same computation, and so must give the same bits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from checks import ROUGH, Choices, assert_close, assert_same_bits, finish, looks, toy

from motet.engine.private import section
from motet.nets.network import State

CLEAN: Choices = {"missing_rate": 0.0, "degraded_rate": 0.0}


def model(count: int = 2, **choices: Any) -> State:
    """Return the global model of a run on modalities of several kinds."""
    data = toy(looks(count), clients=2, each=12, test=6)
    return finish(data, degradation="dropout", **choices).state.shared["model"]


def without_map(state: State) -> State:
    return {name: value for name, value in state.items() if not name.startswith("projection")}


def differs(one: State, other: State) -> bool:
    return any(not torch.equal(one[name], other[name]) for name in other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("recipe", ["fedavg", "partial", "pmm", "qqr"])
def test_without_imbalance_a_recipe_gives_the_bits_of_full(recipe: str, dtype: str) -> None:
    assert_same_bits(model(recipe=recipe, dtype=dtype, **CLEAN), model(recipe="full", dtype=dtype, **CLEAN))


@pytest.mark.parametrize(
    "choices",
    [
        {"missing": "skip"},
        {"missing": "prototype:match=nearest"},
        {"missing": "prototype:match=cross"},
        {"degraded": "drop"},
        {"degraded": "replace"},
        {"degraded": "align"},
        {"degraded": "align:by=contrast"},
        {"degraded": "align:by=cross"},
        {"drift": "proximal:mu=0"},
    ],
    ids=str,
)
def test_without_imbalance_a_member_gives_the_bits_of_full(choices: Choices) -> None:
    found = model(recipe="qqr", **CLEAN, **choices)
    assert_same_bits(without_map(found), model(recipe="full", **CLEAN))


def test_full_sees_nothing_of_the_imbalance() -> None:
    assert_same_bits(model(recipe="full", **ROUGH), model(recipe="full", **CLEAN))
    assert_same_bits(model(recipe="full", **ROUGH), model(recipe="fedavg", **CLEAN))


def test_imbalance_changes_every_recipe_but_full() -> None:
    """Without this the identities above would hold for nothing."""
    full = model(recipe="full", seed=2, **CLEAN)
    found = {recipe: model(recipe=recipe, seed=2, **ROUGH) for recipe in ("fedavg", "partial", "pmm", "qqr")}
    for recipe, state in found.items():
        assert differs(state, full), recipe
    assert differs(found["qqr"], found["pmm"])
    assert differs(found["partial"], found["pmm"])


@pytest.mark.parametrize("by", ["mse", "contrast", "cross"])
def test_alignment_of_no_weight_is_pmm(by: str) -> None:
    choices: Choices = {"degraded": f"align:by={by},mu=0"}
    assert_same_bits(without_map(model(recipe="pmm", **choices, **ROUGH)), model(recipe="pmm", **ROUGH))


@pytest.mark.parametrize("member", ["align", "align:by=contrast", "align:by=cross", "blend", "replace", "drop"])
def test_without_degradation_whatever_mends_is_pmm(member: str) -> None:
    missing: Choices = {"missing_rate": 0.5}
    found = model(recipe="pmm", degraded=member, **missing)
    assert_same_bits(without_map(found), model(recipe="pmm", **missing))


def test_alignment_of_some_weight_is_not_pmm() -> None:
    choices: Choices = {"degraded": "align", "degraded_rate": 1.0, "rounds": 3}
    assert differs(model(recipe="pmm", **choices), model(recipe="pmm", degraded_rate=1.0, rounds=3))


def test_a_delay_of_one_and_32_bits_are_the_base() -> None:
    base = model(recipe="pmm", **ROUGH)
    assert_same_bits(model(recipe="pmm", prototype_delay=1, prototype_bits=32, **ROUGH), base)
    assert_same_bits(model(recipe="qqr", degraded="as-is", prototype_bits=32, **ROUGH), base)


def test_a_longer_delay_or_fewer_bits_are_not() -> None:
    rounds: Choices = {"recipe": "pmm", "rounds": 3, "missing_rate": 1.0}
    base = model(**rounds)
    assert differs(model(prototype_delay=2, **rounds), base)
    assert differs(model(prototype_bits=4, **rounds), base)


def test_a_proximal_pull_of_no_weight_is_fedavg() -> None:
    base = model(recipe="fedavg", **ROUGH)
    assert_same_bits(model(recipe="fedprox", proximal=0, **ROUGH), base)
    assert differs(model(recipe="fedprox", **ROUGH), base)


def test_what_oracle_flags_call_useless_is_replaced_by_blending_too() -> None:
    """The oracle's quality is 0, at which z + (P - z) is P but for rounding."""
    found = [model(recipe="qqr", degraded=member, **ROUGH) for member in ("blend", "replace")]
    assert_close(found[0], found[1], 1e-10)


def test_before_the_first_prototypes_pmm_skips() -> None:
    assert_same_bits(
        model(recipe="pmm", rounds=1, missing_rate=0.5), model(recipe="partial", rounds=1, missing_rate=0.5)
    )


@pytest.mark.parametrize("recipe", ["partial", "pmm", "qqr"])
def test_with_one_modality_nothing_can_be_missing(recipe: str) -> None:
    assert_same_bits(model(1, recipe=recipe, missing_rate=1.0), model(1, recipe="full"))


def test_local_of_one_client_is_partial_of_one_client() -> None:
    """But for rounding: the server adds the difference that the client took."""
    data = toy(looks(2), clients=1, each=16, test=6)
    choices: Choices = {"rounds": 3, "missing_rate": 0.5}
    local = section(finish(data, recipe="local", **choices).state.private[0], "model")
    assert_close(finish(data, recipe="partial", **choices).state.shared["model"], local, 1e-12)


def test_late_of_one_modality_is_the_plain_loss_and_late_unimodal_is_twice_it() -> None:
    late = model(1, recipe="late", lr=0.1, lr_min=0)
    assert_close(model(1, recipe="late-unimodal", lr=0.05, lr_min=0), late, 1e-12)


def test_equal_parts_start_equal_in_every_recipe() -> None:
    data = toy(2, clients=1, each=8)
    recipes = ("fedavg", "late", "local", "qqr")
    first, *others = [finish(data, recipe=recipe, rounds=1).federation.method.network.state() for recipe in recipes]
    for state in others:
        shared = sorted(set(state) & set(first))
        assert {name for name in first if name.startswith("encoder")} <= set(shared)
        assert_same_bits({name: state[name] for name in shared}, {name: first[name] for name in shared})
