"""The configuration: its flat keys, and what it says to a wrong value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from motet.config import Config, configure, keys, option
from motet.errors import InputError

IMBALANCE = ["rate", "pattern", "modality", "bias", "length", "period", "granularity"]
PROMISED = [
    "data", "modalities", "noise", "encoder", "features", "recipe", "objective", "missing", "degraded", "drift",
    "aggregate", "weights", "upload", "prototype_bits", "flags", "calibration_rounds", "clients", "partition",
    "alpha", "participation", "rounds", "local_epochs", "local_cycles", "batch_size", "optimizer", "momentum", "lr",
    "lr_decay", "lr_min", "proximal", "buffer", "arrivals", "order", "degradation", "degradation_strength",
    "test_missing", "test_degradation", "seed", "engine", "device", "threads", "dtype", "evaluate_every",
    "unimodal_share", "validation", "fusion", "norm_bound", "hostile_share", "attack", "prototype_reject", "sampling",
    "lr_schedule", "privacy", "epsilon", "delta", "noise_multiplier", "update_clip", "prototype_clip",
    "label_rate", "label_delay",
    "label_noise", "client_dropout", "upload_delay", "late_share", "late_uploads",
    "link_rate", "link_latency", "drift_at", "drift_kind",
    *(f"{what}_{name}" for what in ("missing", "degraded") for name in IMBALANCE),
]  # fmt: skip

NAMES = st.text("abcdefgh_-", min_size=1, max_size=8)
RATES = st.floats(0, 1)
COUNTS = st.integers(1, 10**6)
POSITIVE = st.floats(1e-6, 1e6)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "data": NAMES,
    "modalities": st.none() | st.lists(NAMES, min_size=1, max_size=4),
    "noise": st.dictionaries(NAMES, st.floats(0, 10), max_size=3),
    "features": COUNTS,
    "prototype_bits": st.sampled_from([1, 4, 8, 16, 32]),
    "impaired": st.booleans(),
    "validation": st.booleans(),
    "fusion": st.sampled_from(["equal", "validation"]),
    "flags": st.sampled_from(["assessed", "oracle", "none"]),
    "sampling": st.sampled_from(["fixed", "poisson"]),
    "privacy": st.sampled_from(["none", "server", "device"]),
    "epsilon": st.none() | st.floats(1e-3, 100),
    "delta": st.floats(1e-9, 0.5),
    "noise_multiplier": st.none() | st.floats(0.1, 1e6),
    "update_clip": POSITIVE,
    "prototype_clip": POSITIVE,
    "calibration_rounds": st.integers(0, 100),
    "proximal": st.none() | st.floats(0, 10),
    "clients": st.none() | COUNTS,
    "partition": st.sampled_from([None, "dirichlet", "iid", "natural"]),
    "alpha": POSITIVE,
    "participation": st.floats(0.01, 1),
    "unimodal_share": RATES,
    "client_dropout": RATES,
    "upload_delay": st.integers(0, 9),
    "late_share": RATES,
    "drift_at": st.lists(COUNTS, max_size=3),
    "drift_kind": st.sampled_from(["gain", "classes"]),
    "link_rate": st.none() | POSITIVE,
    "link_latency": st.floats(0, 100),
    "late_uploads": st.sampled_from(["weigh", "drop"]),
    "rounds": COUNTS,
    "momentum": st.floats(0, 0.99),
    "server_optimizer": st.sampled_from(["none", "momentum", "adam"]),
    "server_lr": POSITIVE,
    "server_momentum": st.floats(0, 0.99),
    "lr": POSITIVE,
    "buffer": st.just("all") | COUNTS,
    "label_rate": st.floats(0.01, 1),
    "label_delay": st.integers(0, 100),
    "label_noise": RATES,
    "missing_rate": RATES,
    "missing_pattern": st.sampled_from(["independent", "correlated", "persistent", "bursty", "alternating"]),
    "missing_modality": st.none() | NAMES,
    "missing_length": st.floats(1, 100),
    "degraded_rate": RATES,
    "degraded_granularity": st.sampled_from(["round", "sample"]),
    "test_missing": st.lists(NAMES, max_size=3),
    "test_degradation": st.none() | NAMES,
    "norm_bound": POSITIVE,
    "hostile_share": RATES,
    "prototype_reject": st.none() | st.floats(1, 100),
    "attack": st.sampled_from([None, "sign-flip", "label-flip", "noise"]),
    "seed": st.integers(0, 2**63 - 1),
    "threads": st.none() | COUNTS,
}


def refusal(**given: Any) -> str:
    """Return what configure says to a wrong value, having checked that it is one sentence in the user's words."""
    with pytest.raises(InputError) as caught:
        configure(given)
    sentence = str(caught.value)
    assert "\n" not in sentence
    for jargon in ("Input", "pydantic", "type=", "http", "ValidationError", "Traceback"):
        assert jargon not in sentence
    return sentence


def test_no_two_settings_share_a_key() -> None:
    found = [key for key, _, _, _ in keys()]
    assert len(set(found)) == len(found)


