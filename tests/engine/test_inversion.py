"""Inversions of linear models, where it is known what can be recovered."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from people import federation, people
from torch import nn

from motet.engine.audit.descent import descend
from motet.engine.audit.protection import noisy
from motet.engine.audit.prototypes import invert as invert_prototypes
from motet.engine.audit.updates import Minibatches, Step, flat, invert
from motet.learn.objective import Phase
from motet.learn.sample import Batch
from motet.measure.recovery import nearness
from motet.nets.network import Network
from motet.random import generator


def normal(*shape: int, draw: int = 0) -> torch.Tensor:
    return torch.from_numpy(generator(draw, "inversion").standard_normal(shape)).float()


def test_descent_ends_where_the_loss_is_least() -> None:
    goal = {"a": normal(3, 2, 5), "b": normal(3, 2, 4, 6)}
    start = {m: torch.zeros_like(value) for m, value in goal.items()}
    found = descend(start, lambda x: sum((x[m] - goal[m]).abs().flatten(1).sum(1) for m in goal), range(300), 300)
    for m, value in goal.items():
        torch.testing.assert_close(found[m], value, atol=0.01, rtol=0)


def test_problems_side_by_side_are_solved_as_each_by_itself() -> None:
    goal = normal(2, 1, 3, 8)
    together = descend({"a": torch.zeros_like(goal)}, lambda x: (x["a"] - goal).square().sum((1, 2, 3)), range(9), 9)
    for k in range(2):
        own = goal[k : k + 1]
        alone = descend({"a": torch.zeros_like(own)}, lambda x: (x["a"] - own).square().sum((1, 2, 3)), range(9), 9)  # noqa: B023
        torch.testing.assert_close(together["a"][k : k + 1], alone["a"], atol=1e-3, rtol=0)


def test_what_nothing_pulls_at_stays_smooth_and_where_it_began() -> None:
    start = {
        "flat": torch.ones(1, 1, 2, 4),
        "rough": torch.tensor([[[[0.0, 1.0, 0.0, 1.0]]]]),
        "one": torch.ones(1, 1, 3),
    }
    found = descend(start, lambda x: x["flat"].new_zeros(1), range(50), 50)
    assert torch.equal(found["flat"], start["flat"])
    assert torch.equal(found["one"], start["one"])
    assert found["rough"].diff().abs().sum() < start["rough"].diff().abs().sum()


def test_a_prototype_of_a_linear_encoder_gives_away_what_it_sees() -> None:
    network = Network({"encoder.a": nn.Linear(5, 2, bias=False)})
    model = {"encoder.a.weight": normal(2, 5)}
    sample = normal(1, 5, draw=1)
    found = invert_prototypes(network, model, "a", sample @ model["encoder.a.weight"].T, torch.zeros(1, 5), 400)
    seen = torch.linalg.pinv(model["encoder.a.weight"]) @ model["encoder.a.weight"] @ sample[0]
    torch.testing.assert_close(found[0], seen, atol=0.1, rtol=0)
    whole = {"encoder.a.weight": normal(5, 5)}
    network = Network({"encoder.a": nn.Linear(5, 5, bias=False)})
    found = invert_prototypes(network, whole, "a", sample @ whole["encoder.a.weight"].T, torch.zeros(1, 5), 400)
    assert nearness(found, sample)[0, 0] > 0.97


def linear_step() -> Step:
    """Make a step of a model that is linear but for the loss."""
    method = federation(people(), recipe="fedavg").method
    parts = {
        **method.network.parts,
        "encoder.move": nn.Sequential(nn.Flatten(), nn.Linear(16, 4)),
        "encoder.body": nn.Linear(3, 4),
    }
    network = Network(parts)
    begun = enumerate(network.state().items(), start=10)
    model = {name: 0.3 * normal(*value.shape, draw=place) for place, (name, value) in begun}
    return Step(replace(method, network=network), (Phase(),), model, {}, rate=0.1)


def one_sample() -> Minibatches:
    x = {"move": normal(1, 1, 2, 8, draw=1), "body": normal(1, 1, 3, draw=2)}
    flags = {m: torch.ones(1, 1, dtype=torch.bool) for m in x}
    batch = Batch({}, torch.tensor([[1]]), torch.ones(1, 1, dtype=torch.bool), flags, {m: torch.ones(1, 1) for m in x})
    return Minibatches([0], x, batch, {})


def recovered(step: Step, true: Minibatches, noise: float) -> list[float]:
    update = flat(step.updates(true.x, true.batch, true.kept)).detach()
    target = noisy(update, normal(*update.shape, draw=3), noise)
    start = {m: torch.full_like(value, 0.01) for m, value in true.x.items()}
    found = invert(step, true, target, start, range(500), 500)
    return [float(nearness(found[m][0], true.x[m][0])[0, 0]) for m in true.x]


def test_an_update_of_one_sample_gives_it_away_and_with_noise_does_not() -> None:
    step, true = linear_step(), one_sample()
    assert min(recovered(step, true, noise=0.0)) > 0.97
    assert recovered(step, true, noise=1.0)[0] < 0.5  # of the signal; three numbers are near by chance


def test_what_is_absent_is_known_to_be_zero() -> None:
    step, true = linear_step(), one_sample()
    lacking = {**true.batch.present, "body": torch.zeros(1, 1, dtype=torch.bool)}
    x = {**true.x, "body": torch.zeros(1, 1, 3)}
    true = true._replace(x=x, batch=true.batch._replace(present=lacking))
    update = flat(step.updates(true.x, true.batch, true.kept)).detach()
    found = invert(step, true, update, {m: torch.ones_like(value) for m, value in x.items()}, range(3), 3)
    assert not found["body"].any()


@pytest.mark.parametrize("repeats", [1, 3])
def test_problems_are_repeated_client_by_client(repeats: int) -> None:
    true = one_sample()
    two = true._replace(x={m: torch.cat([value, 2 * value]) for m, value in true.x.items()})
    many = two.repeated(repeats)
    assert torch.equal(many.x["body"][:repeats], true.x["body"].expand(repeats, 1, 3))
    assert torch.equal(many.x["body"][repeats:], 2 * true.x["body"].expand(repeats, 1, 3))
