"""Families and their members."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, Literal

import pytest

from motet.errors import InputError
from motet.learn import family as family_module
from motet.learn.aggregate import Aggregate
from motet.learn.degraded import Degraded
from motet.learn.degraded.align import Align
from motet.learn.drift import Drift
from motet.learn.drift.proximal import Proximal
from motet.learn.family import FAMILIES, check_name, create, member
from motet.learn.missing import Missing
from motet.learn.missing.prototype import Prototype
from motet.learn.missing.skip import Skip
from motet.learn.objective import Objective

KINDS = {"objective": Objective, "missing": Missing, "degraded": Degraded, "drift": Drift, "aggregate": Aggregate}
MEMBERS = [(family, name) for family, members in FAMILIES.items() for name in members]


def refusal(family: str, choice: str) -> str:
    """Return what create says to a wrong choice, having checked that it is one sentence in the user's words."""
    with pytest.raises(InputError) as caught:
        create(family, choice)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "Input" not in sentence
    return sentence


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_every_member_can_be_made_by_its_name_alone(family: str, name: str) -> None:
    member = create(family, name)
    assert isinstance(member, KINDS[family])
    assert member == create(family, name)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_members_of_a_family_are_different_classes(family: str) -> None:
    assert len({type(create(family, name)) for name in FAMILIES[family]}) == len(FAMILIES[family])


def test_a_member_takes_its_parameters_after_a_colon() -> None:
    assert create("drift", "proximal:mu=0.25") == Proximal(mu=0.25)
    assert create("missing", "prototype:match=nearest") == Prototype(match="nearest")
    assert create("degraded", "align:by=cross,mu=2") == Align(by="cross", mu=2.0)
    assert create("degraded", "align: mu = 2 , by = contrast ") == Align(by="contrast", mu=2.0)


def test_a_parameter_that_is_not_named_keeps_its_default() -> None:
    assert create("degraded", "align:mu=0.5") == Align(by="mse", mu=0.5)
    assert create("missing", "skip:") == Skip()


def test_the_name_of_a_choice_is_what_stands_before_the_colon() -> None:
    assert check_name("missing", "prototype:match=nearest") == "prototype"


@pytest.mark.parametrize(
    ("family", "choice", "near"),
    [("missing", "zer", "'zero'"), ("degraded", "blendd:mu=1", "'blend'"), ("objective", "late_unimodal", "'late-un")],
)
def test_an_unknown_member_is_answered_with_the_nearest(family: str, choice: str, near: str) -> None:
    sentence = refusal(family, choice)
    name = choice.partition(":")[0]
    assert sentence.startswith(f"unknown choice of --{family} {name!r}: did you mean ")
    assert near in sentence


def test_a_member_like_no_other_is_answered_with_all() -> None:
    assert (
        refusal("degraded", "xyz")
        == "unknown choice of --degraded 'xyz': choose one of: align, as-is, blend, drop, replace"
    )
    assert refusal("drift", "").startswith("unknown choice of --drift ''")


def test_a_parameter_of_a_wrong_name_is_answered_with_the_nearest() -> None:
    assert (
        refusal("drift", "proximal:mi=1") == "unknown parameter of --drift proximal 'mi': did you mean 'mu'? (all: mu)"
    )
    assert "'match'" in refusal("missing", "prototype:macth=label")


@pytest.mark.parametrize(("family", "name"), [("drift", "none"), ("missing", "skip"), ("degraded", "as-is")])
def test_a_member_without_parameters_says_so(family: str, name: str) -> None:
    assert refusal(family, f"{name}:mu=1") == f"--{family} {name} takes no parameters, so not 'mu'"


@pytest.mark.parametrize("choice", ["proximal:mu", "proximal:0.5", "proximal:mu=1,", "proximal:,"])
def test_parameters_read_name_equals_value(choice: str) -> None:
    assert refusal("drift", choice) == f"--drift {choice}: parameters read name=value, with commas between several"


@pytest.mark.parametrize("value", ["much", "", "1=2"])
def test_a_parameter_of_the_wrong_type_is_refused(value: str) -> None:
    sentence = refusal("drift", f"proximal:mu={value}")
    assert sentence.startswith(f"--drift proximal:mu={value}: mu must be a valid number")
    assert sentence.endswith(f", not {value!r}")


def test_a_parameter_with_an_unknown_word_names_the_known_ones() -> None:
    sentence = refusal("missing", "prototype:match=labels")
    assert sentence == ("--missing prototype:match=labels: match must be 'label', 'nearest' or 'cross', not 'labels'")


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
@pytest.mark.parametrize(("family", "name"), [("drift", "proximal"), ("degraded", "align")])
def test_a_weight_that_is_negative_or_not_finite_is_refused(family: str, name: str, value: str) -> None:
    assert refusal(family, f"{name}:mu={value}").startswith(f"--{family} {name}:mu={value}: mu must be ")


# --- Members of one's own ----------------------------------------------------------------------------------------


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget afterwards what a test adds."""
    for family, members_here in FAMILIES.items():
        monkeypatch.setitem(FAMILIES, family, dict(members_here))


@dataclass(frozen=True)
class Ones(Skip):
    """A member of one's own."""

    how: Literal["many", "few"] = "many"


@pytest.mark.usefixtures("own")
def test_a_decorated_class_is_a_member_like_any_other() -> None:
    assert member("missing", "ones")(Ones) is Ones
    assert create("missing", "ones:how=few") == Ones(how="few")
    assert check_name("missing", "ones:how=few") == "ones"
    assert "'how'" in refusal("missing", "ones:hw=few")


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("family", "name", "found", "sentence"),
    [
        ("missin", "ones", Ones, "unknown family 'missin': did you mean 'missing'"),
        ("missing", "skip", Ones, "--missing skip exists already: give yours another name"),
        ("drift", "ones", Ones, "--drift ones: a member is a frozen dataclass that extends motet.learn.drift.Drift"),
        ("missing", "ones", Missing, "--missing ones: a member is a frozen dataclass"),
        ("missing", "ones", "Ones", "--missing ones: a member is a frozen dataclass"),
    ],
)
def test_what_is_no_member_is_refused(family: str, name: str, found: Any, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        member(family, name)(found)
    assert str(caught.value).startswith(sentence)


def test_an_installed_package_may_bring_members(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("missing.ones", "test_family:Ones", "motet.members"),
        EntryPoint("missing.gone", "test_family:Gone", "motet.members"),
        EntryPoint("missing.skip", "test_family:Ones", "motet.members"),
    ]
    monkeypatch.setattr(family_module, "entry_points", lambda group: points if group == "motet.members" else [])
    family_module._installed.cache_clear()
    try:
        assert create("missing", "ones") == Ones()
        assert create("missing", "skip") == Skip()  # nobody can take the place of a member of Motet's
        assert "--missing gone cannot be imported from test_family:Gone" in refusal("missing", "gone")
    finally:
        family_module._installed.cache_clear()
