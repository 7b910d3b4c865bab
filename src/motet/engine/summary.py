"""The record of a finished run."""

from __future__ import annotations

import platform
from collections import Counter
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

import motet
from motet.engine.attackers import hostile_clients
from motet.engine.federation import Federation
from motet.engine.state import ServerState, initial_shared
from motet.learn.recipe import RECIPES
from motet.learn.sample import Batch
from motet.measure.accuracy import mean
from motet.nets.encoder import blank, choose
from motet.record.result import (
    Assessment,
    Attack,
    Bytes,
    Device,
    Engine,
    Metrics,
    Online,
    Privacy,
    Result,
    Round,
    Time,
    Validation,
)


def versions() -> dict[str, str]:
    """Return the versions that every run depends on, and the kind of machine."""
    return {
        "motet": motet.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }


def summarise(federation: Federation, state: ServerState, history: list[Round], engine: Engine) -> Result:
    """Return everything about a run, as `result.json` has it."""
    config = federation.config
    up, down = state.ledger.totals()
    return Result(
        recipe=_recipe(federation),
        config=config.flat(),
        seed=config.run.seed,
        engine=engine,
        versions={
            **versions(),
            **({"dp-accounting": version("dp-accounting")} if federation.budget else {}),
        },
        data=_data(federation),
        final=Metrics(**state.tail[-1]),
        tail=Metrics(**mean(state.tail)),
        validation=_validation(state),
        online=_online(state),
        assessment=_assessment(federation, state),
        bytes=Bytes(
            up=up,
            down=down,
            up_by_kind=dict(state.ledger.up),
            down_by_kind=dict(state.ledger.down),
            rounds=state.round,
        ),
        device=Device(
            buffer_bytes=state.largest["buffer"],
            prototype_bytes=state.largest["prototypes"],
            private_state_bytes=state.largest["private"],
            train_flops=_flops_per_sample(federation) * state.largest["trained"] // federation.clients,
        ),
        time=Time(
            train_s=state.seconds["first"] + state.seconds["train"],
            evaluate_s=state.seconds["evaluate"],
            samples_per_s=state.samples / state.seconds["train"] if state.samples else None,
            link_s=None if config.network.link_rate is None else sum(line.link_s or 0.0 for line in history),
        ),
        attack=_attack(federation),
        privacy=_privacy(federation),
        refused=_refused(history),
        history=history,
    )


def _attack(federation: Federation) -> Attack | None:
    config = federation.config
    hostile = hostile_clients(config, federation.clients)
    return Attack(name=str(config.hostile.attack), clients=[str(k) for k in hostile]) if hostile else None


def _privacy(federation: Federation) -> Privacy | None:
    budget, privacy, settings = federation.budget, federation.privacy, federation.config.privacy
    if not (budget and privacy and settings.privacy != "none"):
        return None
    return Privacy(
        by=settings.privacy,
        epsilon=budget.spent(federation.rounds),
        delta=settings.delta,
        noise_multiplier=budget.multiplier,
        deviations=privacy.deviations,
        rounds_asked=federation.config.training.rounds,
    )


def _refused(history: list[Round]) -> dict[str, dict[str, int]]:
    """Add up who was refused, why and how often."""
    total: dict[str, Counter[str]] = {}
    for line in history:
        for reason, clients in line.refused.items():
            total.setdefault(reason, Counter()).update(clients)
    return {reason: dict(clients) for reason, clients in total.items()}


def _recipe(federation: Federation) -> dict[str, Any]:
    settings = federation.config.recipe.model_dump(mode="json")
    known = RECIPES.get(settings["recipe"])
    return {
        "name": settings.pop("recipe"),
        "summary": known.summary if known else "",
        "source": known.source if known else "",
        "upper_bound": not settings["impaired"],
        **settings,
    }


def _data(federation: Federation) -> dict[str, Any]:
    dataset = federation.dataset
    encoders = choose(dataset.modalities, federation.config.data.encoder)
    return {
        "name": dataset.name,
        "source": dataset.source,
        "classes": list(dataset.classes),
        "modalities": {
            m: {"kind": spec.kind, "shape": list(spec.shape), "encoder": encoders[m]}
            for m, spec in dataset.modalities.items()
        },
        "train_samples": int(federation.population.samples.sum()),
        "test_samples": len(federation.test.y),
        "validation_samples": 0 if federation.validation is None else len(federation.validation.y),
        "parameters": sum(value.numel() for value in federation.method.network.state().values()),
        **federation.population.record,
    }


def _validation(state: ServerState) -> Validation | None:
    if not state.validation:
        return None
    kept = [{name: each[name] for name in Validation.model_fields if name in each} for each in state.validation]
    return Validation(**mean(kept), fusion={m: float(weight) for m, weight in state.shared.get("fusion", {}).items()})


def _online(state: ServerState) -> Online | None:
    seen = state.online
    if seen.samples == 0:
        return None
    return Online(accuracy=seen.hits / seen.samples, loss=seen.loss / seen.samples, samples=seen.samples)


def _assessment(federation: Federation, state: ServerState) -> Assessment | None:
    if not federation.method.uses_quality or federation.config.assessment.flags == "none":
        return None
    flags = state.flags
    return Assessment(
        auroc={m: flags.auroc(m) for m in flags.counts}, precision=flags.precision(), recall=flags.recall()
    )


def _flops_per_sample(federation: Federation) -> int:
    """Count the operations of one sample's forward and backward pass."""
    from torch.utils.flop_counter import FlopCounterMode

    method, dataset = federation.method, federation.dataset
    shared = initial_shared(method, torch.float32)
    start = shared["model"]
    params = {name: value.clone().requires_grad_() for name, value in start.items()}
    x = method.network.prepare(blank(dataset.modalities))
    here = torch.ones(1, dtype=torch.bool)
    every = dict.fromkeys(x, here)
    batch = Batch(x, torch.zeros(1, dtype=torch.int64), here, every, {m: torch.ones(1) for m in x})
    if method.uses_received or method.drift.uses_previous:
        with torch.no_grad():
            features = method.encode(start, x)
        batch = batch._replace(received=features, previous=features)
    aux = {**method.aux(shared), "survey": method.survey(start, method.encode(start, x), batch)}
    with FlopCounterMode(display=False) as counter:
        phases = method.phases(round=2)  # in the first, some methods do less
        for phase in phases:
            loss = method.loss(params, aux, batch, phase)
            torch.autograd.grad(loss, list(params.values()), allow_unused=True)
    return int(counter.get_total_flops()) // len(phases)
