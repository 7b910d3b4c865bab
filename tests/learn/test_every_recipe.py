"""What holds for every recipe, and for every member of every family, whatever it does.

`checks.CASES` lists them; a new recipe or member is checked by itself.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from checks import (
    CASES,
    ROUGH,
    Choices,
    Story,
    assert_close,
    assert_finite,
    assert_same_bits,
    drawn_aux,
    drawn_batch,
    encoders,
    every_phase,
    finish,
    informed,
    looks,
    loss_and_gradient,
    method_for,
    ragged,
    story,
    toy,
    trained,
    weights,
)
from plain import train_plainly
from torch import Tensor
from torch.func import grad_and_value, vmap

from motet.data.dataset import TRAIN
from motet.engine.federation import Federation
from motet.engine.outcome import Outcome
from motet.engine.private import section
from motet.engine.run import Finished
from motet.learn import prototypes as proto
from motet.learn.method import Method
from motet.learn.objective import Phase
from motet.learn.recipe import RECIPES, resolve
from motet.learn.sample import Batch
from motet.nets.network import State
from twins import assert_twins

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
any_number = pytest.mark.parametrize("count", [1, 2, 3, 6])


# --- Small federations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES)
@any_number
def test_runs_with_any_number_of_modalities_of_any_kind(recipe: str, count: int) -> None:
    data = toy(looks(count), clients=2, each=8, test=6)
    choices = {**ROUGH, "degradation": "dropout", "flags": "assessed"}
    finished = finish(data, recipe=recipe, encoder=encoders(count), **choices)
    assert_finite(trained(finished))
    assert 0 <= finished.result.final.accuracy <= 1
    subsets = 2**count - 1 if count <= 4 else 1 + 2 * count
    assert len(finished.result.final.accuracy_by_present) == subsets


@every_case
def test_a_client_and_the_test_split_may_have_one_modality_alone(case: Choices) -> None:
    data = toy(3)
    has_all = (data.client == 0) & (data.split == TRAIN)
    data.present |= {"m1": has_all, "m2": has_all}
    told = story(data, **case)
    assert_finite(told.states[-1])
    assert np.isfinite(told.end.tail[-1]["loss"])
    zeros_are_encoded = told.federation.config.recipe.missing == "zero"
    for outcome in told.outcomes:
        parts = _trained_parts(told.federation, outcome)
        assert "encoder.m0" in parts
        for m in ("m1", "m2"):
            assert (f"encoder.{m}" in parts) == (zeros_are_encoded or outcome.clients == [0])


def _trained_parts(federation: Federation, outcome: Outcome) -> set[str]:
    """Return the parts that a client sends, or changes where it keeps its model to itself."""
    start = federation.method.network.state()
    if outcome.private:
        own = section(outcome.private[outcome.clients[0]], "model")
    if outcome.private and own:
        names = {name for name, value in own.items() if not torch.equal(value, start[name].double())}
    else:
        names = {name for name, held in outcome.model.held.items() if held[0]}
    return {part for part, own in federation.method.network.names.items() if names & set(own)}


def _moved_parts(finished: Finished) -> set[str]:
    """Return the parts that a run has trained."""
    start, end = finished.federation.method.network.state(), trained(finished)
    moved = {name for name, value in start.items() if not torch.equal(value.double(), end[name])}
    return {part for part, names in finished.federation.method.network.names.items() if moved & set(names)}


@every_case
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_clients_may_own_one_modality_each(case: Choices, share: float) -> None:
    told = story(toy(3, clients=4), unimodal_share=share, **case, **ROUGH)
    for state in told.states:
        assert_finite(state)
    assert np.isfinite(told.end.tail[-1]["loss"])
    unimodal = told.federation.partition.unimodal
    assert len(unimodal) == round(share * 4)
    for outcome in told.outcomes:
        (client,) = outcome.clients
        if client in unimodal:
            held = outcome.account
            assert all(own == held.samples * (m == unimodal[client]) for m, own in held.present.items())
            x = told.federation.views.view(1, client).x
            assert not any(x[m].any() for m in x if m != unimodal[client])


@every_case
def test_a_modality_that_no_client_owns_moves_no_bit_of_its_encoder(case: Choices) -> None:
    told = story(toy(3, clients=2), unimodal_share=1.0, **case, **ROUGH)
    (unowned,) = {"m0", "m1", "m2"} - set(told.federation.partition.unimodal.values())
    method, after = told.federation.method, [_model_after(told, place) for place in range(2)]
    start = {name: value.double() for name, value in method.network.state().items()}
    moved = {m for m in method.modalities for n in method.network.names[f"encoder.{m}"] if _differs(n, start, after)}
    zeros_are_encoded = told.federation.config.recipe.missing == "zero"
    assert (unowned in moved) == zeros_are_encoded
    assert moved


def _differs(name: str, start: State, after: list[State]) -> bool:
    return any(not torch.equal(state[name], start[name]) for state in after)


@every_case
def test_a_modality_may_appear_late(case: Choices) -> None:
    data = toy(clients=2, each=24)
    of_client = np.concatenate([np.arange(24), np.arange(24), np.arange(12)])
    data.present["m1"] = of_client >= 16  # buffers end at sample 12, 16, 20, 24 after rounds 1 to 4
    told = story(data, buffer=8, arrivals=4, **{**case, "rounds": 4})
    for state in told.states:
        assert_finite(state)
    method = told.federation.method
    if method.uses_prototypes:
        updates = [int(state["shared/prototypes/updates/m1"].sum()) for state in told.states]
        assert updates[:2] == [0, 0]
        assert 0 < updates[2] < updates[3]
    models = [_model_after(told, number) for number in range(4)]
    names = method.network.names["encoder.m1"]
    if told.federation.config.recipe.missing != "zero":
        start = method.network.state()
        assert_same_bits({n: models[1][n] for n in names}, {n: start[n].double() for n in names})
    assert any(not torch.equal(models[2][n], models[1][n]) for n in names)


def _model_after(told: Story, place: int) -> State:
    """Return the model after a round: the first client's own, where each has one."""
    state = told.states[place]
    own = {name: value[0] for name, value in section(state, "private/model").items()}
    shared = {name: value for name, value in state.items() if name.startswith("shared/model/")}
    return own or {name.removeprefix("shared/model/"): value for name, value in shared.items()}


