"""What a round's line of the history says of the prototypes that the round leaves, and of the updates sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from people import federation, finish, people

from motet.engine.run import Runner
from motet.engine.state import initial_state
from motet.engine.watch import Watch
from motet.measure.meaning import agreement, separation


@pytest.mark.parametrize("recipe", ["pmm", "qqr"])
def test_each_round_says_whether_prototypes_mean_something(recipe: str) -> None:
    finished = finish(recipe=recipe)
    found = [line.meaning for line in finished.result.history]
    assert all(meaning and meaning.agreement.keys() == {"move~body"} for meaning in found)
    assert all(meaning and meaning.separation.keys() == {"move", "body"} for meaning in found)
    last, prototypes = found[-1], finished.state.shared["prototypes"]
    assert last is not None
    assert last.agreement == agreement(prototypes)
    assert last.separation == separation(prototypes)
    assert None not in (*last.agreement.values(), *last.separation.values())
    assert found[0] != last


@pytest.mark.parametrize("recipe", ["fedavg", "partial", "full"])
def test_without_prototypes_there_is_nothing_to_say(recipe: str) -> None:
    assert all(line.meaning is None for line in finish(recipe=recipe).result.history)


def test_one_modality_is_compared_with_none() -> None:
    meaning = finish(people().only(["move"]), recipe="pmm").result.history[-1].meaning
    assert meaning is not None
    assert meaning.agreement == {}
    assert meaning.separation.keys() == {"move"}


def sizes(**settings: Any) -> list[dict[str, float]]:
    return [line.update_norm or {} for line in finish(**settings).result.history]


@pytest.mark.parametrize("recipe", ["partial", "late"])
def test_the_size_of_updates_is_the_mean_over_clients(recipe: str) -> None:
    """One client in one round moves the global model by its update, so the norm is that of the move."""
    finished = finish(people(clients=1), recipe=recipe, rounds=1)
    start, end = initial_state(finished.federation).shared["model"], finished.state.shared["model"]
    found = finished.result.history[0].update_norm
    for m in ("move", "body"):
        names = [name for name in end if name.split(".")[1] == m]
        assert any(name.startswith("encoder") for name in names)
        assert any(name.startswith("head") for name in names) == (recipe == "late")
        moved = torch.cat([(end[name] - start[name]).flatten() for name in names])
        assert found is not None
        assert found[m] == pytest.approx(float(moved.norm()), rel=1e-5)


def test_both_engines_say_the_same_size() -> None:
    settings = {"recipe": "partial", "dtype": "float64", "missing_rate": 0.6, "rounds": 4}
    one, other = sizes(**settings, engine="loop"), sizes(**settings, engine="vector")
    for found, expected in zip(one, other, strict=True):
        assert found == pytest.approx(expected, rel=1e-9)
    assert one[0].keys() == {"move", "body"}


def test_who_did_not_train_a_modality_does_not_count() -> None:
    """Two of four clients have no body sensor: the mean is over the other two."""
    every = np.arange(4 * 18 + 24)
    some = people(present={"body": (every % 4 < 2) | (every >= 4 * 18)})
    built = federation(some, engine="loop", rounds=1)
    runner, state = Runner(built, Watch()), initial_state(built)
    broadcast = runner.server.broadcast(state)
    sent = [outcome.model for outcome in runner.trainer.train(1, [0, 1, 2, 3], broadcast, state.private)]
    own = [[value for name, value in one.content.items() if "body" in name] for one in sent if one is not None]
    assert [bool(values) for values in own] == [True, True, False, False]
    norms = [sum(float((value**2).sum()) for value in values) ** 0.5 for values in own[:2]]
    assert sizes(data=some, engine="loop", rounds=1)[0]["body"] == pytest.approx(sum(norms) / 2, rel=1e-5)


def test_who_sends_nothing_has_no_update() -> None:
    assert sizes(recipe="local") == [{}] * 3
