"""Prototypes: built on devices, packed, joined at the server; every number worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from checks import ROUGH, assert_close, assert_same_bits, rows, story, toy
from checks import settings as configured
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from motet.config import RecipeSettings
from motet.learn import prototypes as proto
from motet.nets.network import State


def doubles(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# --- On a device -------------------------------------------------------------------------------------------------


def summary_of_six_samples() -> dict[str, dict[str, Tensor]]:
    """Summarise two good samples of class 0, one of class 2, and a flagged, a missing and a padded one."""
    features = [[1.0, 2.0], [3.0, 6.0], [100.0, 100.0], [5.0, 5.0], [4.0, 0.0], [7.0, 7.0]]
    batch = rows(
        {"a": features, "b": features},
        y=[0, 0, 0, 1, 2, 0],
        present={"a": [True, True, True, False, True, True], "b": [False] * 6},
        quality={"a": [1, 1, 0.5, 1, 1, 1]},
        mask=[True] * 5 + [False],
    )
    return proto.summarise(batch.x, batch, classes=3)


def test_a_prototype_is_the_mean_of_a_class_s_good_samples() -> None:
    found = summary_of_six_samples()
    assert torch.equal(found["mean"]["a"], doubles([[2, 4], [0, 0], [4, 0]]))
    assert found["count"]["a"].tolist() == [2, 0, 1]


def test_variance_is_that_within_classes_averaged_over_features_and_samples() -> None:
    # class 0 deviates by (-1, -2) and (1, 2), squares 10 in all; class 2 by nothing; 2 features, 3 samples
    torch.testing.assert_close(summary_of_six_samples()["variance"]["a"], doubles(10 / 6))


def test_a_modality_that_no_sample_has_gives_zeros() -> None:
    found = summary_of_six_samples()
    assert not found["mean"]["b"].any()
    assert not found["count"]["b"].any()
    assert found["variance"]["b"] == 0


def test_a_message_holds_only_what_the_client_has() -> None:
    message = proto.pack(summary_of_six_samples())
    assert set(message) == {"mean/a", "count/a", "variance/a"}
    assert torch.equal(message["mean/a"], doubles([[2, 4], [4, 0]]))
    assert message["count/a"].tolist() == [2, 0, 1]
    assert message["count/a"].dtype == torch.int32


def test_a_client_without_any_good_sample_has_nothing_to_say() -> None:
    batch = rows({"a": [[1.0, 2.0]]}, y=[0], quality={"a": [0.0]})
    assert proto.pack(proto.summarise(batch.x, batch, classes=2)) == {}


# --- At the server -----------------------------------------------------------------------------------------------


def contribution(by_class: Mapping[int, tuple[list[float], int]], variance: float, m: str = "a") -> State:
    """Return a message: class to prototype and number of samples."""
    count = torch.zeros(3, dtype=torch.int32)
    for label, (_, samples) in by_class.items():
        count[label] = samples
    means = [by_class[label][0] for label in sorted(by_class)]
    return {f"mean/{m}": doubles(means), f"count/{m}": count, f"variance/{m}": doubles(variance)}


def joined(state: State, messages: list[State], **choices: Any) -> State:
    joiner = proto.Joiner(state, RecipeSettings(**choices))
    for message in messages:
        classes = len(next(value for name, value in state.items() if name.startswith("mean/")))
        joiner.add({name: value[None] for name, value in proto.unpack(message, classes).items()})
    return joiner.finish()


FIRST_ROUND = [
    contribution({0: ([2, 4], 2)}, variance=1.5),
    contribution({0: ([4, 0], 6), 1: ([1, 1], 1)}, variance=0.5),
]


@pytest.fixture
def empty() -> State:
    return proto.initial(["a", "b"], 3, 2, torch.float64)


def test_clients_count_alike(empty: State) -> None:
    found = joined(empty, FIRST_ROUND)
    torch.testing.assert_close(found["mean/a"], doubles([[3, 2], [1, 1], [0, 0]]))
    assert found["updates/a"].tolist() == [1, 1, 0]


def test_clients_may_count_by_their_samples(empty: State) -> None:
    found = joined(empty, FIRST_ROUND, prototype_weights="samples")
    torch.testing.assert_close(found["mean/a"], doubles([[3.5, 1], [1, 1], [0, 0]]))


def test_variance_is_the_mean_over_clients(empty: State) -> None:
    torch.testing.assert_close(joined(empty, FIRST_ROUND)["variance/a"], doubles(1))


def test_a_modality_without_any_contribution_stays(empty: State) -> None:
    found = joined(empty, FIRST_ROUND)
    for name in ("mean/b", "updates/b", "variance/b"):
        assert torch.equal(found[name], empty[name])


def test_a_round_without_contributions_changes_nothing(empty: State) -> None:
    before = joined(empty, FIRST_ROUND)
    assert_same_bits(joined(before, [{}, {}]), before)


def test_the_moving_average_keeps_seven_tenths(empty: State) -> None:
    before = joined(empty, FIRST_ROUND)
    found = joined(before, [contribution({0: ([10, -10], 1)}, variance=3)])
    torch.testing.assert_close(found["mean/a"][0], doubles([0.7 * 3 + 0.3 * 10, 0.7 * 2 - 0.3 * 10]))
    torch.testing.assert_close(found["mean/a"][0], doubles([5.1, -1.6]))
    torch.testing.assert_close(found["variance/a"], doubles(1.6))  # .7 * 1 + .3 * 3
    assert torch.equal(found["mean/a"][1], doubles([1, 1]))  # nobody had class 1
    assert found["updates/a"].tolist() == [2, 1, 0]


@pytest.mark.parametrize("average", ["ema", "cumulative"])
def test_a_class_first_seen_late_takes_its_first_value_as_it_is(empty: State, average: str) -> None:
    before = joined(joined(empty, FIRST_ROUND), FIRST_ROUND)
    found = joined(before, [contribution({2: ([9, -9], 1)}, variance=1)], prototype_average=average)
    assert torch.equal(found["mean/a"][2], doubles([9, -9]))
    assert found["updates/a"].tolist() == [2, 2, 1]


def test_the_cumulative_mean_weighs_all_rounds_alike(empty: State) -> None:
    found = empty
    for value in ([3.0, 2.0], [10.0, -10.0], [-1.0, 5.0]):
        found = joined(found, [contribution({0: (value, 4)}, variance=1)], prototype_average="cumulative")
    torch.testing.assert_close(found["mean/a"][0], doubles([4, -1]))


def test_the_cumulative_mean_counts_rounds_by_class(empty: State) -> None:
    found = empty
    for message in ({0: ([2.0, 0.0], 1)}, {0: ([4.0, 0.0], 1)}, {0: ([6.0, 0.0], 1), 1: ([8.0, 8.0], 1)}):
        found = joined(found, [contribution(message, variance=1)], prototype_average="cumulative")
    found = joined(found, [contribution({1: ([0.0, 4.0], 1)}, variance=1)], prototype_average="cumulative")
    torch.testing.assert_close(found["mean/a"][:2], doubles([[4, 0], [4, 6]]))


def test_prototypes_keep_the_model_s_number_type() -> None:
    found = joined(proto.initial(["a"], 3, 2, torch.float32), FIRST_ROUND)
    assert found["mean/a"].dtype == torch.float32
    assert found["variance/a"].dtype == torch.float32


def test_the_server_s_own_state_is_not_written_over(empty: State) -> None:
    before = {name: value.clone() for name, value in empty.items()}
    joined(empty, FIRST_ROUND)
    assert_same_bits(empty, before)


@pytest.mark.parametrize("average", ["ema", "cumulative"])
@pytest.mark.parametrize("weights", ["equal", "samples"])
@settings(max_examples=40, deadline=None)
@given(
    clients=st.integers(1, 9),
    size=st.integers(1, 9),
    seen=st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    rounds=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_blocks_of_clients_join_as_clients_one_by_one(
    average: str, weights: str, clients: int, size: int, seen: float, rounds: int, seed: int
) -> None:
    """In rows of clients that have nothing of a modality, prototypes and variance mean nothing."""
    rng = torch.Generator().manual_seed(seed)
    choices = RecipeSettings(prototype_average=average, prototype_weights=weights)
    blocks = alone = proto.initial(["a", "b"], 3, 2, torch.float64)
    for _ in range(rounds):
        told: State = {}
        for m in ("a", "b"):
            drawn = torch.randint(1, 30, (clients, 3), generator=rng, dtype=torch.int32)
            told[f"count/{m}"] = drawn * (torch.rand(clients, 3, generator=rng) < seen)
            told[f"mean/{m}"] = torch.randn(clients, 3, 2, generator=rng, dtype=torch.float64)
            told[f"variance/{m}"] = torch.rand(clients, generator=rng, dtype=torch.float64)
        in_blocks, one_by_one = proto.Joiner(blocks, choices), proto.Joiner(alone, choices)
        for low in range(0, clients, size):
            in_blocks.add({name: value[low : low + size] for name, value in told.items()})
        for k in range(clients):
            has = [m for m in ("a", "b") if told[f"count/{m}"][k].any()]
            one_by_one.add({n: value[k : k + 1] for n, value in told.items() if n.partition("/")[2] in has})
        blocks, alone = in_blocks.finish(), one_by_one.finish()
        assert list(blocks) == list(alone)
        assert_close(blocks, alone, 1e-12)
    if seen == 1:
        assert blocks["updates/a"].tolist() == [rounds] * 3


def test_a_block_by_hand(empty: State) -> None:
    """Two clients, the second without the first class, and a third that has nothing."""
    joiner = proto.Joiner(empty, RecipeSettings(prototype_weights="samples"))
    joiner.add(
        {
            "mean/a": doubles([[[2, 4], [1, 1], [0, 0]], [[99, 99], [5, 1], [0, 0]], [[7, 7], [7, 7], [7, 7]]]),
            "count/a": torch.tensor([[2, 1, 0], [0, 3, 0], [0, 0, 0]], dtype=torch.int32),
            "variance/a": doubles([1.5, 0.5, 100]),
        }
    )
    found = joiner.finish()
    torch.testing.assert_close(found["mean/a"], doubles([[2, 4], [4, 1], [0, 0]]))  # (1 * 1 + 3 * 5) / 4
    torch.testing.assert_close(found["variance/a"], doubles(1))
    assert found["updates/a"].tolist() == [1, 1, 0]


# --- In a run ----------------------------------------------------------------------------------------------------


def _prototypes(state: State) -> State:
    return {name: value for name, value in state.items() if name.startswith("shared/prototypes/")}


def test_with_a_delay_prototypes_are_built_in_the_first_round_and_every_so_many() -> None:
    states = story(toy(), recipe="pmm", rounds=5, prototype_delay=2, seed=2, **ROUGH).states
    built = [int(state["shared/prototypes/updates/m0"].max()) for state in states]
    assert built == [1, 1, 2, 2, 3]
    for before, after in ((0, 1), (2, 3)):
        assert_same_bits(_prototypes(states[before]), _prototypes(states[after]))


def test_a_delay_saves_the_bytes_of_prototypes() -> None:
    often, seldom = (
        story(toy(), recipe="pmm", rounds=4, prototype_delay=delay).end.ledger.up["prototypes"] for delay in (1, 2)
    )
    assert often == 2 * seldom > 0


def test_prototypes_of_a_round_are_used_from_the_next_one_on() -> None:
    skipped = story(toy(), recipe="pmm", missing="skip", **ROUGH)
    filled = story(toy(), recipe="pmm", **ROUGH)
    model = [
        [{n: v for n, v in state.items() if n.startswith("shared/model/")} for state in told.states]
        for told in (skipped, filled)
    ]
    assert_same_bits(model[1][0], model[0][0])
    assert any(not torch.equal(value, model[0][1][name]) for name, value in model[1][1].items())


def test_prototypes_come_from_the_model_received_not_from_the_one_trained() -> None:
    slow, fast = (story(toy(), recipe="pmm", rounds=1, lr=lr).states[0] for lr in (0.1, 0.5))
    assert_same_bits(_prototypes(slow), _prototypes(fast))
    assert not torch.equal(slow["shared/model/head.0.bias"], fast["shared/model/head.0.bias"])


def test_quantised_prototypes_are_near_the_exact_ones() -> None:
    exact, coarse = (
        _prototypes(story(toy(), recipe="pmm", rounds=1, prototype_bits=bits).states[0]) for bits in (32, 6)
    )
    for m in ("m0", "m1"):
        name = f"shared/prototypes/mean/{m}"
        width = exact[name].max() - exact[name].min()
        assert 0 < (exact[name] - coarse[name]).abs().max() < width / 2**6


def test_state_round_trip_marks_which_classes_are_known(empty: State) -> None:
    read = proto.from_state(joined(empty, FIRST_ROUND), configured().recipe.prototype_temperature)
    assert read.known["a"].tolist() == [True, True, False]
    assert not read.known["b"].any()
    torch.testing.assert_close(read.variance["a"], doubles(1))
    assert read.temperature == 0.25
