"""Recipes: rows of choices, and what wins over what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.config import Config, RecipeSettings
from motet.errors import InputError
from motet.learn.family import FAMILIES, create
from motet.learn.recipe import RECIPES, Recipe, controls, recipe, resolve

# objective, missing, degraded, drift, aggregate, weights, upload, bits of a prototype: the rows of the design
TABLE = {
    "fedavg": ("joint", "zero", "as-is", "none", "mean", "equal", "dense", 32),
    "full": ("joint", "zero", "as-is", "none", "mean", "equal", "dense", 32),
    "partial": ("joint", "skip", "drop", "none", "mean", "equal", "dense", 32),
    "local": ("joint", "skip", "as-is", "none", "none", "equal", "dense", 32),
    "late": ("late", "skip", "as-is", "none", "mean", "equal", "dense", 32),
    "late-unimodal": ("late-unimodal", "skip", "as-is", "none", "mean", "equal", "dense", 32),
    "fedprox": ("joint", "zero", "as-is", "proximal", "mean", "equal", "dense", 32),
    "pmm": ("joint", "prototype", "as-is", "none", "mean", "equal", "dense", 32),
    "qqr": ("joint", "prototype", "blend", "none", "mean", "equal", "dense", 4),
    "ogm-ge": ("ogm", "zero", "as-is", "none", "mean", "equal", "dense", 32),
    "fedproto": ("joint", "zero", "as-is", "prototype-pull", "mean", "equal", "dense", 32),
    "scaffold": ("joint", "zero", "as-is", "scaffold", "mean", "equal", "dense", 32),
    "moon": ("joint", "zero", "as-is", "moon", "mean", "equal", "dense", 32),
    "t-fedavg": ("joint", "zero", "as-is", "none", "mean", "samples", "ternary", 32),
    "fedcmi": ("infiltrate", "infiltration", "as-is", "proximal", "mean", "samples", "dense", 32),
    "fedmchain": ("chain", "skip", "as-is", "none", "ssca", "samples", "topk", 32),
}
CONTROLS = {
    "qqr-quantity": {"degraded": "as-is"},
    "qqr-quality": {"missing": "zero"},
    "fedcmi-untaught": {"objective": "infiltrate:infiltration_weight=0"},
    "fedcmi-plain": {"objective": "infiltrate:temperature=none"},
    "fedmchain-alone": {"objective": "chain:gamma=0"},
    "fedmchain-mean": {"aggregate": "mean"},
    "fedmchain-late": {"objective": "late"},
    "fedmchain-late-unimodal": {"objective": "late-unimodal"},
}


def refusal(**given: Any) -> str:
    """Return what resolve says to a wrong value."""
    with pytest.raises(InputError) as caught:
        resolve(given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", list(TABLE))
def test_a_recipe_is_the_row_of_the_design(name: str) -> None:
    row = resolve({"recipe": name}).recipe
    found = (row.objective, row.missing, row.degraded, row.drift, row.aggregate, row.weights, row.upload)
    assert (*found, row.prototype_bits) == TABLE[name]
    assert row.recipe == name


@pytest.mark.parametrize("name", list(CONTROLS))
def test_a_control_differs_from_its_recipe_in_one_choice(name: str) -> None:
    row = recipe(name)
    assert row.control_of is not None
    whole = resolve({"recipe": row.control_of}).flat()
    found = resolve({"recipe": name}).flat()
    assert {key: value for key, value in found.items() if value != whole[key]} == {**CONTROLS[name], "recipe": name}


def test_controls_of_recipes_are_found_by_name() -> None:
    assert controls(["fedcmi", "fedavg", "qqr"], {"rounds": 3}) == [
        n for n in CONTROLS if not n.startswith("fedmchain")
    ]
    assert {name for name, row in RECIPES.items() if row.control_of} == set(CONTROLS)


def test_what_a_control_leaves_out_cannot_be_given_for_all() -> None:
    with pytest.raises(InputError, match="fedmchain-alone is fedmchain with another objective, so --objective cannot"):
        controls(["fedmchain"], {"objective": "chain:order=rotating"})
    assert controls(["qqr"], {"objective": "late"}) == ["qqr-quantity", "qqr-quality"]


@pytest.mark.parametrize("name", ["scaffold", "moon", "fedproto"])
def test_the_shorthand_takes_no_other_drift_s_place(name: str) -> None:
    assert refusal(recipe=name, proximal=0.1).startswith("--proximal does not go with --drift ")
    assert refusal(proximal=0.1, drift=3).startswith("--drift ")
    assert resolve({"recipe": "fedcmi", "proximal": 0.5}).recipe.drift == "proximal:mu=0.5"


def test_full_alone_sees_data_that_nothing_happened_to() -> None:
    assert [name for name in RECIPES if not resolve({"recipe": name}).recipe.impaired] == ["full"]


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_says_what_it_does_and_where_it_comes_from(name: str) -> None:
    row = recipe(name)
    assert row.name == name
    assert row.summary
    assert row.source


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipes_members_can_be_made(name: str) -> None:
    row = resolve({"recipe": name}).recipe
    for family in FAMILIES:
        create(family, getattr(row, family))


def test_the_default_recipe_is_qqr() -> None:
    assert resolve({}) == resolve({"recipe": "qqr"})


def test_what_is_given_wins_over_the_row_and_the_row_over_the_default() -> None:
    config = resolve({"recipe": "qqr", "missing": "skip", "rounds": 7})
    assert config.recipe.missing == "skip"  # given; the row says prototype
    assert config.recipe.degraded == "blend"  # the row; the default says as-is
    assert config.recipe.weights == "equal"  # the default
    assert config.training.rounds == 7


@given(
    name=st.sampled_from(sorted(RECIPES)),
    changes=st.fixed_dictionaries(
        {},
        optional={
            "objective": st.sampled_from(["joint", "late"]),
            "missing": st.sampled_from(["zero", "skip", "prototype:match=nearest"]),
            "degraded": st.sampled_from(["as-is", "drop", "align:by=contrast,mu=0.5"]),
            "aggregate": st.sampled_from(["mean", "none"]),
            "prototype_bits": st.sampled_from([4, 32]),
            "impaired": st.booleans(),
        },
    ),
)
def test_precedence_holds_for_every_key(name: str, changes: dict[str, Any]) -> None:
    expected = {**Config().flat(), **RECIPES[name].choices, **changes, "recipe": name}
    assert resolve({"recipe": name, **changes}).flat() == expected
    assert resolve({"recipe": recipe(name).but(**changes)}).flat() == expected


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_resolved_configuration_resolves_to_itself(name: str) -> None:
    config = resolve({"recipe": name, "missing-rate": "0.5"})
    assert resolve(config.flat()) == config


def test_nothing_is_what_was_not_given() -> None:
    assert resolve({"recipe": None, "missing": None, "rounds": None}) == resolve({})


def test_keys_may_have_hyphens_or_underscores() -> None:
    assert resolve({"prototype-bits": 8}) == resolve({"prototype_bits": 8})
    assert resolve({"prototype-bits": 8}).recipe.prototype_bits == 8


def test_a_recipe_of_ones_own_may_be_given_whole() -> None:
    own = Recipe("mine", "a test", "nowhere", {"missing": "skip", "upload": "q8"})
    config = resolve({"recipe": own, "upload": "q4"})
    assert (config.recipe.recipe, config.recipe.missing, config.recipe.upload) == ("mine", "skip", "q4")


def test_but_leaves_the_row_it_came_from_as_it_was() -> None:
    before = recipe("qqr")
    after = before.but(missing="skip")
    assert dict(before.choices) == {"missing": "prototype", "degraded": "blend", "prototype_bits": 4}
    assert dict(after.choices) == {"missing": "skip", "degraded": "blend", "prototype_bits": 4}
    assert (after.name, after.summary, after.source) == (before.name, before.summary, before.source)


@pytest.mark.parametrize(("key", "near"), [("mising", "'missing'"), ("aggregation", "'aggregate'")])
def test_but_answers_an_unknown_choice_with_the_nearest(key: str, near: str) -> None:
    with pytest.raises(InputError, match=f"unknown choice of a recipe '{key}': did you mean ") as caught:
        recipe("qqr").but(**{key: "x"})
    assert near in str(caught.value)


@pytest.mark.parametrize("key", ["recipe", "rounds", "missing_rate", "flags", "proximal"])
def test_but_takes_choices_of_a_recipe_alone(key: str) -> None:
    with pytest.raises(InputError, match=f"unknown choice of a recipe '{key}'"):
        recipe("qqr").but(**{key: "pmm"})


@pytest.mark.parametrize("key", sorted(set(RecipeSettings.model_fields) - {"recipe"}))
def test_but_takes_every_choice_of_a_recipe(key: str) -> None:
    assert recipe("pmm").but(**{key: "anything"}).choices[key] == "anything"


def test_a_wrong_value_of_but_is_refused_when_it_is_used() -> None:
    with pytest.raises(InputError, match="unknown choice of --missing 'skp': did you mean 'skip'"):
        resolve({"recipe": recipe("qqr").but(missing="skp")})


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown recipe 'qqqr': did you mean 'qqr'"):
        recipe("qqqr")
    assert refusal(recipe="fed-avg").startswith("unknown recipe 'fed-avg': did you mean 'fedavg'")
    assert refusal(recipe=5).startswith("unknown recipe '5': choose one of: ")


@pytest.mark.parametrize("family", list(FAMILIES))
def test_an_unknown_member_is_refused_at_once(family: str) -> None:
    assert refusal(**{family: "xyzzy"}).startswith(f"unknown choice of --{family} 'xyzzy': choose one of: ")


def test_a_member_that_is_no_text_is_refused() -> None:
    assert refusal(missing=3) == "--missing must be a valid string, not 3"


def test_what_configure_refuses_resolve_refuses() -> None:
    assert refusal(**{"missing-rate": "2"}) == "--missing-rate must be less than or equal to 1, not '2'"
    assert refusal(roundz=3).startswith("unknown setting 'roundz': did you mean 'rounds'")


@pytest.mark.parametrize("name", ["qqr", "fedprox"])
def test_proximal_is_short_for_a_drift_with_that_weight(name: str) -> None:
    short = resolve({"recipe": name, "proximal": "0.25"})
    assert short.recipe.drift == "proximal:mu=0.25"
    assert create("drift", short.recipe.drift) == create("drift", "proximal:mu=0.25")
    assert resolve(short.flat()) == short


@pytest.mark.parametrize("written", [1, "1", "0.250", "1e-2", 0.1])
def test_what_proximal_resolved_to_resolves_again_however_it_was_written(written: object) -> None:
    first = resolve({"proximal": written})
    again = resolve(first.flat())
    assert create("drift", again.recipe.drift) == create("drift", first.recipe.drift)


def test_proximal_goes_with_the_drift_that_it_stands_for() -> None:
    assert resolve({"drift": "proximal", "proximal": 0.5}).recipe.drift == "proximal:mu=0.5"


def test_proximal_does_not_go_with_another_drift() -> None:
    assert refusal(drift="none", proximal=0.5) == ("--proximal does not go with --drift none: leave one of them out")


def test_proximal_does_not_silently_win_over_another_weight() -> None:
    sentence = refusal(drift="proximal:mu=0.3", proximal=0.5)
    assert "--proximal" in sentence
    assert "--drift proximal:mu=0.3" in sentence


def test_a_row_names_the_weight_of_its_drift_and_proximal_wins_over_it() -> None:
    row = recipe("fedprox").but(drift="proximal:mu=0.5")
    assert create("drift", resolve({"recipe": row}).recipe.drift) == create("drift", "proximal:mu=0.5")
    assert resolve({"recipe": row, "proximal": 2.0}).recipe.drift == "proximal:mu=2.0"


@pytest.mark.parametrize(("value", "wanted"), [("much", "must be a valid number"), (-1, "must be greater than")])
def test_a_wrong_proximal_is_refused_under_its_own_name(value: object, wanted: str) -> None:
    assert refusal(proximal=value).startswith(f"--proximal {wanted}")
