"""How the server joins updates."""

from __future__ import annotations

import pytest
import torch
from checks import assert_close, assert_same_bits, finish, toy
from folding import folded
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.engine.private import section
from motet.learn.aggregate.mean import Mean
from motet.learn.aggregate.none import NoAggregate

MODEL = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([5.0]), "c": torch.tensor([7.0])}


def test_mean_weighs_updates_and_counts_each_key_by_who_holds_it() -> None:
    first = {"a": torch.tensor([2.0, 0.0]), "b": torch.tensor([1.0])}
    second = {"a": torch.tensor([4.0, 2.0])}
    equal = folded(Mean(), MODEL, [(first, 1.0), (second, 1.0)])
    by_samples = folded(Mean(), MODEL, [(first, 1.0), (second, 3.0)])
    assert torch.equal(equal["a"], torch.tensor([4.0, 3.0]))  # 1 + (2 + 4) / 2, 2 + (0 + 2) / 2
    assert torch.equal(by_samples["a"], torch.tensor([4.5, 3.5]))  # 1 + (2 + 3 * 4) / 4, 2 + (0 + 3 * 2) / 4
    for found in (equal, by_samples):
        assert torch.equal(found["b"], torch.tensor([6.0]))  # one owner: its whole update
        assert torch.equal(found["c"], MODEL["c"])  # nobody holds it


def test_mean_of_nothing_is_the_model() -> None:
    assert_same_bits(folded(Mean(), MODEL, []), MODEL)
    assert_same_bits(folded(Mean(), MODEL, [({}, 1.0), ({}, 2.0)]), MODEL)


def test_mean_keeps_number_types_names_and_order() -> None:
    model = {"z": torch.ones(2, dtype=torch.float32), "a": torch.ones(3, dtype=torch.float64)}
    found = folded(Mean(), model, [({"a": torch.ones(3, dtype=torch.float64), "z": torch.ones(2)}, 1.0)])
    assert list(found) == ["z", "a"]
    assert found["z"].dtype == torch.float32
    assert found["a"].dtype == torch.float64


def test_mean_adds_in_double_precision() -> None:
    """A thousand small float32 updates: summed in float32 they would lose digits."""
    model, update = {"a": torch.zeros(1)}, {"a": torch.full((1,), 0.1)}
    assert torch.equal(folded(Mean(), model, [(update, 1.0)] * 1000)["a"], update["a"])


def test_mean_leaves_model_and_updates_as_they_were() -> None:
    model, update = {"a": torch.zeros(2)}, {"a": torch.ones(2)}
    folded(Mean(), model, [(update, 2.0), (update, 3.0)])
    assert torch.equal(model["a"], torch.zeros(2))
    assert torch.equal(update["a"], torch.ones(2))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(1, 1000)), min_size=1, max_size=6), st.floats(-1e3, 1e3))
def test_mean_lies_between_the_clients_models(updates: list[tuple[float, int]], start: float) -> None:
    model = {"a": torch.tensor([start], dtype=torch.float64)}
    messages = [({"a": torch.tensor([delta], dtype=torch.float64)}, float(weight)) for delta, weight in updates]
    found = float(folded(Mean(), model, messages)["a"])
    deltas = [delta for delta, _ in updates]
    assert start + min(deltas) - 1e-9 <= found <= start + max(deltas) + 1e-9


@settings(deadline=None, max_examples=100)
@given(
    clients=st.integers(1, 12),
    blocks=st.lists(st.integers(1, 5), min_size=12, max_size=12),
    share=st.sampled_from([0.0, 0.3, 0.8, 1.0]),
    by_samples=st.booleans(),
    seed=st.integers(0, 99),
)
def test_mean_of_blocks_of_clients_is_that_of_clients_one_by_one(
    clients: int, blocks: list[int], share: float, by_samples: bool, seed: int
) -> None:
    """What stands in the rows of clients that do not hold a key means nothing."""
    rng = torch.Generator().manual_seed(seed)
    model = {
        name: torch.randn(shape, generator=rng, dtype=torch.float64)
        for name, shape in {"a": (2, 3), "b": (4,), "c": ()}.items()
    }
    deltas = {n: torch.randn((clients, *v.shape), generator=rng, dtype=torch.float64) for n, v in model.items()}
    held = {name: torch.rand(clients, generator=rng) < share for name in model}
    weights = torch.randint(1, 90, (clients,), generator=rng).double() if by_samples else torch.ones(clients).double()
    alone = [({n: v[k] for n, v in deltas.items() if held[n][k]}, float(weights[k])) for k in range(clients)]
    accumulator, low = Mean().start({}), 0
    for size in blocks:
        rows = slice(low, min(low + size, clients))
        if rows.start < rows.stop:
            own = {name: value[rows] for name, value in deltas.items()}
            accumulator = Mean().add(accumulator, own, {n: h[rows] for n, h in held.items()}, weights[rows])
        low += size
    expected = folded(Mean(), model, alone)
    assert_close(Mean().finish(model, accumulator), expected, 1e-12)
    for name, value in model.items():
        assert torch.equal(expected[name], value) == (not held[name].any())