@every_case
def test_a_class_may_never_be_seen(case: Choices) -> None:
    told = story(toy(classes=4, trained=3), **case, **ROUGH, test_missing="m1")
    for state in told.states:
        assert_finite(state)
        for m in ("m0", "m1"):
            assert state.get(f"shared/prototypes/updates/{m}", torch.zeros(4))[3] == 0
    assert 3 in told.federation.test.y
    assert np.isfinite(told.end.tail[-1]["loss"])


@every_case
def test_one_client_is_plain_local_training(case: Choices) -> None:
    """The same network on the same minibatches, in a training loop written without any of Motet's learning."""
    data = toy(clients=1, each=20)
    finished = finish(data, lr=0.2, lr_decay=0.9, local_epochs=2, **{**_dense(case), "rounds": 3})
    plain = train_plainly(finished)
    found = trained(finished)
    expected = {
        f"{part}.{name}": value.detach() for part, module in plain.items() for name, value in module.named_parameters()
    }
    assert_close({name: found[name] for name in expected}, expected, 1e-12)
    assert _moved_parts(finished) >= {part for part, names in _moved_plainly(finished, plain).items() if names}


def _moved_plainly(finished: Finished, plain: dict[str, torch.nn.Module]) -> dict[str, list[str]]:
    """Return the parameters of each part that plain training has moved."""
    start = finished.federation.method.network.state()
    return {
        part: [n for n, p in module.named_parameters() if not torch.equal(p, start[f"{part}.{n}"].double())]
        for part, module in plain.items()
    }


