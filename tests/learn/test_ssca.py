"""SSCA, FedMChain's aggregation, by hand."""

from __future__ import annotations

import pytest
import torch
from checks import assert_close, assert_same_bits
from folding import Update, doubles, drawn, folded
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from motet.learn.aggregate.kept import Kept
from motet.learn.aggregate.mean import Mean
from motet.learn.aggregate.ssca import SSCA, _agreement, _clusters

BLOCK_OF = {"encoder.a": "a", "head.a": "a", "b": "b"}
SIZE = 40
both_denominators = pytest.mark.parametrize("denominator", ["mass", "agree"])


def row(first: float, rest: float | None = None, count: int = 30) -> Tensor:
    """Return an update of forty numbers: `count` times the first, then the rest."""
    return doubles([first] * count + [first if rest is None else rest] * (SIZE - count))


def steps(member: SSCA, *updates: tuple[Tensor, float]) -> list[float]:
    """Return the steps of forty numbers that differ."""
    model = {"a": torch.zeros(SIZE, dtype=torch.float64)}
    found = folded(member, model, [({"a": value}, weight) for value, weight in updates])
    return [round(value, 9) for value in found["a"].unique().tolist()]


def agreement(*updates: Tensor) -> list[list[float]]:
    """Return how far each two updates agree."""
    kept = Kept({"a": "a"})
    kept.add({"a": torch.stack(updates)}, {"a": torch.ones(len(updates)) > 0}, torch.ones(len(updates)).double())
    found: list[list[float]] = _agreement(kept, ["a"], torch.arange(len(updates))).tolist()
    return found


# --- Agreement and clusters --------------------------------------------------------------------------------------


def test_agreement_is_the_mean_product_of_signs_where_neither_is_zero() -> None:
    found = agreement(row(1), row(3, -0.1), row(-2, 0, count=36))
    assert found[0] == [1, 0.5, -1]  # (30 - 10) / 40; -36 / 36
    assert found[1] == [0.5, 1, pytest.approx((-30 + 6) / 36)]
    assert found[2] == [-1, pytest.approx(-24 / 36), 1]


def test_an_overlap_under_32_coordinates_agrees_in_nothing() -> None:
    assert agreement(row(1), row(1, 0, count=31))[0] == [1, 0]
    assert agreement(row(1), row(1, 0, count=32))[0] == [1, 1]
    assert agreement(row(1), row(-1, 0, count=31))[0] == [1, 0]
    assert agreement(row(1, 0, count=35), torch.flip(row(1, 0, count=35), [0]))[0] == [1, 0]  # 30 in common


@pytest.mark.parametrize(
    ("pair", "third", "clusters"),
    [
        (0.6, (0.3, -0.2), [0, 0, 1]),  # the two to the third: .05 in the mean
        (0.6, (0.3, 0.0), [0, 0, 0]),  # .15
        (0.05, (0.0, 0.09), [0, 1, 2]),
        (0.0, (0.4, 0.0), [0, 1, 0]),  # then .0
        (0.0, (0.4, 0.3), [0, 0, 0]),  # then .15
        (0.1, (0.0, 0.0), [0, 0, 1]),  # just enough
        (-1.0, (-1.0, -1.0), [0, 1, 2]),
    ],
)
def test_clusters_grow_while_the_mean_agreement_is_enough(
    pair: float, third: tuple[float, float], clusters: list[int]
) -> None:
    matrix = doubles([[1, pair, third[0]], [pair, 1, third[1]], [*third, 1]])
    assert _clusters(matrix, 0.1).tolist() == clusters


def test_the_mean_is_over_pairs_of_clients_not_over_clusters() -> None:
    """The fourth agrees with the three by (.55 + 0 - .2) / 3 = .11666; by (.275 - .2) / 2 if joins were halved."""
    matrix = doubles([[1, 0.9, 0.8, 0.55], [0.9, 1, 0.8, 0.0], [0.8, 0.8, 1, -0.2], [0.55, 0.0, -0.2, 1]])
    assert _clusters(matrix, 0.116).tolist() == [0, 0, 0, 0]
    assert _clusters(matrix, 0.117).tolist() == [0, 0, 0, 1]


