"""Runs in which no client shows: how far one moves them, how much noise there is, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dp_accounting
import numpy as np
import pytest
import torch
from dp_accounting import pld
from hypothesis import given, settings
from hypothesis import strategies as st
from people import configured, federation, finish, people, run_with_breaks
from torch import Tensor

from motet.engine.federation import Federation, check
from motet.engine.outcome import Outcome
from motet.engine.participants import participants
from motet.engine.run import Runner, run
from motet.engine.state import initial_state
from motet.engine.watch import Watch
from motet.errors import InputError
from motet.record.report.setting import setting
from motet.record.table import run_rows
from motet.record.warnings import run_warnings
from motet.record.wording import number
from motet.wire.ledger import Ledger
from motet.wire.message import encode
from twins import assert_states_close, assert_twins

PRIVATE: dict[str, Any] = {"privacy": "server", "flags": "none", "recipe": "pmm", "noise_multiplier": 1.0}
by_both = pytest.mark.parametrize("by", ["server", "device"])


def outcomes(built: Federation, noisy: bool = True) -> tuple[Runner, list[Outcome]]:
    """Return what clients leave in the first round, one outcome each."""
    runner, state = Runner(built, Watch()), initial_state(built)
    if not noisy:
        without_noise(runner)
    broadcast = runner.server.broadcast(state)
    found: Iterator[Outcome] = runner.trainer.train(1, list(range(built.clients)), broadcast, state.private)
    return runner, list(found)


def without_noise(runner: Runner) -> None:
    """Let nobody of a run add anything."""
    for privacy in (runner.server.privacy, runner.client.privacy):
        assert privacy is not None
        privacy.deviations = dict.fromkeys(privacy.deviations, 0.0)


@settings(max_examples=10)
@given(
    left=st.integers(0, 3),
    clip=st.floats(0.001, 2),
    prototype_clip=st.floats(0.1, 20),
    attack=st.sampled_from([None, "scaled", "sign-flip"]),
    seed=st.integers(0, 9),
    upload=st.sampled_from(["dense", "q2", "topk"]),
)
def test_one_client_moves_what_is_shared_by_no_more_than_the_bounds(
    left: int, clip: float, prototype_clip: float, attack: str | None, seed: int, upload: str
) -> None:
    """Whatever it sends, hostile or not: the sums with it and without it differ by a vector within the bound."""
    choices = {"update_clip": clip, "prototype_clip": prototype_clip, "seed": seed, "upload": upload, "engine": "loop"}
    hostile = {"attack": attack, "hostile_share": 0.5} if attack else {}
    built = federation(**PRIVATE, **choices, **hostile, dtype="float64", lr=0.5)
    runner, left_by_all = outcomes(built, noisy=False)
    rest = [outcome for outcome in left_by_all if outcome.clients != [left]]
    privacy, state = runner.server.privacy, initial_state(built)
    assert privacy is not None

    def moved(every: list[Outcome]) -> Tensor:
        """Return the joined model times what its steps are divided by, flat."""
        model = runner.server.join(state, 1, every, Ledger())[0]["model"]
        return torch.cat([(value * privacy._expected[name]).flatten() for name, value in model.items()])

    assert float((moved(left_by_all) - moved(rest)).norm()) <= clip * (1 + 1e-9)

    def sums(every: list[Outcome]) -> Tensor:
        joiner = privacy.joiner(1, state.shared["prototypes"])
        for outcome in every:
            assert outcome.prototypes is not None
            joiner.add(outcome.prototypes.content)
        return torch.cat([value.flatten() for value in joiner.totals.values()])

    assert float((sums(left_by_all) - sums(rest)).norm()) <= prototype_clip * (1 + 1e-9)


@by_both
def test_without_noise_within_wide_bounds_it_is_the_plain_run(by: str) -> None:
    """Everybody is there and has every modality, so that fixed denominators are counts."""

    def joined(**choices: Any) -> dict[str, dict[str, Tensor]]:
        built = federation(flags="none", recipe="pmm", engine="loop", dtype="float64", **choices)
        runner, sent = outcomes(built, noisy=not choices)
        return runner.server.join(initial_state(runner.federation), 1, sent, Ledger())[0]

    wide = {"update_clip": 1e3, "prototype_clip": 1e3, "noise_multiplier": 1.0}
    found, expected = joined(privacy=by, **wide), joined()
    for kind in ("model", "prototypes"):
        assert_states_close(found[kind], expected[kind], 1e-9)


def test_the_server_adds_noise_of_the_deviation_that_it_says() -> None:
    """Two kinds of content share the bound: each is noised by z times the root of two of its own."""
    built = federation(**{**PRIVATE, "noise_multiplier": 3.0}, update_clip=0.5, prototype_clip=7.0, features=64)
    privacy = built.privacy
    assert privacy is not None
    expected = {"model": 3 * 2**0.5 * 0.5, "prototypes": 3 * 2**0.5 * 7}
    assert privacy.deviations == pytest.approx(expected)
    drawn = {
        "model": torch.cat([value.flatten() for value in privacy.aggregate(1).noise.values()]),
        "prototypes": privacy.joiner(1, initial_state(built).shared["prototypes"]).totals["mean/move"].flatten(),
    }
    for kind, noise in drawn.items():
        assert float(noise.std()) == pytest.approx(expected[kind], rel=5 / np.sqrt(2 * len(noise)))
        assert abs(float(noise.mean())) < 5 * expected[kind] / np.sqrt(len(noise))
    again = torch.cat([value.flatten() for value in privacy.aggregate(1).noise.values()])
    other = torch.cat([value.flatten() for value in privacy.aggregate(2).noise.values()])
    assert torch.equal(again, drawn["model"])
    assert abs(float(torch.corrcoef(torch.stack([again, other]))[0, 1])) < 5 / np.sqrt(len(other))


def test_without_prototypes_the_update_has_the_bound_to_itself() -> None:
    privacy = federation(**{**PRIVATE, "recipe": "partial"}, update_clip=0.5).privacy
    assert privacy is not None
    assert privacy.deviations == {"model": 0.5}


def test_a_device_clips_and_adds_noise_before_it_sends() -> None:
    """What it sends less what it would send is noise, another one for each device; a small clip leaves noise alone."""
    choices = {**PRIVATE, "privacy": "device", "noise_multiplier": 2.0, "features": 64, "engine": "loop"}
    _, sent = outcomes(federation(**choices, update_clip=1e-3))
    each = [torch.cat([v.flatten() for v in outcome.model.content.values()]) for outcome in sent if outcome.model]
    assert len(each) == 4
    for one in each:
        assert float(one.std()) == pytest.approx(2 * 2**0.5 * 1e-3, rel=0.1)
    correlated = torch.corrcoef(torch.stack(each)) - torch.eye(4)
    assert float(correlated.abs().max()) < 5 / np.sqrt(len(each[0]))


def test_a_device_without_a_modality_sends_as_much_as_any_other() -> None:
    choices = {**PRIVATE, "privacy": "device", "unimodal_share": 0.5, "engine": "loop"}
    _, sent = outcomes(federation(**choices))
    assert len({int(o.model.lengths[0]) for o in sent if o.model}) == 1
    assert len({int(o.prototypes.lengths[0]) for o in sent if o.prototypes}) == 1
    assert all(o.model and o.prototypes for o in sent)


def test_steps_are_divided_by_how_many_owners_are_expected() -> None:
    built = federation(**PRIVATE, participation=0.5, sampling="poisson", unimodal_share=0.5)
    privacy, owners = built.privacy, built.partition.owners(built.dataset)
    assert privacy is not None
    assert sorted(owners.values()) == [3, 3]
    block_of = built.method.network.block_of
    for name, expected in privacy.aggregate(1).expected.items():
        assert expected == 0.5 * owners.get(block_of[name], 4)


@by_both
@pytest.mark.parametrize("recipe", ["fedavg", "pmm", "late-unimodal"])
@pytest.mark.parametrize("upload", ["dense", "q8"])
def test_engines_agree(by: str, recipe: str, upload: str) -> None:
    choices = {**PRIVATE, "privacy": by, "recipe": recipe, "upload": upload, "dtype": "float64", "missing_rate": 0.5}
    choices |= {"participation": 0.5, "sampling": "poisson", "prototype_bits": 8}
    found, expected = (
        finish(people(clients=6), **choices, **engine)
        for engine in ({"engine": "vector", "chunk": 2}, {"engine": "loop"})
    )
    assert_twins(found, expected, 1e-9 if upload == "dense" and recipe != "pmm" else 1e-6)


@by_both
def test_a_stopped_run_goes_on_with_the_same_bits(tmp_path: Path, by: str) -> None:
    config = configured(**{**PRIVATE, "privacy": by}, rounds=5, participation=0.6, sampling="poisson")
    whole, broken = run(config, people()), run_with_breaks(config, people(), tmp_path / "run")
    found, expected = (each.state.to_checkpoint()[0] for each in (broken, whole))
    assert [name for name, value in found.items() if not torch.equal(value, expected[name])] == []
    assert broken.result.history == whole.result.history


@by_both
def test_what_is_spent_is_in_the_record(by: str) -> None:
    done = finish(**{**PRIVATE, "privacy": by}, rounds=4)
    spent = [line.epsilon for line in done.result.history]
    assert done.federation.budget is not None
    assert spent == [done.federation.budget.spent(t) for t in (1, 2, 3, 4)]
    assert done.result.privacy is not None
    assert (done.result.privacy.by, done.result.privacy.epsilon, done.result.privacy.simulated) == (by, spent[-1], True)
    assert finish().result.privacy is None


def test_a_run_stops_before_it_spends_more_than_its_budget(tmp_path: Path) -> None:
    settings = {**PRIVATE, "noise_multiplier": 4.0, "epsilon": 4.0, "rounds": 40}
    done = finish(**settings)
    rounds = done.result.bytes.rounds
    assert 1 < rounds < 40
    assert len(done.result.history) == rounds
    assert done.result.history[-1].accuracy is not None
    assert done.federation.budget is not None
    assert done.federation.budget.spent(rounds) <= 4 < done.federation.budget.spent(rounds + 1)
    assert done.result.privacy is not None
    assert done.result.privacy.rounds_asked == 40


@by_both
def test_table_and_report_say_what_is_spent_and_that_it_is_simulated(by: str) -> None:
    result = finish(**{**PRIVATE, "privacy": by, "noise_multiplier": None}, epsilon=8, rounds=2).result
    assert result.privacy is not None
    noise = {"server": "the server", "device": "each device"}[by]
    words = f"epsilon 8 at delta 1e-05, noise by {noise} ({number(result.privacy.noise_multiplier)} clips)"
    assert ("simulated privacy", words) in run_rows(result)
    assert dict(setting([result], result.config))["Simulated privacy"].startswith(words)
    assert not any("budget" in warning for warning in run_warnings(result))
    assert result.assessment is None  # nothing was


def test_a_budget_that_ended_early_is_warned_of() -> None:
    result = finish(**{**PRIVATE, "noise_multiplier": 4.0}, epsilon=4.0, rounds=40).result
    said = f"The budget of privacy ended before the last round ({result.bytes.rounds} of 40 rounds): more noise lasts"
    assert any(warning.startswith(said) for warning in run_warnings(result))


def test_what_devices_were_told_beforehand_is_not_sent() -> None:
    """Sums of raw samples would tell of a client: under privacy, means and deviations count as known."""
    assert finish(**PRIVATE).result.bytes.up_by_kind.keys() == {"model", "prototypes"}
    assert "scale" in finish().result.bytes.up_by_kind


@pytest.mark.parametrize("delay", [1, 3])
def test_prototypes_have_noise_in_rounds_in_which_they_are_due(delay: int) -> None:
    """Classes that nobody has do not come to be known by noise alone, whether anything is due or not."""
    data = people(each=30)
    data.y[: 4 * 30] %= 2  # nobody has the third class
    done = finish(data, **PRIVATE, rounds=9, prototype_clip=100.0, prototype_delay=delay, engine="vector")
    known = {m: done.state.shared["prototypes"][f"updates/{m}"].tolist() for m in ("move", "body")}
    assert all(updates[2] == 0 and max(updates) <= 9 / delay for updates in known.values())


@pytest.mark.parametrize("by", ["server", "device"])
def test_the_accountant_hears_who_takes_part(by: str) -> None:
    """By the server, each with probability .3; by devices, as often as the busiest of them was drawn."""
    settings = {**PRIVATE, "privacy": by, "rounds": 6, "participation": 0.3, "sampling": "poisson"}
    config, spent = configured(**settings), finish(people(clients=6), **settings).result.history[-1].epsilon
    busiest = max(sum(k in participants(config, 6, t) for t in range(1, 7)) for k in range(6))
    once = {
        "server": dp_accounting.PoissonSampledDpEvent(0.3, dp_accounting.GaussianDpEvent(1.0)),
        "device": dp_accounting.GaussianDpEvent(0.5),
    }
    accountant = pld.PLDAccountant(value_discretization_interval=1e-4)
    exact = accountant.compose(once[by], {"server": 6, "device": busiest}[by]).get_epsilon(1e-5)
    assert spent == pytest.approx(exact, rel=0.002)


def test_a_message_that_says_nothing_changes_nothing() -> None:
    built = federation(**PRIVATE, engine="loop")
    runner, sent = outcomes(built)
    assert sent[0].prototypes is not None
    nothing = runner.client.expected.received_prototypes(encode({}, 32))
    whole, rest = (
        runner.server.join(initial_state(built), 1, own, Ledger())[0]
        for own in ([replace(sent[0], prototypes=nothing), *sent[1:]], [replace(sent[0], prototypes=None), *sent[1:]])
    )
    assert all(torch.equal(value, rest["prototypes"][name]) for name, value in whole["prototypes"].items())


def test_a_hostile_device_keeps_to_no_bound() -> None:
    """Noise by devices protects them, not the model: what is scaled leaves the device so."""
    choices = {**PRIVATE, "privacy": "device", "noise_multiplier": 0.1, "update_clip": 0.1, "engine": "loop"}
    _, sent = outcomes(federation(**choices, attack="scaled", hostile_share=0.25))
    lengths = sorted(float(torch.cat([v.flatten() for v in o.model.content.values()]).norm()) for o in sent if o.model)
    assert lengths[-1] > 5 * lengths[-2]


@pytest.mark.parametrize(("count", "share", "divisor"), [(4, 0.1, 1), (15, 0.1, 2), (10, 0.5, 5)])
def test_devices_that_are_drawn_without_replacement_are_counted(count: int, share: float, divisor: int) -> None:
    built = federation(people(clients=count), **{**PRIVATE, "privacy": "device"}, participation=share)
    assert built.privacy is not None
    assert list(built.privacy.aggregate(1).expected.values()) == pytest.approx([divisor] * len(built.privacy._expected))


def test_a_round_in_which_nobody_is_drawn_is_a_round() -> None:
    done = finish(people(clients=2), **PRIVATE, participation=0.05, sampling="poisson", rounds=6)
    assert {line.clients for line in done.result.history} >= {0}
    spent = [line.epsilon or 0 for line in done.result.history]
    assert spent[0] > 0
    assert sorted(set(spent)) == spent
    quiet = finish(people(clients=2), recipe="fedavg", participation=0.05, sampling="poisson", rounds=6)
    empty = [line for line in quiet.result.history if line.clients == 0]
    assert empty
    assert all((line.bytes_up, line.bytes_down, line.train_loss) == (0, 0, None) for line in empty)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"noise_multiplier": None}, "needs an --epsilon to stay within, or a --noise-multiplier"),
        ({"privacy": "none"}, "need --privacy server, or device"),
        ({"weights": "samples"}, "use --weights equal"),
        ({"prototype_weights": "samples"}, "use --prototype-weights equal"),
        ({"recipe": "late", "fusion": "validation", "validation": True}, "use --fusion equal"),
        ({"delta": 0.3}, "would let one of 4 clients show whole"),
        ({"aggregate": "median"}, "use --aggregate mean"),
        ({"drift": "scaffold"}, "--drift scaffold would tell"),
        ({"recipe": "fedcmi", "objective": "infiltrate:dominance=global", "weights": "equal"}, "would tell how sure"),
        ({"flags": "assessed"}, "use --flags none"),
        ({"prototype_reject": 3}, "leave it out"),
        ({"upload": "topk+memory"}, "leave out the memory"),
        ({"upload": "ternary"}, "sends weights"),
        ({"privacy": "device", "upload": "topk"}, "use dense or q8"),
        ({"participation": 0.5}, "use --sampling poisson"),
        ({"epsilon": 0.1, "noise_multiplier": 0.5}, "one round spends"),
    ],
    ids=str,
)
def test_what_would_tell_of_a_client_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check(configured(**{**PRIVATE, **changes}), people())


def test_what_goes_with_privacy_passes() -> None:
    check(configured(**PRIVATE, upload="topk"), people())
    check(configured(**{**PRIVATE, "privacy": "device"}, participation=0.5), people())
    check(configured(**PRIVATE, participation=0.5, sampling="poisson", server_optimizer="adam"), people())