def _dense(case: Choices) -> Choices:
    """Return a case without what plain training does not know: sparse uploads, noise, and pulls to prototypes."""
    config = resolve(case).recipe
    named = {"objective": config.objective, "drift": config.drift}
    known = {"ogm": "ogm:noise=false", "prototype-pull": "none", "chain:order=weakest": "chain"}
    return {**case, "upload": "dense", **{key: known.get(choice, choice) for key, choice in named.items()}}


@every_case
def test_the_seed_alone_decides_every_bit(case: Choices) -> None:
    """Neither another time nor another order of work on the clients changes any; another seed changes every part."""
    told, again = story(toy(), **case, **ROUGH), story(toy(), backwards=True, **case, **ROUGH)
    for found, expected in zip(again.states, told.states, strict=True):
        assert_same_bits(found, expected)
    other = story(toy(), seed=1, **case, **ROUGH)
    for place in range(2):
        one, another = _model_after(told, place), _model_after(other, place)
        for part, names in told.federation.method.network.names.items():
            assert any(not torch.equal(one[n], another[n]) for n in names), part


@every_case
def test_blocks_of_clients_learn_what_clients_learn_one_by_one(case: Choices) -> None:
    """To rounding; a block holds clients of several sizes, of which some lack a modality and some have a bad one."""
    data = ragged([8, 14, 25, 9, 17])
    choices = {**case, **ROUGH, "rounds": 5, "buffer": 12, "arrivals": 4}
    one_by_one, blocks = finish(data, engine="loop", **choices), finish(data, engine="vector", chunk=2, **choices)
    assert (blocks.result.engine.name, blocks.result.engine.chunk) == ("vector", 2)
    assert one_by_one.result.engine.name == "loop"
    assert_twins(blocks, one_by_one, 1e-9)
    assert blocks.state.online.loss > 0


@every_case
def test_predictions_never_see_the_test_labels(case: Choices) -> None:
    honest, lying = toy(), toy()
    lying.y[lying.split == 2] = (lying.y[lying.split == 2] + 1) % 3
    choices = {**case, **ROUGH, "rounds": 1, "test_missing": "m1", "test_degradation": "noise"}
    runs = [finish(data, **choices) for data in (honest, lying)]
    assert_same_bits(trained(runs[0]), trained(runs[1]))
    logits = [_test_logits(finished) for finished in runs]
    assert torch.equal(logits[0], logits[1])
    if runs[0].federation.config.recipe.aggregate != "none":
        for finished, found in zip(runs, logits, strict=True):
            hits = found.argmax(1).numpy() == finished.federation.test.y
            assert finished.result.final.accuracy == hits.mean()


def _test_logits(finished: Finished) -> Tensor:
    method, shared, view = finished.federation.method, finished.state.shared, finished.federation.test
    flagged = method.uses_quality
    batch = Batch(
        x=method.network.prepare({m: torch.from_numpy(x).double() for m, x in view.x.items()}),
        y=torch.from_numpy(view.y),
        mask=torch.ones(len(view.y), dtype=torch.bool),
        present={m: torch.from_numpy(p) for m, p in view.present.items()},
        quality={m: torch.from_numpy(1.0 - bad * flagged) for m, bad in view.degraded.items()},
    )
    model = trained(finished)
    with torch.no_grad():
        return method.logits(model, method.aux(shared), method.encode(model, batch.x), batch)


@every_case
def test_what_is_easy_is_learnt(case: Choices) -> None:
    few = {"optimizer": "adam", "lr": 0.03} if resolve(case).recipe.upload.startswith("ternary") else {}
    rough = {"missing_rate": 0.3, "degraded_rate": 0.3}
    finished = finish(toy(easy=True, test=30), **rough, **few, **{**case, "rounds": 4})
    assert finished.result.final.accuracy > 0.7


# --- One step ----------------------------------------------------------------------------------------------------


