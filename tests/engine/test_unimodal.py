"""Clients that own one modality only, in a run: who they are, what they send, and what the record says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from people import configured, federation, finish, people

from motet.data.dataset import TRAIN
from motet.engine.federation import build_federation
from motet.engine.interrupt import Stop
from motet.engine.run import Runner
from motet.engine.state import ServerState, initial_state
from motet.engine.watch import Watch
from motet.learn.recipe import RECIPES
from motet.record.folder import Memory

ROUGH: dict[str, Any] = {"missing_rate": 0.5, "degraded_rate": 0.5, "buffer": 6, "arrivals": 3}


def test_every_recipe_meets_the_same_clients() -> None:
    drawn = [federation(recipe=name, unimodal_share=0.5).partition.unimodal for name in RECIPES]
    assert all(unimodal == drawn[0] for unimodal in drawn)
    assert sorted(drawn[0].values()) == ["body", "move"]
    others = [federation(unimodal_share=0.5, seed=seed).partition.unimodal for seed in range(1, 6)]
    assert any(unimodal != drawn[0] for unimodal in others)


@pytest.mark.parametrize("recipe", ["qqr", "full"])
def test_they_have_it_in_every_round_and_the_test_split_has_both(recipe: str) -> None:
    made = federation(recipe=recipe, unimodal_share=0.5, **ROUGH)
    for number in range(1, 8):
        for k, only in made.partition.unimodal.items():
            view = made.views.view(number, k)
            assert all(there.all() == (m == only) for m, there in view.present.items())
            assert not any(x.any() for m, x in view.x.items() if m != only)
    assert all(there.all() for there in made.test.present.values())


def test_without_them_a_run_keeps_its_bits() -> None:
    plain, none = finish(recipe="qqr", **ROUGH), finish(recipe="qqr", unimodal_share=0.1, **ROUGH)  # 0.1 x 4 is none
    assert plain.result.bytes == none.result.bytes
    for name, value in plain.state.shared["model"].items():
        assert torch.equal(value, none.state.shared["model"][name])


def test_with_a_single_modality_there_is_nothing_to_take() -> None:
    one, other = (finish(people().only(["move"]), unimodal_share=share, **ROUGH) for share in (0.0, 1.0))
    for name, value in one.state.shared["model"].items():
        assert torch.equal(value, other.state.shared["model"][name])


def test_they_send_neither_the_encoder_nor_the_sums_of_another() -> None:
    whole, alone = finish(recipe="partial"), finish(recipe="partial", unimodal_share=1.0)
    for kind in ("scale", "model"):
        assert alone.result.bytes.up_by_kind[kind] < whole.result.bytes.up_by_kind[kind]
    made = alone.federation
    training = np.flatnonzero(people().split == TRAIN)
    for m in ("move", "body"):
        owners = [k for k, only in made.partition.unimodal.items() if only == m]
        held = training[np.isin(people().client[training], owners)]  # type: ignore[index]
        x = np.moveaxis(people().x[m][held].astype(np.float64), 1, 0)
        np.testing.assert_allclose(made.scale.mean[m], x.reshape(len(x), -1).mean(1), rtol=1e-9)
        np.testing.assert_allclose(made.scale.deviation[m], x.reshape(len(x), -1).std(1), rtol=1e-9)


def test_the_record_says_who_owns_what_and_who_had_what() -> None:
    result = finish(unimodal_share=0.5, missing_rate=0.6, missing_modality="move", participation=0.75).result
    assert sorted(result.data["unimodal"].values()) == ["body", "move"]
    assert result.data["owners"] == {"move": 3, "body": 3}
    assert result.data["dropped"] == 0
    for line in result.history:
        assert line.clients == 3
        lacking = {m: sum(share == 1 for share in line.missing.get(m, {}).values()) for m in ("move", "body")}
        assert line.participation == {m: 3 - lacking[m] for m in ("move", "body")}
    assert len({line.participation["move"] for line in result.history}) > 1


def test_samples_with_nothing_to_show_are_left_out_and_counted() -> None:
    data = people()
    data.present["body"] = np.arange(96) >= 36  # of each client's 18 samples 9 have it
    result = finish(data, unimodal_share=1.0).result
    assert sorted(result.data["unimodal"].values()) == ["body", "body", "move", "move"]
    assert result.data["dropped"] == 18
    assert result.data["train_samples"] == 54


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("choices", [{"recipe": "qqr", "flags": "assessed"}, {"recipe": "local"}])
def test_a_run_goes_on_with_the_same_bits(share: float, choices: dict[str, Any]) -> None:
    config = configured(unimodal_share=share, **choices, **ROUGH)
    unbroken = Runner(build_federation(config, people(), Watch()), Watch())
    end = unbroken.go(initial_state(unbroken.federation), Memory())
    first = Runner(build_federation(config, people(), Watch()), Watch())
    half, _ = first.step(initial_state(first.federation), Stop())
    second = Runner(build_federation(config, people(), Watch()), Watch())
    back = ServerState.from_checkpoint(*half.to_checkpoint(), expected=initial_state(second.federation))
    again = second.go(back, Memory())
    one, other = end.to_checkpoint()[0], again.to_checkpoint()[0]
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)