def test_every_field_of_every_group_has_a_key() -> None:
    groups = {name: type(group) for name, group in Config()}
    fields = {(group, name) for group, model in groups.items() for name in model.model_fields}
    assert {(group, name) for _, group, name, _ in keys()} == fields
    assert {key for key, _, _, _ in keys()} == set(Config().flat())


def test_every_option_of_the_interface_is_a_key() -> None:
    assert set(PROMISED) <= set(Config().flat())


def test_every_key_describes_itself() -> None:
    assert [key for key, _, _, field in keys() if not field.description] == []


def test_missing_and_degraded_are_set_apart() -> None:
    config = configure({"missing_rate": 0.25, "degraded_rate": 0.75, "degraded_modality": "acc"})
    assert (config.missing.rate, config.degraded.rate) == (0.25, 0.75)
    assert (config.missing.modality, config.degraded.modality) == (None, "acc")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data", "wearables"),
        ("recipe", "qqr"),
        ("flags", "assessed"),
        ("features", 64),
        ("partition", None),
        ("clients", None),
        ("server_optimizer", "none"),
        ("server_lr", 1.0),
        ("server_momentum", 0.9),
        ("alpha", 1.0),
        ("participation", 1.0),
        ("unimodal_share", 0.0),
        ("client_dropout", 0.0),
        ("upload_delay", 0),
        ("late_share", 1.0),
        ("drift_at", []),
        ("drift_kind", "gain"),
        ("link_rate", None),
        ("link_latency", 0.0),
        ("late_uploads", "weigh"),
        ("validation", False),
        ("fusion", "equal"),
        ("buffer", "all"),
        ("label_rate", 1.0),
        ("label_delay", 0),
        ("label_noise", 0.0),
        ("missing_rate", 0.0),
        ("degraded_rate", 0.0),
        ("missing_bias", 1.0),
        ("missing_granularity", "round"),
        ("test_missing", []),
        ("test_degradation", None),
        ("norm_bound", 1000.0),
        ("seed", 0),
        ("engine", "auto"),
        ("dtype", "float32"),
        ("evaluate_every", 1),
    ],
)
def test_the_defaults_are_those_of_the_interface(key: str, value: object) -> None:
    assert configure({}).flat()[key] == value


def test_nothing_given_is_the_default() -> None:
    assert configure({}) == Config()


@settings(max_examples=100)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_flat_and_configure_undo_each_other(chosen: dict[str, Any]) -> None:
    config = configure(chosen)
    flat = config.flat()
    assert {key: flat[key] for key in chosen} == chosen
    assert configure(flat) == config
    assert configure(json.loads(json.dumps(flat, allow_nan=False))) == config


@settings(max_examples=100)
@given(st.fixed_dictionaries({}, optional=VALUES), st.booleans())
def test_keys_and_values_may_be_typed_as_text(chosen: dict[str, Any], hyphens: bool) -> None:
    def typed(value: Any) -> str:
        if isinstance(value, dict):
            return ",".join(f"{m}={number!r}" for m, number in value.items())
        return ",".join(map(str, value)) if isinstance(value, list) else str(value)

    chosen = {key: value for key, value in chosen.items() if value is not None}
    text = {key.replace("_", "-") if hyphens else key: typed(value) for key, value in chosen.items()}
    assert configure(text) == configure(chosen)


def test_lists_and_levels_ignore_spaces_around_their_commas() -> None:
    config = configure({"modalities": " acc , gyro ", "noise": " acc = 0.5 , gyro=1 ", "test-missing": "acc,"})
    assert config.data.modalities == ["acc", "gyro"]
    assert config.data.noise == {"acc": 0.5, "gyro": 1.0}
    assert config.degradation.test_missing == ["acc"]


def test_but_changes_the_keys_named_and_no_other() -> None:
    before = configure({"rounds": 7, "missing_rate": 0.5, "noise": "acc=1"})
    after = before.but(rounds=8, missing_pattern="bursty")
    assert after.flat() == {**before.flat(), "rounds": 8, "missing_pattern": "bursty"}
    assert before.training.rounds == 7


def test_but_refuses_what_configure_refuses() -> None:
    with pytest.raises(InputError, match="unknown setting 'round'"):
        Config().but(round=3)
    with pytest.raises(InputError, match="--rounds"):
        Config().but(rounds=0)


def test_a_configuration_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().training.rounds = 3


def test_an_option_is_spelled_with_hyphens() -> None:
    assert option("missing_rate") == "--missing-rate"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("misssing_rate", "missing_rate"), ("missing-ratee", "missing_rate"), ("epochs", "local_epochs"), ("Lr", "lr")],
)
def test_an_unknown_key_is_answered_with_the_nearest(written: str, meant: str) -> None:
    sentence = refusal(**{written: 1})
    assert sentence.startswith(f"unknown setting {written!r}: did you mean ")
    assert f"'{meant}'" in sentence


