"""What an evaluation says of modalities: by hand from what the model predicts, and where samples lack some."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from people import federation, finish, people

from motet.data.dataset import TEST
from motet.engine.encoded import ROWS
from motet.engine.evaluate import Evaluator, subsets
from motet.engine.model import Model
from motet.engine.run import Finished, Runner
from motet.engine.watch import Watch
from motet.record.result import Metrics

DATA = people(each=30)
HELD = DATA.split == TEST
Y = DATA.y[HELD]


def alone(finished: Finished, m: str) -> np.ndarray:
    """Predict class probabilities as a user would, from one modality."""
    return Model(finished.federation, finished.state).probabilities({m: DATA.x[m][HELD]})


def metrics(finished: Finished) -> Metrics:
    return finished.result.final


@pytest.mark.parametrize("recipe", ["fedavg", "partial", "qqr", "late"])
def test_figures_are_those_of_the_model_s_predictions(recipe: str) -> None:
    finished = finish(DATA, recipe=recipe, rounds=4, missing_rate=0.4)
    found = metrics(finished)
    move, body = alone(finished, "move"), alone(finished, "body")
    wrong = [p.argmax(1) != Y for p in (move, body)]
    best, worst = max(1 - w.mean() for w in wrong), min(1 - w.mean() for w in wrong)
    assert found.accuracy_alone == pytest.approx({"move": 1 - wrong[0].mean(), "body": 1 - wrong[1].mean()})
    assert found.complementarity == pytest.approx(found.accuracy - best)
    assert found.strong_weak_gap == pytest.approx(best - worst)
    assert found.double_fault == pytest.approx({"move~body": (wrong[0] & wrong[1]).mean()})
    scores = [p[np.arange(len(Y)), Y].mean() for p in (move, body)]
    assert found.dominance == pytest.approx(
        {"move": scores[0] / sum(scores), "body": scores[1] / sum(scores)}, abs=1e-5
    )


def test_accuracy_alone_is_that_of_the_subset() -> None:
    found = metrics(finish(DATA))
    assert found.accuracy_alone == {m: found.accuracy_by_present[m] for m in ("move", "body")}


def test_every_evaluation_says_it_and_the_history_has_it() -> None:
    finished = finish(DATA, rounds=13, evaluate_every=2)
    for line in finished.result.history:
        evaluated = line.accuracy is not None
        assert (line.accuracy_alone is not None) == (line.dominance is not None) == evaluated
    last = finished.result.history[-1]
    assert last.accuracy_alone == metrics(finished).accuracy_alone
    assert last.dominance == metrics(finished).dominance


def test_a_plain_evaluation_is_the_full_one_without_what_costs_more() -> None:
    finished = finish(DATA, recipe="qqr")
    evaluator = Runner(finished.federation, Watch()).evaluator
    plain, full = evaluator.plain(finished.state), evaluator.full(finished.state)
    assert {"accuracy_alone", "dominance", "accuracy"} <= set(plain)
    assert not {"complementarity", "double_fault", "accuracy_by_present"} & set(plain)
    assert plain == {key: full[key] for key in plain}


def test_one_modality_alone() -> None:
    finished = finish(DATA.only(["move"]), recipe="pmm")
    found = metrics(finished)
    assert found.accuracy_alone == {"move": found.accuracy}
    assert found.dominance == {"move": 1}
    assert (found.complementarity, found.strong_weak_gap, found.double_fault) == (0, 0, {})


@pytest.mark.parametrize("recipe", ["fedavg", "qqr"])
def test_a_modality_that_the_test_split_lacks(recipe: str) -> None:
    found = metrics(finish(DATA, recipe=recipe, test_missing="body"))
    assert found.accuracy_alone == {"move": found.accuracy, "body": None}
    assert found.dominance == {"move": 1, "body": None}
    assert (found.complementarity, found.strong_weak_gap, found.double_fault) == (0, 0, {"move~body": None})


def test_samples_that_lack_a_modality_are_left_out_of_its_figures() -> None:
    lacking = np.arange(len(DATA.y)) % 3 == 0
    data = people(each=30, present={"body": ~lacking})
    finished = finish(data)
    there, found = ~lacking[HELD], metrics(finished)
    wrong = {m: alone(finished, m).argmax(1) != Y for m in ("move", "body")}
    assert found.accuracy_alone == pytest.approx(
        {"move": 1 - wrong["move"].mean(), "body": 1 - wrong["body"][there].mean()}
    )
    assert found.double_fault == pytest.approx({"move~body": (wrong["move"] & wrong["body"])[there].mean()})


def test_without_a_global_model_figures_are_means_over_the_clients_models() -> None:
    finished = finish(DATA, recipe="local", rounds=4)
    found = metrics(finished)
    evaluator = Runner(finished.federation, Watch()).evaluator
    each = [own.logits(("move",)).argmax(1) == Y for own in evaluator.encoded(finished.state)]
    assert len(each) == 4
    assert found.accuracy_alone is not None
    assert found.accuracy_alone["move"] == pytest.approx(np.mean(each))


def test_more_samples_than_are_encoded_at_once() -> None:
    data = people(clients=2, each=8, test=ROWS + 7)
    finished = finish(data, rounds=1)
    x = {"move": data.x["move"][data.split == TEST]}
    predicted = Model(finished.federation, finished.state).predict(x)
    found = metrics(finished).accuracy_alone
    assert found is not None
    assert found["move"] == pytest.approx((predicted == data.y[data.split == TEST]).mean())


@pytest.mark.parametrize(("count", "many"), [(1, 1), (2, 3), (4, 15), (5, 11), (8, 17)])
def test_each_subset_is_predicted_once(count: int, many: int) -> None:
    names = [f"m{i}" for i in range(count)]
    found = subsets(names)
    assert len(found) == len(set(found)) == many
    assert {tuple(names), *((m,) for m in names)} <= set(found)


class Counted(Evaluator):
    """Notes which subsets are predicted."""

    asked: list[tuple[str, ...]]

    def _predicted(self, encoded: Any, wanted: list[tuple[str, ...]]) -> Any:
        self.asked = wanted
        return super()._predicted(encoded, wanted)


def test_a_plain_evaluation_asks_for_one_prediction_more_for_each_modality() -> None:
    built = federation(DATA)
    runner = Runner(built, Watch())
    counted = Counted(built, runner.client)
    from motet.engine.state import initial_state

    counted.plain(initial_state(built))
    assert counted.asked == [("move", "body"), ("move",), ("body",)]