def test_clusters_are_in_the_order_of_their_first_clients() -> None:
    matrix = doubles([[1, 0, 0.2, 0], [0, 1, 0, 0.9], [0.2, 0, 1, 0], [0, 0.9, 0, 1]])
    assert _clusters(matrix, 0.1).tolist() == [0, 1, 0, 1]


# --- Merging -----------------------------------------------------------------------------------------------------


def test_clusters_are_merged_with_the_sums_of_their_weights() -> None:
    """2 (weight 1) and 6 (weight 3) are one cluster, 5 of weight 4; -4 of weight 2 is another. The sum is 20 - 8."""
    updates = (row(2), 1.0), (row(6), 3.0), (row(-4), 2.0)
    assert steps(SSCA(), *updates) == [pytest.approx(20 / 6)]
    assert steps(SSCA(denominator="agree", cap=False), *updates) == [5]
    assert steps(SSCA(denominator="agree"), *updates) == [pytest.approx((2 + 18 + 8) / 6)]  # of |T_k|, each / sqrt(40)


def test_inside_a_cluster_each_coordinate_elects_its_sign() -> None:
    """Agreement .5: one cluster. On the last ten 1 * 2 - 3 * 6 < 0, so 6 of weight 3 is left of weight 4."""
    updates = (row(2), 1.0), (row(6, -6), 3.0)
    assert steps(SSCA(), *updates) == [-4.5, 5]
    assert steps(SSCA(denominator="agree", cap=False), *updates) == [-6, 5]
    cap = 1000**0.5 / 1110**0.5  # sqrt 40 * (2 + 18) / 4 over sqrt(30 * 25 + 10 * 36)
    assert steps(SSCA(denominator="agree"), *updates) == [pytest.approx(-6 * cap), pytest.approx(5 * cap)]


def test_clusters_decide_before_clients_do() -> None:
    """0 and 1 are a cluster: on the last ten 3 - 1 > 0, so 3 / 4 of weight 4 against 3.5, and -3.5 / 5 is left.

    In one merge of all (an agreement of -1 is enough) it is 3 - 1 - 3.5 < 0, and -(1 + 3.5) / 5.
    """
    updates = (row(1), 3.0), (row(1, -1), 1.0), (row(-3.5), 1.0)
    assert steps(SSCA(), *updates) == [-0.7, 0.8]
    assert steps(SSCA(agreement=-1), *updates) == [-0.9, 0.8]


def test_an_exact_tie_is_no_step() -> None:
    updates = (row(1, 3, count=35), 1.0), (row(1, -1, count=35), 3.0)
    for denominator in ("mass", "agree"):
        assert steps(SSCA(denominator=denominator), *updates) == [0, 1]


@both_denominators
@given(seed=st.integers(0, 999), weight=st.floats(0.1, 100), sent=st.sampled_from([0.2, 1.0]))
def test_an_update_and_its_opposite_cancel(denominator: str, seed: int, weight: float, sent: float) -> None:
    model, [(delta, _)] = drawn(1, 1.0, sent, seed)
    opposite = {name: -value for name, value in delta.items()}
    assert_same_bits(folded(SSCA(denominator=denominator), model, [(delta, weight), (opposite, weight)]), model)


def test_who_sends_a_zero_counts_in_the_mass_alone() -> None:
    updates = (row(2), 1.0), (row(2, 0, count=35), 3.0)
    assert steps(SSCA(), *updates) == [0.5, 2]  # 2 * 1 / 4
    assert steps(SSCA(denominator="agree"), *updates)[-1] < 2  # the step of twos is longer than their mean
    assert steps(SSCA(denominator="agree", cap=False), *updates) == [2]


def test_the_cap_shortens_the_whole_step_to_the_mean_length() -> None:
    """|T_1| = 2 sqrt 40, |T_2| = 2 sqrt 35; their mean weighs 1 to 3, and U = 2 has length 2 sqrt 40."""
    updates = (row(2), 1.0), (row(2, 0, count=35), 3.0)
    longest = (2 * 40**0.5 + 3 * 2 * 35**0.5) / 4
    assert steps(SSCA(denominator="agree"), *updates) == [pytest.approx(2 * longest / (2 * 40**0.5))]