def _method(case: Choices, count: int) -> tuple[Method, State, dict[str, Any]]:
    """Return a method on modalities of several kinds, parameters, and prototypes that lack a class and a modality."""
    method = method_for(looks(count), 3, encoders(count), **case)
    params = weights(method)
    generator = torch.Generator().manual_seed(1)
    moved = {
        name: (value.detach() + 0.1 * torch.randn(value.shape, generator=generator, dtype=value.dtype)).requires_grad_()
        for name, value in params.items()
    }
    known = dict.fromkeys(method.modalities, 2)
    if count > 2:
        known[method.modalities[-1]] = 0
    return method, moved, drawn_aux(method, params, known)


def _imperfect(count: int, **changes: Any) -> Batch:
    """Return six samples of which some lack the first modality and some have a bad last one."""
    absent = {"m0": [0, 3]} if count > 1 else {}
    bad = {f"m{count - 1}": [0, 1]}
    batch = drawn_batch(looks(count), **{"y": [0, 1, 2, 1, 0, 2], "absent": absent, "bad": bad, **changes})
    network = method_for(looks(count), 3, encoders(count), recipe="fedavg").network
    return batch._replace(x=network.prepare(batch.x))


@every_case
@any_number
def test_an_empty_minibatch_changes_nothing(case: Choices, count: int) -> None:
    method, params, aux = _method(case, count)
    for phase in every_phase(method):
        _check_empty(method, params, aux, _imperfect(count, mask=[False] * 6), phase)


def _check_empty(method: Method, params: State, aux: dict[str, Any], batch: Batch, phase: Phase) -> None:
    loss, gradient = loss_and_gradient(method, params, aux, batch, phase)
    leaves = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
    pull = method.drift.penalty(leaves, aux)
    assert torch.equal(loss, pull.detach())
    assert (float(loss) > 0) == method.settings.drift.startswith("proximal")
    expected = torch.autograd.grad(pull, list(leaves.values())) if pull.requires_grad else None
    for place, (name, value) in enumerate(gradient.items()):
        assert torch.equal(value, expected[place] if expected else torch.zeros_like(value)), name


@every_case
@any_number
def test_padded_rows_never_matter(case: Choices, count: int) -> None:
    method, params, aux = _method(case, count)
    for phase in every_phase(method):
        _check_padding(method, params, aux, _imperfect(count, mask=[True] * 4 + [False] * 2), phase)


def _check_padding(method: Method, params: State, aux: dict[str, Any], batch: Batch, phase: Phase) -> None:
    loss, gradient = loss_and_gradient(method, params, aux, batch, phase)
    spoilt_loss, spoilt_gradient = loss_and_gradient(method, params, aux, _spoilt(batch), phase)
    assert torch.equal(spoilt_loss, loss)
    assert_same_bits(spoilt_gradient, gradient)
    assert any(bool(value.any()) for value in gradient.values())
    alone = Batch(*(_first(part, 4) for part in batch))
    unpadded_loss, unpadded_gradient = loss_and_gradient(method, params, aux, alone, phase)
    torch.testing.assert_close(unpadded_loss, loss, rtol=1e-12, atol=1e-12)
    assert_close(unpadded_gradient, gradient, 1e-11)


def _first(part: Any, count: int) -> Any:
    return {m: value[:count] for m, value in part.items()} if isinstance(part, dict) else part[:count]


def _spoilt(batch: Batch) -> Batch:
    """Return a batch with nonsense in its padded rows."""

    def put(values: Tensor, nonsense: Tensor) -> Tensor:
        shape = (-1,) + (1,) * (values.ndim - 1)
        return torch.where(batch.mask.reshape(shape), values, nonsense)

    assert batch.y is not None
    return Batch(
        x={m: put(x, x + 1e6 if x.is_floating_point() else (x + 1) % 7) for m, x in batch.x.items()},
        y=put(batch.y, (batch.y + 1) % 3),
        mask=batch.mask,
        present={m: put(there, ~there) for m, there in batch.present.items()},
        quality={m: put(q, 1.25 - q) for m, q in batch.quality.items()},
    )


