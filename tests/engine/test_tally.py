"""What a round's line of the history says of the prototypes that the round leaves."""

from __future__ import annotations

import pytest
from people import finish, people

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
