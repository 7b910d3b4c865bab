"""Aggregates that see all updates of a round at once: median, trimmed mean, Krum, and what holds for SSCA too."""

from __future__ import annotations

import pytest
import torch
from checks import assert_close, assert_same_bits
from folding import Update, doubles, drawn, folded
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import InputError
from motet.learn.aggregate import Aggregate, kept
from motet.learn.aggregate.clip import Clip
from motet.learn.aggregate.krum import Krum
from motet.learn.aggregate.mean import Mean
from motet.learn.aggregate.median import Median
from motet.learn.aggregate.ssca import SSCA
from motet.learn.aggregate.trimmed_mean import TrimmedMean
from motet.learn.family import create
from motet.nets.network import State

BLOCK_OF = {"encoder.a": "a", "head.a": "a", "b": "b"}
MEMBERS = [
    Clip(),
    Clip(bound=30.0),
    Median(),
    TrimmedMean(),
    TrimmedMean(0.4),
    Krum(),
    Krum(hostile=0, best=2),
    SSCA(),
    SSCA(denominator="agree"),
]
every_member = pytest.mark.parametrize("member", MEMBERS, ids=str)
shares = st.sampled_from([0.0, 0.3, 0.8, 1.0])


def line(*values: float, weights: tuple[float, ...] = ()) -> list[Update]:
    """Return clients with one number each."""
    return [({"a": doubles([v])}, w) for v, w in zip(values, weights or [1.0] * len(values), strict=True)]


def step(member: Aggregate, updates: list[Update]) -> float:
    """Return how far one number moves."""
    return float(folded(member, {"a": doubles([0.0])}, updates)["a"])


# --- By hand -----------------------------------------------------------------------------------------------------


def test_median_is_taken_for_each_coordinate_among_those_who_hold_the_key() -> None:
    model = {"a": doubles([1.0, 2.0]), "b": doubles([5.0]), "c": doubles([7.0])}
    updates = [
        ({"a": doubles([1.0, 9.0]), "b": doubles([1.0])}, 1.0),
        ({"a": doubles([100.0, -3.0])}, 50.0),
        ({"a": doubles([2.0, 0.0]), "b": doubles([4.0])}, 1.0),
    ]
    found = folded(Median(), model, updates)
    assert found["a"].tolist() == [3.0, 2.0]  # 1 + 2, 2 + 0: weights count nothing
    assert found["b"].tolist() == [7.5]  # 5 + (1 + 4) / 2: the mean of the middle two
    assert torch.equal(found["c"], model["c"])


def test_trimmed_mean_drops_the_same_number_at_each_end() -> None:
    assert step(TrimmedMean(), line(3, -100, 1, 200, 2)) == 2  # one of five at each end
    assert step(TrimmedMean(), line(3, -100, 1, 200)) == 26  # floor(.2 * 4) = 0
    assert step(TrimmedMean(0.4), line(3, -100, 1, 200, 2.5)) == 2.5  # two of five at each end
    assert step(TrimmedMean(0.25), line(1, 2, 4, 9, weights=(1, 1, 90, 1))) == 3  # the mean of 2 and 4
    assert step(TrimmedMean(0.49), line(1, 5)) == 3
    assert step(TrimmedMean(0.49), line(7)) == 7


def test_clip_shortens_what_is_longer_than_the_median() -> None:
    """Lengths 3, 4 and 40, whose median is 4; so the last counts as a tenth of it."""
    assert step(Clip(), line(3, -4, 40)) == pytest.approx((3 - 4 + 4) / 3)
    assert step(Clip(), line(3, -4, 40, weights=(1, 2, 5))) == pytest.approx((3 - 8 + 20) / 8)
    assert step(Clip(), line(3, 5)) == 3.5  # of two, 4: 3 and 5 * 4 / 5
    assert step(Clip(bound=2), line(1, -4, 40)) == pytest.approx((1 - 2 + 2) / 3)
    assert step(Clip(bound=1e9), line(1, -4, 40)) == pytest.approx(37 / 3)
    assert step(Clip(), line(0, 0, 7)) == 0