@every_case
@any_number
def test_prediction_changes_no_state_and_needs_no_label(case: Choices, count: int) -> None:
    method, params, aux = _method(case, count)
    batch = _imperfect(count)
    assert batch.y is not None
    before = copy.deepcopy({name: value.detach() for name, value in params.items()})
    aux_before = copy.deepcopy({key: value for key, value in aux.items() if key != "model"})
    with torch.no_grad():
        encoded = method.encode(params, batch.x)
        labels = [batch.y, (batch.y + 1) % 3, None, batch.y]
        found = [method.logits(params, aux, encoded, batch._replace(y=y)) for y in labels]
    assert found[0].shape == (6, 3)
    assert bool(torch.isfinite(found[0]).all())
    for other in found[1:]:
        assert torch.equal(other, found[0])
    assert_same_bits({name: value.detach() for name, value in params.items()}, before)
    torch.testing.assert_close({k: v for k, v in aux.items() if k != "model"}, aux_before, rtol=0, atol=0)


@every_case
@pytest.mark.parametrize("count", [1, 2, 6])
def test_many_clients_at_once_are_one_after_another(case: Choices, count: int) -> None:
    """Under vmap: one client lacks a modality, one has an empty minibatch, no client knows every class's prototype."""
    method, params, aux = _method(case, count)
    everyone = [
        _imperfect(count, seed=1),
        _imperfect(count, seed=2, y=[0, 1, 1, 0, 0, 1], absent={"m0": list(range(6))} if count > 1 else {}),
        _imperfect(count, seed=3, mask=[False] * 6),
        _imperfect(count, seed=4, mask=[True, False] * 3, bad={}),
    ]
    parameters = [
        {name: value.detach() * (1 + 0.05 * k) for name, value in params.items()} for k in range(len(everyone))
    ]
    stacked = {name: torch.stack([own[name] for own in parameters]) for name in params}
    batches = _stack(everyone)
    for phase in every_phase(method):
        _check_many(method, aux, phase, parameters, stacked, everyone, batches)


def _check_many(
    method: Method,
    aux: dict[str, Any],
    phase: Phase,
    parameters: list[State],
    stacked: State,
    everyone: list[Batch],
    batches: Batch,
) -> None:
    def loss(own: State, batch: Batch) -> Tensor:
        told, recalling = informed(method, aux, batch, aux["model"])
        return method.loss(own, told, recalling, phase)

    def predict(own: State, batch: Batch) -> tuple[Tensor, Any]:
        encoded = method.encode(own, batch.x)
        return method.logits(own, aux, encoded, batch), proto.summarise(encoded, batch, 3)

    gradients, losses = vmap(grad_and_value(loss))(stacked, batches)
    logits, summaries = vmap(predict)(stacked, batches)
    for k, (own, batch) in enumerate(zip(parameters, everyone, strict=True)):
        leaves = {name: value.clone().requires_grad_() for name, value in own.items()}
        expected_loss = loss(leaves, batch)
        found = torch.autograd.grad(expected_loss, list(leaves.values()), materialize_grads=True)
        expected_gradient, expected_loss = dict(zip(leaves, found, strict=True)), expected_loss.detach()
        torch.testing.assert_close(losses[k], expected_loss, rtol=1e-9, atol=1e-9)
        assert_close({name: value[k] for name, value in gradients.items()}, expected_gradient, 1e-9)
        expected_logits, expected_summary = predict(own, batch)
        torch.testing.assert_close(logits[k], expected_logits, rtol=1e-9, atol=1e-9)
        for what, by_modality in expected_summary.items():
            own_part = {m: value[k] for m, value in summaries[what].items()}
            assert_close(own_part, by_modality, 1e-9)
    assert_finite(gradients)


def _stack(batches: list[Batch]) -> Batch:
    def stacked(parts: list[Any]) -> Any:
        if isinstance(parts[0], dict):
            return {m: torch.stack([part[m] for part in parts]) for m in parts[0]}
        return torch.stack(parts)

    return Batch(*(stacked([batch[i] for batch in batches]) for i in range(len(batches[0]))))