def test_mean_of_a_block_by_hand() -> None:
    """Client 1 does not hold b, so its row there, however far off, counts nothing, and neither does its weight."""
    deltas = {"a": torch.tensor([[2.0, 0.0], [4.0, 2.0]]), "b": torch.tensor([[1.0], [1e6]])}
    held = {"a": torch.tensor([True, True]), "b": torch.tensor([True, False])}
    accumulator = Mean().add(Mean().start({}), deltas, held, torch.tensor([1.0, 3.0], dtype=torch.float64))
    found = Mean().finish(MODEL, accumulator)
    assert found["a"].tolist() == [4.5, 3.5]  # 1 + (2 + 3 * 4) / 4, 2 + (0 + 3 * 2) / 4
    assert found["b"].tolist() == [6.0]
    assert torch.equal(found["c"], MODEL["c"])


def test_without_aggregation_every_client_keeps_its_own_model() -> None:
    none, own = NoAggregate(), {"a": torch.tensor([3.0])}
    model = {"a": torch.tensor([1.0])}
    assert none.receive(model, {}) is model
    assert none.receive(model, own) is own
    assert none.message({"a": torch.ones(1)}) == {}
    assert none.models(model, [own, {}]) == [own, model]
    assert folded(none, model, [(own, 1.0)]) is model
    kept = none.keep(own)
    own["a"].add_(1)
    assert torch.equal(kept["a"], torch.tensor([3.0]))


def test_with_a_mean_everybody_starts_from_the_global_model() -> None:
    own = {"a": torch.tensor([3.0])}
    assert Mean().receive(MODEL, own) is MODEL
    assert Mean().keep(own) == {}
    assert Mean().message(own) is own
    assert Mean().models(MODEL, [own]) == [MODEL]


def test_a_client_alone_hears_nothing_of_the_others() -> None:
    """Other labels at clients 1 and 2 change nothing at client 0; under a mean they do."""
    data, other = toy(clients=3), toy(clients=3)
    other.y[16:48] = (other.y[16:48] + 1) % 3
    runs = [finish(these, recipe="local").state for these in (data, other)]
    assert_same_bits(runs[1].private[0], runs[0].private[0])
    assert not torch.equal(runs[1].private[1]["model/head.2.bias"], runs[0].private[1]["model/head.2.bias"])
    means = [finish(these, recipe="partial").state.shared["model"]["head.2.bias"] for these in (data, other)]
    assert not torch.equal(means[0], means[1])


@pytest.mark.parametrize("weights", ["equal", "samples"])
def test_one_client_s_mean_is_its_own_model(weights: str) -> None:
    """Local training and a mean over one client differ in rounding alone."""
    data = toy(clients=1)
    local = finish(data, recipe="local", rounds=3)
    mean = finish(data, recipe="partial", rounds=3, weights=weights)
    assert_close(mean.state.shared["model"], section(local.state.private[0], "model"), 1e-12)


def test_a_client_alone_predicts_and_builds_prototypes_with_its_own_model() -> None:
    """As it does with the mean over one client, which is its own model too."""
    data = toy(clients=1, each=32)
    choices = {"missing": "prototype", "rounds": 3, "buffer": 16, "arrivals": 4}
    alone, mean = (finish(data, recipe=recipe, **choices) for recipe in ("local", "fedavg"))
    assert_close(alone.state.shared["prototypes"], mean.state.shared["prototypes"], 1e-12)
    losses = [[line.online_loss for line in finished.result.history] for finished in (alone, mean)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert len(set(losses[0])) == 3


def test_clients_of_equal_size_count_alike_either_way() -> None:
    """Sixteen samples each: a weight of 16 is exact in binary."""
    data = toy(clients=3, each=16)
    equal, samples = (finish(data, recipe="fedavg", weights=weights) for weights in ("equal", "samples"))
    assert_same_bits(samples.state.shared["model"], equal.state.shared["model"])


def test_clients_of_different_size_do_not() -> None:
    data = toy(clients=3, each=16)
    assert data.client is not None
    data.client[24:32] = 0  # client 0 has 24 samples, client 1 has 8
    equal, samples = (finish(data, recipe="fedavg", weights=weights, rounds=1) for weights in ("equal", "samples"))
    assert not torch.equal(samples.state.shared["model"]["head.0.bias"], equal.state.shared["model"]["head.0.bias"])
    start = equal.federation.method.network.state()["head.0.bias"].double()
    alone = finish(data, recipe="local", rounds=1).state.private
    moved = [alone[k]["model/head.0.bias"] - start for k in range(3)]
    expected = start + (24 * moved[0] + 8 * moved[1] + 16 * moved[2]) / 48
    torch.testing.assert_close(samples.state.shared["model"]["head.0.bias"], expected, rtol=1e-12, atol=1e-12)
    expected = start + (moved[0] + moved[1] + moved[2]) / 3
    torch.testing.assert_close(equal.state.shared["model"]["head.0.bias"], expected, rtol=1e-12, atol=1e-12)