def test_clip_measures_all_that_a_client_sends_and_joins_what_it_holds() -> None:
    """Lengths 5, 10 and 1, whose median is 5: the second counts half, and the third whole."""
    model = {"a": doubles([0.0, 0.0]), "b": doubles([0.0])}
    updates: list[Update] = [
        ({"a": doubles([3.0, 0.0]), "b": doubles([4.0])}, 1.0),
        ({"a": doubles([0.0, 8.0]), "b": doubles([6.0])}, 3.0),
        ({"b": doubles([1.0])}, 1.0),
    ]
    found = folded(Clip(), model, updates)
    assert found["a"].tolist() == pytest.approx([3 / 4, 12 / 4])
    assert found["b"].tolist() == pytest.approx([(4 + 9 + 1) / 5])


def test_krum_takes_the_update_with_the_nearest_neighbours() -> None:
    """f = 0, so two neighbours count: 1 + 2.25, .25 + 1, .25 + 2.25, 72.25 + 81."""
    four = line(0, 1, 1.5, 10)
    assert step(Krum(), four) == 1
    assert step(Krum(best=2), four) == 1.25  # and 1.5, the second best
    assert step(Krum(best=3), four) == pytest.approx((0 + 1 + 1.5) / 3)
    assert step(Krum(best=9), four) == pytest.approx(12.5 / 4)


def test_krum_of_more_hostile_clients_asks_fewer_neighbours() -> None:
    """Six clients: f = 1 by default, three neighbours; with f = 3 it is one, with f = 9 at least one."""
    six = line(0, 4, 5, 6, 9.5, 10)
    assert step(Krum(), six) == 6  # 1 + 4 + 12.25; that of 4 is 1 + 4 + 16, that of 5 is 1 + 1 + 20.25
    assert step(Krum(hostile=3), six) == 9.5  # .25, as that of 10, which comes later
    assert step(Krum(hostile=9), six) == 9.5


def test_of_equal_scores_the_first_client_s_wins() -> None:
    assert step(Krum(), line(1, 2)) == 1
    assert step(Krum(), line(2, 1)) == 2
    assert step(Krum(), line(8, 3, 5, 3)) == 3
    assert step(Krum(), line(7)) == 7


def test_krum_compares_what_both_hold_as_if_it_were_all() -> None:
    """Client 0 lacks b: its distance .75 ^ 2 over one coordinate of four counts 2.25."""
    model = {"a": doubles([0.0]), "b": doubles([0.0, 0.0, 0.0])}
    updates = [
        ({"a": doubles([1.0])}, 1.0),
        ({"a": doubles([0.25]), "b": doubles([0.0, 0.0, 0.0])}, 1.0),
        ({"a": doubles([0.25]), "b": doubles([1.0, 1.0, 0.25])}, 1.0),
    ]
    assert folded(Krum(), model, updates)["a"].tolist() == [0.25]  # 1 and 2 are nearer to each other, 2.0625
    updates[2] = ({"a": doubles([0.25]), "b": doubles([1.0, 1.0, 0.75])}, 1.0)
    found = folded(Krum(), model, updates)
    assert found["a"].tolist() == [1.0]  # now they are not, 2.5625, and client 0 is the first of equals
    assert torch.equal(found["b"], model["b"])  # no chosen client holds it
    both = folded(Krum(best=2), model, updates)
    assert both["a"].tolist() == [0.625]
    assert both["b"].tolist() == [0.0, 0.0, 0.0]  # client 1's alone


def test_clients_that_share_no_key_are_infinitely_far_apart() -> None:
    model = {"a": doubles([0.0]), "b": doubles([0.0])}
    updates = [({"a": doubles([1.0])}, 1.0), ({"b": doubles([1.0])}, 1.0), ({"b": doubles([3.0])}, 1.0)]
    found = folded(Krum(), model, updates)
    assert (float(found["a"]), float(found["b"])) == (0, 1)
    alone = folded(Krum(), model, updates[:2])
    assert (float(alone["a"]), float(alone["b"])) == (1, 0)


