"""What modalities are worth to a trained model: by hand, adding up, and where samples lack some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from people import Heard, finish, people

from motet.data.dataset import ArrayDataset, Modality
from motet.engine.run import Finished
from motet.engine.watch import Watch
from motet.engine.worth import modality_worth
from motet.errors import InputError
from motet.record.worth import Share, Worth

DATA = people(each=30)


def worth(finished: Finished) -> Worth:
    return modality_worth(finished.federation, finished.state, Watch())


def with_more(count: int) -> ArrayDataset:
    """Make people who carry some more sensors, of which none tells anything."""
    rng = np.random.default_rng(1)
    extra = {f"m{i}": Modality(f"m{i}", "vector", (2,)) for i in range(count)}
    x = {m: rng.standard_normal((len(DATA.y), 2)).astype(np.float32) for m in extra}
    return replace(DATA, modalities={**DATA.modalities, **extra}, x={**DATA.x, **x}, present={})


def check_adds_up(share: Share, chance: float) -> None:
    assert sum(share.worth.values()) == pytest.approx(share.accuracy - chance)


@pytest.mark.parametrize("recipe", ["fedavg", "qqr", "late", "local"])
def test_two_modalities_by_hand(recipe: str) -> None:
    finished = finish(DATA, recipe=recipe, rounds=4)
    found, final = worth(finished), finished.result.final
    assert found.chance == pytest.approx(1 / 3)
    assert found.reached == pytest.approx(final.accuracy_by_present)
    both, move, body = (final.accuracy_by_present[kept] for kept in ("move+body", "move", "body"))
    by_hand = {"move": (move - 1 / 3 + both - body) / 2, "body": (body - 1 / 3 + both - move) / 2}
    assert found.overall.worth == pytest.approx(by_hand)
    assert (found.overall.accuracy, found.overall.samples) == (pytest.approx(final.accuracy), 24)


def test_it_adds_up_in_all_by_class_and_by_client() -> None:
    finished = finish(with_more(2), recipe="qqr", rounds=2)
    found, final = worth(finished), finished.result.final
    assert list(found.overall.worth) == ["move", "body", "m0", "m1"]
    assert list(found.by_class) == ["sit", "walk", "run"]
    assert [share.accuracy for share in found.by_class.values()] == pytest.approx(final.accuracy_by_class)
    assert {k: share.accuracy for k, share in found.by_client.items()} == pytest.approx(final.accuracy_by_client)
    for shares in (found.by_class, found.by_client):
        assert sum(share.samples for share in shares.values()) == 24
        for share in shares.values():
            check_adds_up(share, found.chance)
        for m, value in found.overall.worth.items():
            mean = sum(share.samples * share.worth[m] for share in shares.values()) / 24
            assert mean == pytest.approx(value)
    check_adds_up(found.overall, found.chance)


def test_one_modality_is_worth_all_above_chance() -> None:
    finished = finish(DATA.only(["move"]))
    assert worth(finished).overall.worth == pytest.approx({"move": finished.result.final.accuracy - 1 / 3})


def test_a_modality_that_the_test_split_lacks_is_worth_nothing() -> None:
    finished = finish(DATA, test_missing="body")
    found = worth(finished)
    assert found.overall.worth["body"] == 0
    assert found.overall.worth["move"] == pytest.approx(finished.result.final.accuracy - 1 / 3)


def test_a_sample_with_nothing_left_counts_as_chance() -> None:
    data = people(each=30, present={"body": np.arange(4 * 30 + 24) % 5 < 2})  # 10 of the 24 in the test split
    finished = finish(data)
    found, hits = worth(finished), finished.result.final.accuracy_by_present["body"]
    assert found.reached["body"] == pytest.approx((10 * hits + 14 / 3) / 24)
    check_adds_up(found.overall, found.chance)


def test_unknown_clients_and_absent_classes_are_left_out() -> None:
    y = np.where(DATA.split == 2, DATA.y % 2, DATA.y)
    found = worth(finish(replace(DATA, y=y, client=None), clients=3))
    assert found.by_client == {}
    assert list(found.by_class) == ["sit", "walk"]


def test_eight_modalities_are_the_most() -> None:
    found = worth(finish(with_more(6), rounds=1))
    assert (len(found.reached), len(found.overall.worth)) == (255, 8)
    check_adds_up(found.overall, found.chance)
    with pytest.raises(InputError, match=r"9 modalities have 512 subsets.*8 at most, chosen by --modalities"):
        worth(finish(with_more(7), rounds=1))


def test_who_waits_hears_of_each_subset() -> None:
    finished, heard = finish(DATA), Heard()
    modality_worth(finished.federation, finished.state, heard)
    assert heard.said == [("predicting", 4)]