@both_denominators
@pytest.mark.parametrize("cap", [True, False])
def test_one_upload_is_one_cluster(denominator: str, cap: bool) -> None:
    model, updates = drawn(1, 1.0, 0.5, 5)
    found = folded(SSCA(denominator=denominator, cap=cap), model, updates, BLOCK_OF)
    assert_close(found, {name: value + updates[0][0][name] for name, value in model.items()}, 1e-14)


def test_a_block_is_one_whoever_holds_which_of_its_keys() -> None:
    """Client 1 did not train the head, yet holds the block: it counts in the head's mass."""
    model = {"encoder.a": torch.zeros(SIZE).double(), "head.a": torch.zeros(2).double()}
    updates: list[Update] = [({"encoder.a": row(2), "head.a": doubles([4, -4])}, 1.0), ({"encoder.a": row(6)}, 3.0)]
    found = folded(SSCA(), model, updates, BLOCK_OF)
    assert found["encoder.a"].unique().tolist() == [5]
    assert found["head.a"].tolist() == [1, -1]
    apart = folded(SSCA(), model, updates)
    assert apart["encoder.a"].unique().tolist() == [5]
    assert apart["head.a"].tolist() == [4, -4]


def test_signs_agree_over_a_whole_block() -> None:
    """Twenty coordinates in each of two keys: a cluster as in the test above in one block, too few to agree in two."""
    model = {"encoder.a": torch.zeros(20).double(), "head.a": torch.zeros(20).double()}
    ones, mixed, less = torch.ones(20).double(), doubles([1] * 10 + [-1] * 10), doubles([-3.5] * 20)
    updates: list[Update] = [
        ({"encoder.a": ones, "head.a": ones}, 3.0),
        ({"encoder.a": ones, "head.a": mixed}, 1.0),
        ({"encoder.a": less, "head.a": less}, 1.0),
    ]
    for block_of, last in ((BLOCK_OF, -0.7), (None, -0.9)):
        found = folded(SSCA(), model, updates, block_of)
        assert found["encoder.a"].tolist() == pytest.approx([0.8] * 20)
        assert found["head.a"].tolist() == pytest.approx([0.8] * 10 + [last] * 10)


# --- Identities and bounds ---------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(clients=st.integers(1, 9), seed=st.integers(0, 999))
def test_one_cluster_of_dense_updates_of_the_same_signs_is_the_weighted_mean(clients: int, seed: int) -> None:
    model, updates = drawn(clients, 1.0, 1.0, seed)
    signs = {name: value.sign() for name, value in model.items()}
    agreeing = [({name: value.abs() * signs[name] for name, value in delta.items()}, w) for delta, w in updates]
    assert_close(folded(SSCA(), model, agreeing, BLOCK_OF), folded(Mean(), model, agreeing), 1e-12)


@both_denominators
@settings(max_examples=60)
@given(clients=st.integers(1, 9), sent=st.sampled_from([0.2, 1.0]), seed=st.integers(0, 999))
def test_no_coordinate_moves_further_than_anybody_moved_it(
    denominator: str, clients: int, sent: float, seed: int
) -> None:
    model, updates = drawn(clients, 1.0, sent, seed)
    found = folded(SSCA(denominator=denominator, cap=False), model, updates, BLOCK_OF)
    for name, value in model.items():
        furthest = torch.stack([delta[name].abs() for delta, _ in updates]).amax(0)
        assert bool(((found[name] - value).abs() <= furthest + 1e-12).all())


@settings(max_examples=60)
@given(clients=st.integers(1, 9), sent=st.sampled_from([0.2, 1.0]), seed=st.integers(0, 999))
def test_with_mass_the_cap_changes_nothing_and_with_either_it_holds(clients: int, sent: float, seed: int) -> None:
    model, updates = drawn(clients, 1.0, sent, seed)
    free, capped = (folded(SSCA(cap=cap), model, updates, BLOCK_OF) for cap in (False, True))
    assert_close(capped, free, 1e-12)
    weight = sum(w for _, w in updates)
    for names in (["encoder.a", "head.a"], ["b"]):
        lengths = [float(torch.cat([delta[n].flatten() for n in names]).norm()) for delta, _ in updates]
        longest = sum(length * w for length, (_, w) in zip(lengths, updates, strict=True)) / weight
        found = folded(SSCA(denominator="agree"), model, updates, BLOCK_OF)
        assert float(torch.cat([(found[n] - model[n]).flatten() for n in names]).norm()) <= longest + 1e-9