def test_whoever_sends_nothing_is_no_neighbour() -> None:
    """With them n would be 8 and f 2, so that four neighbours counted instead of two."""
    four = line(0, 1, 1.5, 10)
    silent: list[Update] = [({}, 1.0)] * 2
    assert step(Krum(), [*silent, *four, *silent]) == 1


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("clip:bound=0", "bound must be greater than 0"),
        ("clip:bound=inf", "bound must be a finite number"),
        ("trimmed-mean:trim=0.5", "trim must be less than 0.5"),
        ("trimmed-mean:trim=-0.1", "trim must be greater than or equal to 0"),
        ("trimmed-mean:trim=nan", "trim must be "),
        ("krum:hostile=-1", "hostile must be greater than or equal to 0"),
        ("krum:best=0", "best must be greater than or equal to 1"),
        ("krum:best=1.5", "best must be a valid integer"),
        ("ssca:agreement=2", "agreement must be less than or equal to 1"),
        ("ssca:denominator=all", "denominator must be 'mass' or 'agree'"),
        ("ssca:cap=perhaps", "cap must be a valid boolean"),
        ("median:trim=0.1", "takes no parameters"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused(choice: str, words: str) -> None:
    with pytest.raises(InputError, match=f"^--aggregate {choice.partition(':')[0]}.*{words}"):
        create("aggregate", choice)


def test_parameters_are_read() -> None:
    assert create("aggregate", "krum") == Krum(hostile=None, best=1)
    assert create("aggregate", "krum:hostile=2,best=3") == Krum(hostile=2, best=3)
    assert create("aggregate", "clip") == Clip(None)
    assert create("aggregate", "clip:bound=0.5") == Clip(0.5)
    assert create("aggregate", "trimmed-mean:trim=0.1") == TrimmedMean(0.1)
    assert create("aggregate", "ssca:agreement=0,cap=false") == SSCA(agreement=0.0, cap=False)


# --- For every member --------------------------------------------------------------------------------------------


@every_member
@settings(max_examples=60)
@given(
    clients=st.integers(1, 9),
    sizes=st.lists(st.integers(1, 5), max_size=5),
    share=shares,
    sent=st.sampled_from([0.1, 0.4, 1.0]),
    seed=st.integers(0, 999),
)
def test_blocks_of_clients_give_the_bits_of_clients_one_by_one(
    member: Aggregate, clients: int, sizes: list[int], share: float, sent: float, seed: int
) -> None:
    model, updates = drawn(clients, share, sent, seed)
    alone = folded(member, model, updates, BLOCK_OF)
    assert_same_bits(folded(member, model, updates, BLOCK_OF, sizes), alone)
    for name, value in model.items():
        if not any(name in delta for delta, _ in updates):
            assert torch.equal(alone[name], value)


@every_member
@settings(max_examples=60)
@given(clients=st.integers(4, 9), seed=st.integers(0, 999), data=st.data())
def test_the_order_of_clients_matters_to_rounding_alone(
    member: Aggregate, clients: int, seed: int, data: st.DataObject
) -> None:
    """Where no two scores are equal: clients that hold everything, and more than three."""
    model, updates = drawn(clients, 1.0, 1.0, seed)
    shuffled = [updates[k] for k in data.draw(st.permutations(range(clients)))]
    assert_close(folded(member, model, shuffled, BLOCK_OF), folded(member, model, updates, BLOCK_OF), 1e-12)


@every_member
@settings(max_examples=60)
@given(clients=st.integers(1, 9), share=shares, sent=st.sampled_from([0.1, 0.4, 1.0]), seed=st.integers(0, 999))
def test_small_pieces_join_as_one(member: Aggregate, clients: int, share: float, sent: float, seed: int) -> None:
    model, updates = drawn(clients, share, sent, seed)
    whole = folded(member, model, updates, BLOCK_OF)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "PIECE", 7 * clients)
        assert_close(folded(member, model, updates, BLOCK_OF), whole, 1e-12)


@every_member
@settings(max_examples=40)
@given(clients=st.integers(1, 9), sent=st.sampled_from([0.1, 1.0]), seed=st.integers(0, 999))
def test_updates_that_are_all_the_same_join_to_that_update(
    member: Aggregate, clients: int, sent: float, seed: int
) -> None:
    """Where SSCA's agreement is over enough coordinates, and where it is not."""
    model, [(delta, _)] = drawn(1, 1.0, sent, seed)
    found = folded(member, model, [(delta, 1.0 + k) for k in range(clients)], BLOCK_OF)
    assert_close(found, {name: value + delta[name] for name, value in model.items()}, 1e-12)


