"""Regret of runs: what arrives, the best model in hindsight, and what is lost beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from people import configured, people

from motet.data.archive import save
from motet.data.dataset import ArrayDataset
from motet.engine.comparator import ENOUGH, Comparator, comparator, is_convex, least, losses
from motet.engine.federation import build_federation, method_of
from motet.engine.regret import Arrivals, arrivals_of, measure_regret
from motet.engine.run import Runner
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.learn.method import Method

CONVEX: dict[str, Any] = {
    "encoder": "fixed",
    "features": 16,
    "objective": "late",
    "modalities": ["move"],
    "buffer": 4,
    "arrivals": 4,
    "rounds": 12,
    "lr": 4,
    "lr_schedule": "sqrt",
    "lr_min": 0,
    "dtype": "float64",
}


def mixed() -> ArrayDataset:
    """Make people of whom many do something else than it seems: no model is right, so the best one is finite."""
    data, rng = people(), np.random.default_rng(5)
    return people(y=np.where(rng.random(len(data.y)) < 0.5, rng.integers(0, 3, len(data.y)), data.y))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "people.npz"
    save(people(), path)
    return path


@pytest.fixture(scope="module")
def solved() -> tuple[Method, Arrivals, Comparator]:
    """Return a convex method, what arrives, and the best model for it."""
    simulation = build_federation(configured(**CONVEX), mixed(), Watch())
    arrivals = arrivals_of(simulation, Runner(simulation, Watch()).client)
    return simulation.method, arrivals, comparator(simulation.method, arrivals.samples, arrivals.weight(), seed=0)


def test_every_arrival_counts_as_often_as_it_comes(solved: tuple[Method, Arrivals, Comparator]) -> None:
    _, arrivals, _ = solved
    assert [len(rows) for rows in arrivals.rounds[:2]] == [16, 16], "four at each of four clients"
    weight, each = arrivals.weight(), np.random.default_rng(0).random(len(arrivals.samples.mask))
    assert weight.sum() == pytest.approx(1)
    assert weight @ each == pytest.approx(arrivals.by_round(each).mean())


def test_fixed_features_with_linear_heads_are_convex_and_nothing_else_is() -> None:
    data = people().only(["move"])
    assert is_convex(method_of(configured(**CONVEX), data))
    assert not is_convex(method_of(configured(**{**CONVEX, "encoder": "summary"}), data))
    assert not is_convex(method_of(configured(**{**CONVEX, "objective": "joint"}), data))


def test_the_loss_between_two_models_is_never_above_the_line(solved: tuple[Method, Arrivals, Comparator]) -> None:
    method, arrivals, best = solved
    weight, generator = torch.from_numpy(arrivals.weight()), torch.Generator().manual_seed(1)

    def loss(model: dict[str, torch.Tensor]) -> float:
        return float(weight @ losses(method, model, arrivals.samples))

    for _ in range(20):
        a, b = (
            {n: 10 * torch.randn(p.shape, generator=generator, dtype=torch.float64) for n, p in best.model.items()}
            for _ in range(2)
        )
        middle = {name: (a[name] + b[name]) / 2 for name in a}
        assert loss(middle) <= (loss(a) + loss(b)) / 2 + 1e-12


def test_the_comparator_is_the_least(solved: tuple[Method, Arrivals, Comparator]) -> None:
    method, arrivals, best = solved
    assert best.kind == "solved"
    assert best.gradient_norm < ENOUGH
    weight, generator = torch.from_numpy(arrivals.weight()), torch.Generator().manual_seed(2)
    least = float(weight @ losses(method, best.model, arrivals.samples))
    for size in (1e-3, 0.1, 3):
        other = {
            n: p + size * torch.randn(p.shape, generator=generator, dtype=torch.float64) for n, p in best.model.items()
        }
        assert float(weight @ losses(method, other, arrivals.samples)) > least


def test_a_network_has_a_reference_that_is_better_than_where_it_began() -> None:
    simulation = build_federation(configured(**{**CONVEX, "encoder": "summary"}), people(), Watch())
    arrivals = arrivals_of(simulation, Runner(simulation, Watch()).client)
    weight = arrivals.weight()
    found = comparator(simulation.method, arrivals.samples, weight, seed=0)
    start = {name: value.double() for name, value in simulation.method.network.state().items()}
    before, after = (
        float(torch.from_numpy(weight) @ losses(simulation.method, model, arrivals.samples).detach())
        for model in (start, found.model)
    )
    assert found.kind == "trained"
    assert after < before / 2


def test_what_is_lost_is_the_prequential_loss_where_nothing_is_missing(archive: Path) -> None:
    config = configured(**CONVEX, data=str(archive), recipe="fedavg")
    found = measure_regret(config, archive.parent, Watch())
    simulation = build_federation(config, people(), Watch())
    runner = Runner(simulation, Watch())
    from motet.engine.interrupt import Stop
    from motet.engine.state import initial_state

    state, seen = initial_state(simulation), []
    for _ in range(12):
        state, line = runner.step(state, Stop())
        seen.append(line.online_loss)
    assert found.loss == pytest.approx(np.mean(seen), abs=1e-6)
    assert found.regret[-1] == pytest.approx(12 * (found.loss - found.comparator_loss))


def test_missing_data_cost_regret_on_clean_samples(archive: Path) -> None:
    settings = {**CONVEX, "modalities": None, "encoder": "move=fixed", "rounds": 30, "missing_modality": "move"}
    settings["lr"] = 0.1
    regrets = {
        rate: measure_regret(
            configured(**settings, data=str(archive), recipe="fedavg", missing_rate=rate), archive.parent, Watch()
        ).regret[-1]
        for rate in (0.0, 1.0)
    }
    assert regrets[1.0] > regrets[0.0]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [({"buffer": "all"}, "set --buffer to a number"), ({"recipe": "local"}, "--aggregate none has none")],
)
def test_without_a_stream_or_a_model_there_is_no_regret(archive: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        measure_regret(configured(**{**CONVEX, "data": str(archive), **settings}), archive.parent, Watch())


def test_the_least_by_hand() -> None:
    scores = np.array([[[0.0], [1.0]]] * 4)  # of the second class: the point itself
    found = least(scores, np.zeros((4, 2)), np.array([1, 1, 1, 0]), np.full(4, 0.25), np.zeros(1))
    assert found == pytest.approx([np.log(3)], abs=1e-5), "three in four are of the second class"
    found = least(
        scores, np.tile([0.0, 2.0], (4, 1)), np.array([1, 1, 1, 0]), np.array([0.1, 0.1, 0.1, 0.7]), np.zeros(1)
    )
    assert found == pytest.approx([np.log(3 / 7) - 2], abs=1e-5), "weights and offsets count"
