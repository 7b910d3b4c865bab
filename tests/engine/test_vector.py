"""The vector engine: blocks of clients at once are clients one after another, whatever the settings and the blocks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from people import configured, finish, people, run_with_breaks
from trap import Trap

from motet.data.dataset import ArrayDataset, Modality
from motet.engine.block import Block
from motet.engine.client import Client
from motet.engine.optimiser import Optimiser
from motet.engine.outcome import Outcome
from motet.engine.run import Finished, run
from motet.errors import InputError, MotetError
from motet.learn import prototypes as proto
from motet.learn.aggregate.mean import Mean
from motet.learn.recipe import RECIPES
from motet.record import checkpoint
from motet.record.folder import RunFolder
from motet.stream.assessment import Oracle
from twins import assert_states_close, assert_twins

SIZES = [9, 26, 8, 17, 12]
ROUGH: dict[str, Any] = {"missing_rate": 0.5, "degraded_rate": 0.5}


def uneven(each: list[int] | None = None, test: int = 12, **changes: Any) -> ArrayDataset:
    """Make people with different numbers of samples, at least 8 each."""
    sizes = SIZES if each is None else each
    data = people(clients=1, each=sum(sizes), test=test, **changes)
    assert data.client is not None
    data.client[: sum(sizes)] = np.repeat(np.arange(len(sizes)), sizes)
    return data


def mixed() -> ArrayDataset:
    """Make uneven people with a modality of each kind; the first two clients never have the picture."""
    data, rng = uneven(), np.random.default_rng(1)
    n = len(data.y)
    data.modalities |= {
        "picture": Modality("picture", "image", (2, 5, 4)),
        "words": Modality("words", "tokens", (4,), vocabulary=9),
        "heart": Modality("heart", "signal", (1, 9), 5.0),
    }
    data.x |= {
        "picture": rng.standard_normal((n, 2, 5, 4)).astype(np.float32),
        "words": rng.integers(0, 9, (n, 4)),
        "heart": rng.standard_normal((n, 1, 9)).astype(np.float32),
    }
    data.present |= {"picture": np.arange(n) >= sum(SIZES[:2])}
    data.present |= {m: np.ones(n, dtype=bool) for m in ("words", "heart")}
    return data


def twice(data: ArrayDataset, chunk: int | None = 2, **choices: Any) -> tuple[Finished, Finished]:
    """Carry out a run in blocks, and one client after another."""
    choices = {"dtype": "float64", **choices}
    return finish(data, engine="vector", chunk=chunk, **choices), finish(data, engine="loop", **choices)


# --- Equal to the loop -------------------------------------------------------------------------------------------

HITS = st.fixed_dictionaries(
    {"rate": st.sampled_from([0.0, 0.5, 1.0])},
    optional={
        "granularity": st.sampled_from(["round", "sample"]),
        "modality": st.sampled_from(["move", "body"]),
        "bias": st.sampled_from([0.5, 1.0]),
    },
)
STREAMS = st.sampled_from(
    [
        {},
        {"buffer": 1, "arrivals": 1},
        {"buffer": 6, "arrivals": 6},
        {"buffer": 20, "arrivals": 3},
        {"buffer": 20, "arrivals": 9, "order": "shuffled"},
    ]
)
OPTIMISERS = st.sampled_from(
    [{"lr": 0.1}, {"momentum": 0.9}, {"optimizer": "adam", "lr": 0.01}, {"drift": "proximal:mu=0.5"}]
)
CHOICES = st.fixed_dictionaries(
    {"recipe": st.sampled_from(list(RECIPES))},
    optional={
        "local_epochs": st.just(2),
        "local_cycles": st.just(2),
        "batch_size": st.sampled_from([3, 8, 100]),
        "participation": st.sampled_from([0.2, 0.6]),
        "weights": st.just("samples"),
        "prototype_bits": st.sampled_from([1, 4, 32]),
        "prototype_weights": st.just("samples"),
        "prototype_average": st.just("cumulative"),
        "prototype_delay": st.just(2),
        "missing": st.sampled_from(["skip", "prototype:match=cross"]),
        "degraded": st.sampled_from(["drop", "align", "replace"]),
        "flags": st.just("assessed"),
        "calibration_rounds": st.just(1),
        "seed": st.integers(0, 9),
        "unimodal_share": st.sampled_from([0.5, 1.0]),
    },
)


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking takes long
@given(
    choices=CHOICES,
    optimiser=OPTIMISERS,
    stream=STREAMS,
    missing=HITS,
    degraded=HITS,
    chunk=st.integers(1, 6),
    sizes=st.lists(st.integers(8, 24), min_size=1, max_size=5),
    absent=st.sampled_from([None, "move", "body"]),
)
@example(
    choices={"recipe": "qqr", "batch_size": 1, "local_epochs": 2},
    optimiser={"optimizer": "adam", "lr": 0.01},
    stream={"buffer": 1, "arrivals": 1},
    missing={"rate": 0.5},
    degraded={"rate": 0.5, "granularity": "sample"},
    chunk=3,
    sizes=[8, 9, 12, 8],
    absent=None,
)
@example(
    choices={"recipe": "local", "participation": 0.6, "missing": "prototype:match=cross"},
    optimiser={"momentum": 0.9},
    stream={"buffer": 20, "arrivals": 3},
    missing={"rate": 0.5},
    degraded={"rate": 0.0},
    chunk=2,
    sizes=SIZES,
    absent="body",
)
def test_blocks_are_clients_one_after_another(
    choices: dict[str, Any],
    optimiser: dict[str, Any],
    stream: dict[str, Any],
    missing: dict[str, Any],
    degraded: dict[str, Any],
    chunk: int,
    sizes: list[int],
    absent: str | None,
) -> None:
    data = uneven(sizes, test=6)
    if absent is not None and len(sizes) > 1:
        data.present[absent] = np.arange(len(data.y)) >= sizes[0]  # the first client never has it
    hits = {f"missing_{k}": v for k, v in missing.items()} | {f"degraded_{k}": v for k, v in degraded.items()}
    if stream == {} and "calibration_rounds" in choices:
        hits["degraded_granularity"] = "round"  # the other is refused
    every = {"dtype": "float64", **optimiser, **choices, **stream, **hits}
    try:
        found = finish(data, engine="vector", chunk=chunk, **every)
    except MotetError as diverged:  # some of what is drawn does, and then in both
        with pytest.raises(MotetError, match=re.escape(str(diverged))):
            finish(data, engine="loop", **every)
        return
    assert_twins(found, finish(data, engine="loop", **every))


@pytest.mark.parametrize("recipe", ["fedavg", "qqr", "late", "local"])
@pytest.mark.parametrize("encoder", ["auto", "mlp", "move=summary"])
def test_every_kind_of_modality_learns_the_same_in_blocks(recipe: str, encoder: str) -> None:
    words = "words=mlp" if encoder != "move=summary" else "words=mlp,move=summary"
    data = mixed()
    choices = {"recipe": recipe, "encoder": "mlp" if encoder == "mlp" else words, "rounds": 2}
    found, expected = twice(data, 3, **choices, **ROUGH, degradation="dropout", buffer=12, arrivals=4)
    assert_twins(found, expected)


@pytest.mark.parametrize("recipe", ["fedavg", "partial", "late-unimodal", "qqr", "local"])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_clients_with_one_modality_learn_the_same_in_blocks(recipe: str, share: float) -> None:
    found, expected = twice(uneven(), recipe=recipe, unimodal_share=share, buffer=6, arrivals=3, **ROUGH)
    assert_twins(found, expected)
    assert len(found.federation.partition.unimodal) == round(share * 5)


@pytest.mark.parametrize("recipe", ["qqr", "local"])
def test_a_single_client_with_a_single_sample_learns_the_same(recipe: str) -> None:
    found, expected = twice(uneven([1]), 3, recipe=recipe)
    assert_twins(found, expected)
    assert found.result.device.train_flops > 0


def test_a_kind_that_nobody_sends_is_not_in_the_record() -> None:
    found, expected = twice(uneven().only(["move"]), recipe="qqr", degraded_rate=1.0)
    assert "prototypes" not in expected.result.bytes.up_by_kind
    assert found.result.bytes == expected.result.bytes


@pytest.mark.parametrize("recipe", ["fedavg", "qqr", "local"])
@pytest.mark.parametrize("encoder", ["move=lstm,words=mlp", "move=gru,words=lstm"])
@pytest.mark.parametrize("workers", [1, 2])
def test_recurrent_networks_are_trained_client_by_client_a_thread_each(recipe: str, encoder: str, workers: int) -> None:
    choices = {"recipe": recipe, "encoder": encoder, "batch_size": 8, "missing_rate": 0.5}
    found, expected = twice(mixed(), 3, **choices, threads=workers)
    assert (found.result.engine.name, found.result.engine.chunk) == ("vector", 1)
    assert "is recurrent" in found.result.engine.why
    assert_twins(found, expected)


@pytest.mark.parametrize("recipe", ["fedavg", "qqr", "local"])
@pytest.mark.parametrize("choices", [{}, {"optimizer": "adam", "lr": 0.001}], ids=["sgd", "adam"])
def test_a_step_in_single_precision_is_the_same_to_its_digits(recipe: str, choices: dict[str, Any]) -> None:
    settings = {"recipe": recipe, "rounds": 1, "batch_size": 100, "dtype": "float32", **choices, **ROUGH}
    found, expected = twice(uneven(), 3, **settings)
    assert_states_close(found.state.to_checkpoint()[0], expected.state.to_checkpoint()[0], 1e-5)
    assert next(iter(found.state.shared["model"].values())).dtype == torch.float32


@pytest.mark.parametrize("bits", [1, 3, 8])
@pytest.mark.parametrize("recipe", ["fedavg", "partial"])
def test_quantised_updates_take_the_same_bytes_and_differ_by_a_step_at_most(recipe: str, bits: int) -> None:
    """A number that lies half-way between two codes may go either way."""
    choices = {"recipe": recipe, "rounds": 1, "upload": f"q{bits}", **ROUGH}
    found, expected = twice(uneven(), 2, **choices)
    exact = finish(uneven(), **{**choices, "upload": "dense"}, dtype="float64")
    assert found.result.bytes == expected.result.bytes
    assert found.result.bytes.up < exact.result.bytes.up
    start = exact.federation.method.network.state()
    numbers = odd = 0
    for name, wanted in expected.state.shared["model"].items():
        apart = (found.state.shared["model"][name] - wanted).abs()
        reach = float((wanted - start[name]).abs().max())
        assert float(apart.max()) <= 2 * reach * (1 + 1e-9), name
        numbers, odd = numbers + apart.numel(), odd + int((apart > 1e-9).sum())
    assert odd <= numbers / 100


# --- Blocks and bits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["qqr", "local"])
def test_the_size_of_blocks_changes_nothing_but_rounding(recipe: str) -> None:
    choices = {"recipe": recipe, "dtype": "float64", "engine": "vector", "buffer": 12, "arrivals": 4, **ROUGH}
    first, *others = (finish(uneven(), chunk=chunk, **choices) for chunk in (1, 2, 3, len(SIZES), 100))
    for other in others:
        assert_twins(other, first)


def test_blocks_are_of_the_size_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks: list[list[int]] = []
    plan = Client.plan

    def noted(client: Client, number: int, phases: Any, clients: list[int], sizes: list[int]) -> Any:
        blocks.append(clients)
        return plan(client, number, phases, clients, sizes)

    monkeypatch.setattr(Client, "plan", noted)
    finish(uneven(), engine="vector", chunk=2, rounds=1)
    assert blocks == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("recipe", ["qqr", "local"])
def test_the_same_blocks_give_the_same_bits(recipe: str, dtype: str) -> None:
    choices = {"recipe": recipe, "engine": "vector", "chunk": 3, "dtype": dtype, "flags": "assessed", **ROUGH}
    one, other = (finish(uneven(), buffer=12, arrivals=4, **choices) for _ in range(2))
    assert_same_runs(one, other)


def assert_same_runs(found: Finished, expected: Finished) -> None:
    """Fail unless runs are equal bit for bit, in all but the time that they took."""
    tensors, wanted = found.state.to_checkpoint()[0], expected.state.to_checkpoint()[0]
    assert list(tensors) == list(wanted)
    assert [name for name in tensors if not torch.equal(tensors[name], wanted[name])] == []
    assert found.result.model_dump(exclude={"time"}) == expected.result.model_dump(exclude={"time"})


# --- Stopped, killed and gone on with ----------------------------------------------------------------------------

WAYS: dict[str, dict[str, Any]] = {
    "prototypes": {"recipe": "qqr", "buffer": 12, "arrivals": 4, "flags": "assessed"},
    "own models": {"recipe": "local", "participation": 0.6, "momentum": 0.9},
    "a few": {"recipe": "late", "participation": 0.6, "upload": "q8", "optimizer": "adam", "lr": 0.01},
}


def blocks_of_three(way: str) -> Any:
    return configured(engine="vector", chunk=3, rounds=5, **WAYS[way], **ROUGH)


@pytest.mark.parametrize("way", WAYS)
def test_a_stopped_run_goes_on_with_the_same_bits(tmp_path: Path, way: str) -> None:
    config = blocks_of_three(way)
    whole = run(config, uneven())
    assert_same_runs(run_with_breaks(config, uneven(), tmp_path / "run"), whole)


@pytest.mark.parametrize("way", WAYS)
def test_a_run_killed_in_the_midst_of_a_round_goes_on_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    config = blocks_of_three(way)
    whole = run(config, uneven())
    blocks = -(-whole.result.history[0].clients // 3)
    folder = RunFolder.create(tmp_path / "run", config.flat())
    with monkeypatch.context() as patch:
        patch.setattr(Client, "plan", Trap(Client.plan, KeyboardInterrupt(), 3 * blocks - 1))  # the last of round 3
        patch.setattr("motet.record.folder.SAVING_SHARE", float("inf"))  # a checkpoint after every round
        with pytest.raises(KeyboardInterrupt):
            run(config, uneven(), folder)
    folder.close()
    assert checkpoint.load(checkpoint.found(folder.path)[0])[1]["round"] == 2
    folder = RunFolder.open(tmp_path / "run")
    finished = run(config, uneven(), folder)
    folder.close()
    assert_same_runs(finished, whole)


# --- What goes wrong says where ----------------------------------------------------------------------------------

STAGES = [
    (Oracle, "look", "assessing quality"),
    (Mean, "receive", "receiving"),
    (Client, "look", "evaluating arrivals"),
    (proto, "summarise", "building prototypes"),
    (Optimiser, "step", "training"),
    (Mean, "message", "sending"),
]


@pytest.mark.parametrize(("owner", "name", "stage"), STAGES)
@pytest.mark.parametrize(("after", "named"), [(0, "clients 0 to 1"), (1, "clients 2 to 3"), (2, "client 4")])
def test_a_failure_names_its_clients_the_round_and_the_stage(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, stage: str, after: int, named: str
) -> None:
    blocks: list[list[int]] = []
    run = Block.run

    def breaking(block: Block, number: int, clients: list[int], *rest: Any) -> Outcome:
        """Break a function when so many blocks are done."""
        if len(blocks) == after:
            monkeypatch.setattr(owner, name, Trap(getattr(owner, name), RuntimeError("it broke"), 0))
        blocks.append(clients)
        return run(block, number, clients, *rest)

    monkeypatch.setattr(Block, "run", breaking)
    with pytest.raises(MotetError, match=rf"^{named}, round 1, {stage}: RuntimeError: it broke$") as error:
        finish(uneven(), recipe="qqr", engine="vector", chunk=2, rounds=1)
    assert isinstance(error.value.__cause__, RuntimeError)
    assert blocks[: after + 1] == [[0, 1], [2, 3], [4]][: after + 1]


def test_a_failure_of_a_later_round_names_that_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "plan", Trap(Client.plan, RuntimeError("it broke"), 4))  # once in each of three blocks
    with pytest.raises(MotetError, match=r"^clients 2 to 3, round 2, training: RuntimeError: it broke$"):
        finish(uneven(), engine="vector", chunk=2)


def test_wrong_input_that_only_a_block_sees_is_no_input_error_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "plan", Trap(Client.plan, InputError("too long"), 0))
    with pytest.raises(MotetError, match=r"^clients 0 to 1, round 1, training: too long$") as error:
        finish(uneven(), engine="vector", chunk=2)
    assert not isinstance(error.value, InputError)


def test_ctrl_c_is_no_failure_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "plan", Trap(Client.plan, KeyboardInterrupt(), 0))
    with pytest.raises(KeyboardInterrupt):
        finish(uneven(), engine="vector", chunk=2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_a_loss_that_is_no_number_names_the_client_and_the_round(chunk: int) -> None:
    """One client's sensor breaks beyond all numbers once calibration is over; the sentence is the loop's own."""
    choices = {
        "recipe": "fedavg",
        "seed": 2,  # client 2 is the one
        "degraded_rate": 0.2,
        "degraded_pattern": "persistent",
        "degraded_modality": "body",
        "degradation_strength": 1e30,
        "calibration_rounds": 2,
    }
    sentences = []
    for engine in ({"engine": "loop"}, {"engine": "vector", "chunk": chunk}):
        with pytest.raises(MotetError, match=r"^client 2, round 3, training: the loss became nan: lower") as error:
            finish(uneven(), **choices, **engine)
        sentences.append(str(error.value))
    assert sentences[0] == sentences[1]