@pytest.mark.parametrize("member", [Mean(), *MEMBERS], ids=str)
@settings(max_examples=40)
@given(clients=st.integers(1, 7), place=st.integers(0, 7), share=shares, seed=st.integers(0, 999))
def test_a_client_of_no_weight_changes_no_bit(
    member: Aggregate, clients: int, place: int, share: float, seed: int
) -> None:
    model, updates = drawn(clients, share, 0.4, seed)
    far: Update = ({name: torch.full_like(value, 1e3) for name, value in model.items()}, 0.0)
    more = [*updates[:place], far, *updates[place:]]
    assert_same_bits(folded(member, model, more, BLOCK_OF), folded(member, model, updates, BLOCK_OF))


@every_member
def test_of_nothing_is_the_model(member: Aggregate) -> None:
    model, _ = drawn(1, 1.0, 1.0, 0)
    assert_same_bits(folded(member, model, []), model)
    assert_same_bits(folded(member, model, [({}, 1.0), ({}, 2.0)]), model)


@every_member
def test_model_and_updates_stay_as_they_were(member: Aggregate) -> None:
    (model, updates), (model_before, before) = drawn(4, 0.8, 0.4, 3), drawn(4, 0.8, 0.4, 3)
    folded(member, model, updates, BLOCK_OF, [4])
    assert_same_bits(model, model_before)
    for (delta, _), (expected, _) in zip(updates, before, strict=True):
        assert_same_bits(delta, expected)


@every_member
def test_number_types_names_and_order_are_the_model_s(member: Aggregate) -> None:
    model: State = {"z": torch.ones(2, dtype=torch.float32), "a": torch.ones(3, dtype=torch.float64)}
    updates = [({"a": torch.ones(3, dtype=torch.float64), "z": torch.ones(2)}, 1.0)] * 3
    found = folded(member, model, updates)
    assert [(name, value.dtype) for name, value in found.items()] == [("z", torch.float32), ("a", torch.float64)]
    torch.testing.assert_close(found["z"], torch.full((2,), 2.0))


# --- What they are for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", [Median(), TrimmedMean(0.0), TrimmedMean(), TrimmedMean(0.4)], ids=str)
@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9))
def test_a_coordinate_stays_within_the_range_of_the_updates(member: Aggregate, values: list[float]) -> None:
    assert min(values) - 1e-9 <= step(member, line(*values)) <= max(values) + 1e-9


@pytest.mark.parametrize("member", [Median(), TrimmedMean(0.4), Krum()], ids=str)
@given(
    good=st.lists(st.floats(-1, 1), min_size=7, max_size=7),
    bad=st.lists(st.sampled_from([-1e30, -1e5, 1e5, 1e30]), min_size=2, max_size=2),
    places=st.permutations(range(9)),
)
def test_two_hostile_clients_of_nine_move_it_nowhere(
    member: Aggregate, good: list[float], bad: list[float], places: list[int]
) -> None:
    values = [[*good, *bad][k] for k in places]
    assert min(good) - 1e-9 <= step(member, line(*values)) <= max(good) + 1e-9
    assert abs(step(Mean(), line(*values))) > 1 or sum(bad) == 0


@given(
    good=st.lists(st.floats(-1, 1), min_size=7, max_size=7),
    bad=st.lists(st.sampled_from([-1e30, -1e5, 1e5, 1e30]), min_size=2, max_size=2),
    places=st.permutations(range(9)),
)
def test_two_hostile_clients_of_nine_count_for_no_more_than_others_where_they_are_clipped(
    good: list[float], bad: list[float], places: list[int]
) -> None:
    values = [[*good, *bad][k] for k in places]
    assert abs(step(Clip(), line(*values))) <= max(map(abs, good)) + 1e-9


@settings(max_examples=40)
@given(clients=st.integers(1, 9), share=shares, sent=st.sampled_from([0.1, 1.0]), seed=st.integers(0, 999))
def test_where_nothing_is_clipped_it_is_the_mean(clients: int, share: float, sent: float, seed: int) -> None:
    model, updates = drawn(clients, share, sent, seed)
    assert_close(folded(Clip(bound=1e6), model, updates, BLOCK_OF), folded(Mean(), model, updates, BLOCK_OF), 1e-12)