def test_a_key_like_no_other_is_answered_with_all() -> None:
    sentence = refusal(zzzzzz=1)
    assert "choose one of: " in sentence
    assert all(f" {key}" in sentence for key in PROMISED)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("rounds", "many", "must be a valid integer"),
        ("rounds", "1.5", "must be a valid integer"),
        ("rounds", 2.5, "must be a valid integer"),
        ("rounds", None, "must be a valid integer"),
        ("rounds", [3], "must be a valid integer"),
        ("lr", "fast", "must be a valid number"),
        ("lr", "", "must be a valid number"),
        ("missing_rate", {"acc": 0.5}, "must be a valid number"),
        ("data", 3, "must be a valid string"),
        ("missing_modality", 1, "must be a valid string"),
        ("impaired", "perhaps", "must be a valid boolean"),
        ("modalities", 3, "must be a valid list"),
        ("noise", 3, "must be"),
        ("noise", "acc", "must read modality=number, with commas between several"),
        ("noise", "acc=1,gyro", "must read modality=number, with commas between several"),
        ("noise", "acc=loud", "must be a valid number"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(key: str, value: object, wanted: str) -> None:
    sentence = refusal(**{key: value})
    assert sentence.startswith(f"{option(key)} {wanted}")
    told = "loud" if value == "acc=loud" else value
    assert sentence.endswith(f", not {told!r}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rounds", 0),
        ("features", -1),
        ("batch_size", 0),
        ("clients", 0),
        ("threads", 0),
        ("seed", -1),
        ("seed", 2**63),
        ("label_rate", 0),
        ("label_rate", 1.1),
        ("label_delay", -1),
        ("label_noise", 1.5),
        ("missing_rate", -0.1),
        ("missing_rate", "1.01"),
        ("degraded_rate", "nan"),
        ("missing_bias", 2),
        ("missing_length", 0.5),
        ("degraded_length", "nan"),
        ("missing_period", 0),
        ("participation", 0),
        ("participation", 1.5),
        ("unimodal_share", 1.01),
        ("client_dropout", 1.01),
        ("upload_delay", -1),
        ("link_rate", 0),
        ("link_latency", -1),
        ("late_share", 1.1),
        ("unimodal_share", -0.1),
        ("alpha", 0),
        ("alpha", "inf"),
        ("lr", 0),
        ("lr", "nan"),
        ("lr_decay", 0),
        ("lr_decay", 1.1),
        ("lr_min", -1),
        ("momentum", 1),
        ("server_lr", 0),
        ("server_lr", "inf"),
        ("server_momentum", 1),
        ("server_momentum", -0.1),
        ("proximal", -1),
        ("prototype_bits", 0),
        ("prototype_bits", 33),
        ("prototype_delay", 0),
        ("prototype_temperature", 0),
        ("calibration_rounds", -1),
        ("degradation_strength", -1),
        ("degradation_strength", "inf"),
        ("noise", {"acc": -1}),
        ("evaluate_every", 0),
    ],
)
def test_a_value_out_of_its_range_is_refused(key: str, value: object) -> None:
    sentence = refusal(**{key: value})
    assert sentence.startswith(f"{option(key)} must be ")
    told = -1 if isinstance(value, dict) else value
    assert sentence.endswith(f", not {told!r}")


@pytest.mark.parametrize("key", ["missing_length", "degraded_length"])
def test_a_burst_of_endless_length_is_refused_for_json_cannot_hold_it(key: str) -> None:
    assert refusal(**{key: "inf"}).startswith(f"{option(key)} must be ")


@pytest.mark.parametrize("value", [0, -3, "0", "-3", 1.5, "1.5", "none", "--5", "²", "", [5], None])
def test_a_buffer_is_a_number_of_samples_or_all(value: object) -> None:
    assert refusal(buffer=value).startswith("--buffer must be a whole number of samples (at least 1) or 'all', not ")


@pytest.mark.parametrize(
    ("key", "value", "near"),
    [
        ("optimizer", "adm", "'adam'"),
        ("partition", "iidd", "'iid'"),
        ("weights", "sample", "'samples'"),
        ("flags", "orakle", "'oracle'"),
        ("dtype", "float", "'float32'"),
        ("order", "shuffle", "'shuffled'"),
        ("missing_pattern", "burst", "'bursty'"),
        ("degraded_pattern", "persistant", "'persistent'"),
        ("degraded_granularity", "samples", "'sample'"),
        ("engine", "lop", "'loop'"),
        ("fusion", "validate", "'validation'"),
        ("prototype_average", "emma", "'ema'"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(key: str, value: str, near: str) -> None:
    sentence = refusal(**{key: value})
    assert sentence.startswith(f"unknown value of {option(key)} {value!r}: did you mean ")
    assert near in sentence


def test_a_word_like_no_other_is_answered_with_all() -> None:
    assert refusal(optimizer="zzz") == "unknown value of --optimizer 'zzz': choose one of: adam, sgd"
    assert refusal(optimizer=7) == "unknown value of --optimizer '7': choose one of: adam, sgd"


def test_the_first_of_several_wrong_values_is_told() -> None:
    assert refusal(rounds=0, lr=-1).count("--") == 1
