"""Combinations drawn at random of all families pass the checks that recipes pass; one that makes no sense says why."""

from __future__ import annotations

import numpy as np
import pytest
import test_every_recipe as generic
from checks import ROUGH, Choices, assert_finite, encoders, finish, looks, toy, trained

from motet.errors import InputError
from motet.learn.family import FAMILIES

COUNT = 40
MODALITIES = (1, 2, 3, 6)
UPLOADS = ("dense", "q8", "topk", "topk+memory", "topk+memory+q8+deflate:share=0.3")
SERVER = ("none", "momentum", "adam")


def _drawn() -> list[tuple[Choices, int]]:
    """Draw combinations that make sense, for each number of modalities in turn."""
    rng = np.random.default_rng(4)
    found: list[tuple[Choices, int]] = []
    while len(found) < COUNT:
        case: Choices = {family: str(rng.choice(list(members))) for family, members in FAMILIES.items()}
        case |= {
            "upload": str(rng.choice(UPLOADS)),
            "weights": str(rng.choice(["equal", "samples"])),
            "server_optimizer": str(rng.choice(SERVER)),
            "unimodal_share": float(rng.choice([0, 0.5])),
        }
        if case["aggregate"] == "none" and (
            case["drift"] in ("scaffold", "moon") or case["server_optimizer"] != "none"
        ):
            continue
        found.append((case, MODALITIES[len(found) % len(MODALITIES)]))
    return found


COMBINATIONS = _drawn()
every_combination = pytest.mark.parametrize(
    ("case", "count"), COMBINATIONS, ids=["-".join(map(str, case.values())) for case, _ in COMBINATIONS]
)


@every_combination
def test_a_combination_passes_the_checks(case: Choices, count: int) -> None:
    share = {"unimodal_share": case["unimodal_share"] if count > 1 else 0.0}
    data = toy(looks(count), clients=4, each=12, test=6)
    finished = finish(data, encoder=encoders(count), **{**ROUGH, "degradation": "dropout", **case, **share})
    assert_finite(trained(finished))
    own = {key: value for key, value in case.items() if key != "unimodal_share"}
    generic.test_padded_rows_never_matter(own, count)
    generic.test_an_empty_minibatch_changes_nothing(own, count)
    generic.test_prediction_changes_no_state_and_needs_no_label(own, count)
    generic.test_many_clients_at_once_are_one_after_another(own, count)


@every_combination
def test_a_combination_learns_the_same_in_both_engines_and_in_any_order(case: Choices, count: int) -> None:
    own = {key: value for key, value in case.items() if key != "unimodal_share"}
    generic.test_blocks_of_clients_learn_what_clients_learn_one_by_one(own)
    generic.test_the_seed_alone_decides_every_bit(own)
    generic.test_predictions_never_see_the_test_labels(own)


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ({"aggregate": "none", "drift": "scaffold"}, "--drift scaffold needs a model that clients share"),
        ({"aggregate": "none", "drift": "moon"}, "--drift moon needs a model that clients share"),
        ({"aggregate": "none", "server_optimizer": "adam"}, "with --aggregate none the server has nothing"),
        ({"drift": "scaffold", "optimizer": "adam"}, "--drift scaffold goes with plain SGD"),
    ],
)
def test_what_makes_no_sense_together_says_why(case: Choices, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        finish(toy(), recipe="fedavg", **case)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
