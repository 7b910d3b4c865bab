"""The audit of whole runs: what falls with protection, what every recipe allows, and that it can be repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from people import Heard, finish, people

from motet.data.dataset import ArrayDataset, Modality
from motet.engine.audit.eavesdrop import eavesdrop
from motet.engine.audit.eavesdropper import Eavesdropper
from motet.engine.audit.updates import minibatches
from motet.engine.run import Finished
from motet.engine.watch import Watch
from motet.learn.recipe import RECIPES
from motet.record.audit import Attempt, Audit

DATA = people(each=30)
ONE = "gradient inversion, 1"


def audited(finished: Finished, clients: int = 2, steps: int = 2, watch: Watch | None = None) -> Audit:
    return eavesdrop(finished.federation, finished.state, watch or Watch(), clients, steps)


def along(attempt: Attempt, noise: bool) -> list[float]:
    """Return what is left as noise grows, or as bits become fewer."""
    return [leak.mean for leak in attempt.leaks if (leak.bits == 32 if noise else leak.noise == 0)]


def test_recovery_falls_with_noise_and_bits() -> None:
    found = audited(finish(DATA, recipe="qqr", encoder="mlp", features=16), clients=4, steps=120)
    assert list(found.attempts) == [
        "nearest sample",
        "prototype inversion",
        ONE,
        *(f"gradient inversion, {n}" for n in (4, 8)),
    ]
    noise, bits = (along(found.attempts[ONE], noise) for noise in (True, False))
    assert noise[0] > 0.6
    assert noise[0] > noise[1] > noise[2] + 0.1
    assert noise[3] < 0.2
    assert bits[0] > bits[3] + 0.02
    own = along(found.attempts["nearest sample"], noise=True)
    assert own[0] > own[3]
    assert own[0] > 0.55


def test_what_it_says_of_itself() -> None:
    finished = finish(DATA, recipe="qqr")
    found = audited(finished, clients=3)
    assert (found.recipe, found.seed, found.data, found.round, found.held, found.steps) == (
        "qqr",
        0,
        "people",
        3,
        24,
        2,
    )
    assert len(set(found.clients)) == 3
    for attempt in found.attempts.values():
        assert (attempt.leaks[0].bits, attempt.leaks[0].noise) == (32, 0)
        assert len(attempt.leaks) == 7
        for leak in attempt.leaks:
            assert list(leak.by_client) == [str(k) for k in found.clients]
            assert list(leak.by_modality) == ["move", "body"]
            assert leak.mean == pytest.approx(np.mean(list(leak.by_client.values())))
            assert leak.sd == pytest.approx(np.std(list(leak.by_client.values()), ddof=1))
            assert (leak.near is None) == (attempt.scale == "auroc") == (attempt.held is None)
    assert [attempt.samples for attempt in found.attempts.values()] == [None, None, 1, 4, 8]
    assert found.notes == []
    assert all(leak.sd is None for attempt in audited(finished, clients=1).attempts.values() for leak in attempt.leaks)
    assert len(audited(finished, clients=99).clients) == 4


def test_the_same_again_to_the_bit() -> None:
    one, other = (audited(finish(DATA, recipe="qqr", missing_rate=0.5, degraded_rate=0.5), steps=4) for _ in range(2))
    assert one == other
    third = audited(finish(DATA, recipe="qqr", missing_rate=0.5, degraded_rate=0.5, seed=1), steps=4)
    assert third.attempts != one.attempts


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe(recipe: str) -> None:
    changes: dict[str, Any] = {"momentum": 0, "optimizer": "sgd"} if recipe == "scaffold" else {}
    found = audited(finish(DATA, recipe=recipe, missing_rate=0.5, degraded_rate=0.5, **changes))
    said = " ".join(found.notes)
    assert ("nearest sample" in found.attempts) == ("sends no prototypes" not in said)
    assert (ONE in found.attempts) == ("no update" not in said)
    assert ("keep their models to themselves" in said) == (recipe == "local")
    assert ("Ternary weights" in said) == (recipe == "t-fedavg")


def test_own_models_are_taken_as_known() -> None:
    found = audited(finish(DATA, recipe="pmm", aggregate="none"))
    assert list(found.attempts) == ["nearest sample", "prototype inversion"]
    assert any("the eavesdropper is taken to have them" in note for note in found.notes)


def with_words() -> ArrayDataset:
    """Make people who also write."""
    words = np.random.default_rng(2).integers(2, 9, (len(DATA.y), 5))
    spec = Modality("text", "tokens", (5,), vocabulary=9)
    return replace(DATA, modalities={**DATA.modalities, "text": spec}, x={**DATA.x, "text": words}, present={})


def test_tokens_are_not_reconstructed() -> None:
    found = audited(finish(with_words(), recipe="qqr", encoder="text=mlp"))
    assert any(note.startswith("Text is tokens, to which no gradient leads") for note in found.notes)
    for name, attempt in found.attempts.items():
        seen = ["move", "body", "text"] if name == "nearest sample" else ["move", "body"]
        assert all(list(leak.by_modality) == seen for leak in attempt.leaks)


@pytest.mark.parametrize("encoder", ["move=lstm", "move=gru", "move=summary", "move=conv", "move=mlp"])
def test_every_encoder(encoder: str) -> None:
    assert len(audited(finish(DATA, recipe="qqr", encoder=encoder)).attempts) == 5


def test_clients_with_few_samples() -> None:
    found = audited(finish(DATA, recipe="qqr", buffer=3, arrivals=3))
    assert list(found.attempts)[2:] == [ONE]
    assert found.notes == [f"gradient inversion, {n}: no client that was listened to has the samples." for n in (4, 8)]


def test_held_data_without_a_modality_or_a_class() -> None:
    lacking = audited(finish(DATA, recipe="qqr", test_missing="body"))
    assert list(lacking.attempts["nearest sample"].leaks[0].by_modality) == ["move"]
    assert list(lacking.attempts[ONE].leaks[0].by_modality) == ["move", "body"]
    y = np.where(DATA.split == 2, DATA.y % 2, DATA.y)
    assert len(audited(finish(replace(DATA, y=y), recipe="qqr")).attempts) == 5


def test_minibatches_are_a_clients_own_samples_each_once() -> None:
    finished = finish(DATA, recipe="qqr", missing_rate=0.5, missing_granularity="sample")
    spy = Eavesdropper(finished.federation, finished.state)
    own = spy.own(1).x["move"]
    for size, count in ((1, 4), (4, 1), (8, 1)):
        found = minibatches(spy, [1, 2], size)
        assert found is not None
        assert found.clients == [1] * count + [2] * count
        chosen = found.x["move"][:count].flatten(0, 1)
        assert [int((own == sample).all((1, 2)).sum()) for sample in chosen] == [1] * max(4, size)
        assert len(chosen.unique(dim=0)) == max(4, size)
        assert all(bool(there.all()) for there in found.batch.present.values())  # those with every modality first


def test_who_waits_hears_of_each_attack() -> None:
    heard = Heard()
    audited(finish(DATA, recipe="qqr"), clients=2, steps=3, watch=heard)
    updates = [(f"inverting updates of {n}", 3) for n in (1, 4, 8)]
    assert heard.said == [("nearest samples", 2), ("inverting prototypes", 4), *updates]
