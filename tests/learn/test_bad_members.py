"""The checks that every member passes are worth something: members that break a rule do not pass them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import test_every_recipe as generic
import torch

from motet.errors import MotetError
from motet.learn.family import FAMILIES
from motet.learn.missing.skip import Skip
from motet.learn.sample import Batch, Net, Slots


def _plus(slots: Slots, number: Any) -> Slots:
    return slots._replace(value={m: z + number for m, z in slots.value.items()})


@dataclass(frozen=True)
class Remembers(Skip):
    """Changes with every prediction."""

    calls: list[int] = field(default_factory=list)

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        self.calls.append(1)
        return _plus(super().fill(net, aux, slots, batch), len(self.calls))


@dataclass(frozen=True)
class Cheats(Skip):
    """Looks at the class, in training and at prediction alike."""

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        assert batch.y is not None
        return _plus(super().fill(net, aux, slots, batch), batch.y[:, None])


@dataclass(frozen=True)
class Gambles(Skip):
    """Draws random numbers of its own."""

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        return _plus(super().fill(net, aux, slots, batch), torch.rand(()))


@dataclass(frozen=True)
class Branches(Skip):
    """Does one thing or another, as the data have it."""

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        found = super().fill(net, aux, slots, batch)
        return _plus(found, 1) if next(iter(slots.value.values())).sum() > 0 else found


@dataclass(frozen=True)
class Mixes(Skip):
    """Lets the rows of a minibatch see each other, padding among them."""

    def fill(self, net: Net, aux: dict[str, Any], slots: Slots, batch: Batch) -> Slots:
        return _plus(super().fill(net, aux, slots, batch), next(iter(slots.value.values())).mean())


@pytest.mark.parametrize(
    ("bad", "check", "with_count", "caught"),
    [
        (Remembers, generic.test_prediction_changes_no_state_and_needs_no_label, True, AssertionError),
        (Cheats, generic.test_prediction_changes_no_state_and_needs_no_label, True, AssertionError),
        (Cheats, generic.test_predictions_never_see_the_test_labels, False, (AssertionError, MotetError)),
        (Gambles, generic.test_the_seed_alone_decides_every_bit, False, AssertionError),
        (Branches, generic.test_many_clients_at_once_are_one_after_another, True, RuntimeError),
        (Mixes, generic.test_padded_rows_never_matter, True, AssertionError),
    ],
)
def test_a_member_that_breaks_a_rule_is_caught(
    bad: type[Skip],
    check: Callable[..., None],
    with_count: bool,
    caught: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FAMILIES["missing"], "bad", bad)
    given = ({"recipe": "fedavg", "missing": "bad"}, 2) if with_count else ({"recipe": "fedavg", "missing": "bad"},)
    with pytest.raises(caught):
        check(*given)


def test_only_what_is_broken_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same cases with nothing wrong in them pass."""
    monkeypatch.setitem(FAMILIES["missing"], "good", Skip)
    case = {"recipe": "fedavg", "missing": "good"}
    generic.test_prediction_changes_no_state_and_needs_no_label(case, 2)
    generic.test_the_seed_alone_decides_every_bit(case)
    generic.test_many_clients_at_once_are_one_after_another(case, 2)
    generic.test_padded_rows_never_matter(case, 2)
    generic.test_predictions_never_see_the_test_labels(case)
