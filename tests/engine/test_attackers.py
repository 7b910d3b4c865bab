"""Hostile clients in a run: who they are, that engines agree on what they do, and that the record says so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from meddling import same_tensors
from people import configured, federation, finish, people

from motet.config import Config
from motet.engine.attackers import ATTACKS, Attackers, hostile_clients
from motet.engine.run import Finished
from motet.errors import InputError
from motet.record.report import run_report
from motet.record.table import run_rows
from motet.values import Attack
from twins import assert_twins

each_attack = pytest.mark.parametrize("attack", ATTACKS)
ROUGH: dict[str, Any] = {"recipe": "qqr", "missing_rate": 0.5, "degraded_rate": 0.5, "buffer": 6, "arrivals": 3}


def hostile(clients: int, seed: int = 0, **settings: Any) -> list[int]:
    return hostile_clients(configured(attack="scaled", seed=seed, **settings), clients)


def test_every_attack_that_can_be_named_is_there() -> None:
    assert set(ATTACKS) == set(Attack.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("share", "clients", "count"), [(0.0, 9, 0), (0.3, 10, 3), (0.34, 3, 1), (0.1, 4, 0), (1, 5, 5)]
)
def test_as_many_are_hostile_as_the_share_says(share: float, clients: int, count: int) -> None:
    found = hostile(clients, hostile_share=share)
    assert len(found) == count
    assert found == sorted(set(found))
    assert set(found) <= set(range(clients))


def test_the_seed_draws_who_is_hostile_and_nothing_else_does() -> None:
    drawn = {tuple(hostile(20, seed, hostile_share=0.3)) for seed in range(5)}
    assert len(drawn) == 5
    assert hostile(20, hostile_share=0.3) == hostile(20, hostile_share=0.3, recipe="pmm", rounds=9)
    assert set(hostile(20, hostile_share=0.3)) < set(hostile(20, hostile_share=0.5))


def attacked(attack: str, share: float = 0.5, **settings: Any) -> Finished:
    return finish(people(), attack=attack, hostile_share=share, dtype="float64", **{**ROUGH, **settings})


@each_attack
@pytest.mark.parametrize("settings", [{}, {"upload": "topk+memory", "drift": "scaffold", "lr": 0.01}], ids=str)
def test_engines_agree_on_what_hostile_clients_do(attack: str, settings: dict[str, Any]) -> None:
    found, expected = (
        attacked(attack, engine="vector", chunk=3, **settings),
        attacked(attack, engine="loop", **settings),
    )
    assert_twins(found, expected)
    assert found.result.refused == {}  # it is within the bounds


@each_attack
def test_an_attack_changes_the_run_and_an_empty_one_no_bit(attack: str) -> None:
    honest = finish(people(), dtype="float64", **ROUGH).state.to_checkpoint()[0]
    assert same_tensors(attacked(attack, share=0.1).state.to_checkpoint()[0], honest)  # of four clients, nobody
    changed = attacked(attack).state.to_checkpoint()[0]
    moved = {name.split("/")[1] for name in honest if not torch.equal(changed[name], honest[name])}
    assert "prototypes" in moved or attack == "label-flip"
    assert "model" in moved


def test_what_is_drawn_is_the_same_for_those_who_collude_and_for_nobody_else() -> None:
    built = federation(recipe="fedavg")

    def sent(attack: str, client: int, round: int = 1) -> torch.Tensor:  # noqa: A002
        config = configured(recipe="fedavg", attack=attack, hostile_share=1.0)
        model = built.method.network.state()
        delta = {name: torch.ones_like(value)[None] for name, value in model.items()}
        delta = {name: value + torch.arange(value.numel()).reshape(value.shape) for name, value in delta.items()}
        held = {name: torch.tensor([True]) for name in delta}
        found = Attackers(config, built.method, 4).updates(round, [client], delta, held, model)
        return torch.cat([value.flatten() for value in found.values()])

    assert torch.equal(sent("colluding", 0), sent("colluding", 3, 2))
    model = torch.cat([value.flatten() for value in built.method.network.state().values()])
    assert sent("colluding", 0).norm() == pytest.approx(model.norm())
    assert torch.equal(sent("noise", 0), sent("noise", 0))
    assert not torch.equal(sent("noise", 0), sent("noise", 1))
    assert not torch.equal(sent("noise", 0), sent("noise", 0, 2))


def test_honest_clients_of_a_block_send_what_they_would_have_sent() -> None:
    config = configured(attack="sign-flip", hostile_share=0.5)
    who = hostile_clients(config, 4)
    delta = {"head.0.bias": torch.arange(16.0).reshape(4, 4)}
    held = {"head.0.bias": torch.arange(4) != who[0]}
    found = Attackers(config, federation().method, 4).updates(1, [0, 1, 2, 3], delta, held, {})["head.0.bias"]
    for k in range(4):
        flipped = k == who[1]  # the other has no such parameter
        assert torch.equal(found[k], delta["head.0.bias"][k] * (-3 if flipped else 1))


def test_predictions_are_scored_by_true_classes() -> None:
    """All train on mirrored classes; before the first step the model is nobody's, and scores what it scored."""
    one, other = (finish(people(), rounds=1, buffer=6, arrivals=3, **own).result for own in ({}, FLIPPED))
    assert one.history[0].online_accuracy == other.history[0].online_accuracy
    assert one.history[0].train_loss != other.history[0].train_loss


FLIPPED: dict[str, Any] = {"attack": "label-flip", "hostile_share": 1.0}


def test_the_record_says_that_a_run_was_attacked() -> None:
    result = attacked("scaled").result
    who = hostile_clients(configured(attack="scaled", hostile_share=0.5), 4)
    assert result.attack is not None
    assert (result.attack.name, result.attack.clients) == ("scaled", [str(k) for k in who])
    assert dict(run_rows(result))["attacked"] == "scaled by 2 clients"
    assert f"scaled by clients {who[0]} and {who[1]}." in run_report(result)
    honest = finish().result
    assert honest.attack is None
    assert "attacked" not in dict(run_rows(honest))
    assert "Hostile" not in run_report(honest)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hostile_share": 0.5}, "--hostile-share says how many are hostile, not what they do: name an --attack"),
        ({"attack": "prototype-poisoning", "recipe": "fedavg"}, "needs a recipe whose clients send prototypes"),
        ({"attack": "scaled", "recipe": "local"}, "--attack scaled changes updates, and --aggregate none joins none"),
        ({"attack": "scaled", "recipe": "t-fedavg"}, "--attack scaled changes updates, and --upload ternary"),
        ({"attack": "scale", "hostile_share": 0.1}, "unknown value of --attack 'scale': did you mean 'scaled'"),
        ({"attack": "scaled", "hostile_share": 1.1}, "--hostile-share must be less than or equal to 1"),
    ],
)
def test_an_attack_on_nothing_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        finish(**settings)


def test_nobody_is_hostile_unless_it_is_asked_for() -> None:
    assert (Config().hostile.hostile_share, Config().hostile.attack) == (0, None)
