"""A run that fails says where: client, round and stage. Of blocks of clients it says more in test_vector."""

from __future__ import annotations

import pytest
from people import finish, people
from trap import Trap

from motet.engine import sender as sender_module
from motet.engine.client import Client
from motet.engine.training import Training
from motet.errors import InputError, MotetError
from motet.learn.aggregate.mean import Mean
from motet.stream.assessment import Oracle

STAGES = [
    (Oracle, "score", "assessing quality"),
    (Mean, "receive", "receiving"),
    (Client, "predict", "evaluating arrivals"),
    (Client, "_prototypes", "building prototypes"),
    (Training, "run", "training"),
    (Mean, "message", "sending"),
]


@pytest.mark.parametrize(("owner", "name", "stage"), STAGES)
def test_every_stage_is_named(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, stage: str) -> None:
    monkeypatch.setattr(owner, name, Trap(getattr(owner, name), RuntimeError("it broke"), 1))
    with pytest.raises(MotetError, match=rf"^client \d, round 1, {stage}: RuntimeError: it broke$") as error:
        finish(recipe="qqr", evaluate_every=100, rounds=1, engine="loop")
    assert isinstance(error.value.__cause__, RuntimeError)


def test_client_and_round_are_those_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Training, "run", Trap(Training.run, RuntimeError("it broke"), 6))
    with pytest.raises(MotetError, match=r"^client 2, round 2, training: "):
        finish(people(clients=4), engine="loop")


def test_wrong_input_that_only_a_client_sees_is_no_input_error_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "encoded", Trap(sender_module.encoded, InputError("too long"), 0))
    with pytest.raises(MotetError, match=r"^client 0, round 1, sending: too long$") as error:
        finish(engine="loop")
    assert not isinstance(error.value, InputError)


def test_ctrl_c_is_no_failure_of_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Training, "run", Trap(Training.run, KeyboardInterrupt(), 0))
    with pytest.raises(KeyboardInterrupt):
        finish(engine="loop")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("engine", ["loop", "vector"])
def test_a_loss_that_is_no_number(engine: str) -> None:
    with pytest.raises(MotetError, match=r"^client 0, round 1, training: the loss became (nan|inf): lower --lr"):
        finish(lr=1e30, engine=engine)
    with pytest.raises(MotetError, match=r"^client \d, round \d, training: the update became inf: lower --lr"):
        finish(lr=1e30, batch_size=100, evaluate_every=100, rounds=20, engine=engine)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("engine", ["loop", "vector"])
@pytest.mark.parametrize("rounds", [1, 3])
def test_an_update_that_is_no_number_after_a_single_step(rounds: int, engine: str) -> None:
    """The loss of the step was finite still; what it made of the model is not."""
    with pytest.raises(MotetError, match="lower --lr"):
        finish(lr=1e38, batch_size=100, rounds=rounds, engine=engine)
