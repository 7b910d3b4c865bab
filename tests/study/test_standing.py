"""Rows against each other: what is told apart, and what is said of it."""

from __future__ import annotations

import pytest
from made import found, study

from motet.study.data import Found
from motet.study.design import Cell
from motet.study.standing import BEST, Place, best_other, standing, standings
from motet.study.words import findings, how_sure, over_points, tally

BY_SEED = (0.00, 0.01, 0.03)


def clear_at_the_end(cell: Cell) -> float:
    """fedavg falls by 30 points at .9, and seeds differ alike; partial is 1 point off at .1, either way."""
    base = 0.8 + BY_SEED[cell.seed]
    if cell.row == "fedavg":
        return base - (0.3 if cell.point == "0.9" else 0)
    return base + (0.0 if cell.point == "0.9" else (0.01, -0.01, 0.0)[cell.seed]) + 0.001 * cell.seed


@pytest.fixture
def data() -> Found:
    """Return data in which partial is above fedavg at .9 alone."""
    return found(clear_at_the_end)


def test_a_clear_difference_is_told_apart_and_a_small_one_is_not(data: Found) -> None:
    held = standing(data, "partial", "fedavg")
    assert held.above == [Place("ucihar", "0.9")]
    assert held.below == []
    assert held.level == [Place("ucihar", "0.1")]
    assert held.differences[Place("ucihar", "0.9")].mean == pytest.approx(0.301)


def test_the_other_way_round_it_is_below(data: Found) -> None:
    assert standing(data, "fedavg", "partial").below == [Place("ucihar", "0.9")]


def test_many_places_ask_for_more(data: Found) -> None:
    """By itself p is .03 here; with nine more places of nothing it is no find."""

    def slight(cell: Cell) -> float:
        if cell.row == "fedavg" or cell.point != "a":
            return 0.5
        return 0.5 + (0.010, 0.014, 0.020)[cell.seed]

    alone = found(slight, points=("a",))
    assert standing(alone, "partial", "fedavg").above == [Place("ucihar", "a")]
    among = found(
        lambda cell: slight(cell) if cell.point == "a" else 0.5 + 0.01 * ((cell.seed + len(cell.row)) % 3),
        points=tuple("abcdefghij"),
    )
    assert standing(among, "partial", "fedavg").above == []


def test_the_best_other_is_the_highest_mean_and_never_an_upper_bound() -> None:
    rows = {name: {"recipe": name} for name in ("fedavg", "partial", "full")}
    data = found(lambda cell: {"fedavg": 0.5, "partial": 0.6, "full": 0.9}[cell.row], rows=rows)
    assert best_other(data, "ucihar", "0.1", "fedavg") == "partial"
    assert best_other(data, "ucihar", "0.1", "partial") == "fedavg"
    pairs = [(held.row, held.against) for held in tally(data, ["fedavg"], "accuracy")]
    assert pairs == [("fedavg", BEST), ("partial", "fedavg"), ("partial", BEST)]


def test_sentences_have_the_numbers_of_the_data(data: Found) -> None:
    """Over both points the seeds differ by 15.5, 14.6 and 15.2: mean 15.1, deviation .458, t(.975, 2) = 4.3027."""
    [sentence] = findings(study(), data)
    assert sentence == (
        "On ucihar, `partial` against `fedavg`: +15.1 (+14.0 to +16.2) points of accuracy on average; above at 0.9; "
        "not told apart at 0.1; farthest apart at 0.9: +30.1 (+29.9 to +30.3)."
    )
    assert "over all comparisons of a figure together (Holm)" in how_sure(data)
    assert "nothing is told apart" in how_sure(found(clear_at_the_end, seeds=1))


def test_the_mean_over_points_is_paired_by_seed(data: Found) -> None:
    difference = over_points(data, standing(data, "partial", "fedavg"), "ucihar")
    assert difference.mean == pytest.approx((0.301 + 0.001) / 2)
    best = over_points(data, standing(data, "partial", BEST), "ucihar")
    assert best.mean == pytest.approx(difference.mean)


def test_a_reference_point_is_what_others_are_held_against(data: Found) -> None:
    said = findings(study(pairs=(), reference="0.1"), data)
    assert said[0] == "On ucihar, `fedavg` against itself at 0.1: -30.0 at 0.9 (points of accuracy)."


def test_all_pairs_together_ask_for_more_than_one(data: Found) -> None:
    """p is .0097 for what one pair finds by itself; among twenty comparisons it is no find."""

    def slight(cell: Cell) -> float:
        return 0.5 + ((0.010, 0.012, 0.014)[cell.seed] if cell.row == "partial" else 0.0)

    own = found(slight, points=("a",))
    pair = ("partial", "fedavg")
    [alone] = standings(own, [pair])
    assert alone.above == [Place("ucihar", "a")]
    assert all(held.above == [] for held in standings(own, [pair] * 20))
