"""What the server remembers."""

from __future__ import annotations

import numpy as np

from motet.stream.bank import CAPACITY, FADE, Bank, accumulate, deposit, recall_bank, recall_declared, store
from motet.stream.message import Summary, of_those_who_have_it, read, write
from motet.stream.moments import Moments


def summary(label, number, value=0.0):
    r = len(label)
    parts = Moments(np.array(number, dtype=float), np.full((r, 2), value), np.tile(np.eye(2), (r, 1, 1)))
    return Summary(np.array(label), np.ones(r, dtype=bool), parts, np.zeros(r, dtype=int), np.full((1, 65), r))


def together(*summaries):
    return of_those_who_have_it(summaries)


def same(a, b):
    for field, one in a._asdict().items():
        other = getattr(b, field)
        if isinstance(one, Moments):
            same(one, other)
        else:
            np.testing.assert_array_equal(one, other)


def test_messages_come_back_as_they_were():
    sent = summary([-1, 2], [4, 1], 0.5)
    same(read("m", write("m", sent)), sent)
    assert read("other", write("m", sent)) is None


def test_clients_stand_one_after_another_and_those_without_samples_do_not_count():
    nobody = summary([], [])
    both = together(summary([0, 1], [2, 3]), nobody, summary([4], [1]))
    found = together(both, nobody, both)
    np.testing.assert_array_equal(both.group, [0, 0, 1])
    np.testing.assert_array_equal(both.distances[:, 0], [2, 1])
    np.testing.assert_array_equal(found.group, [0, 0, 1, 2, 2, 3])
    np.testing.assert_array_equal(found.label, [0, 1, 4, 0, 1, 4])
    np.testing.assert_array_equal(found.distances[:, 0], [2, 1, 2, 1])


def test_declared_rounds_add_up():
    first = accumulate(None, together(summary([0, 3], [2, 1], 1.0), summary([3], [4], 2.0)))
    both = accumulate(first, together(summary([3], [1], 2.0), summary([-1], [7], 5.0)))
    np.testing.assert_array_equal(both.label, [-1, 0, 3])
    np.testing.assert_array_equal(both.parts.number, [7, 2, 6])
    np.testing.assert_allclose(both.parts.mean[:, 0], [5, 1, (1 + 4 * 2 + 2) / 6])
    np.testing.assert_array_equal(both.distances, FADE * 3 + 2)


def test_a_sample_seen_again_is_not_another_one():
    declared = None
    for number in (1, 5, 2):
        declared = accumulate(declared, together(summary([0], [number]), summary([0], [1])))
    np.testing.assert_array_equal(declared.distinct, [6])


def test_a_full_bank_drops_the_oldest_but_none_of_this_round():
    bank = None
    for now in range(1, 4):
        bank = deposit(bank, together(*[summary([0, 1], [1, now])] * (CAPACITY // 2)), now)
    np.testing.assert_array_equal(np.unique(bank.round), [2, 3])
    np.testing.assert_array_equal(bank.group, np.repeat(np.arange(CAPACITY), 2))
    np.testing.assert_array_equal(bank.parts.number[1::2], np.repeat([2, 3], CAPACITY // 2))
    large = deposit(bank, together(*[summary([0], [1])] * (CAPACITY + 7)), 4)
    np.testing.assert_array_equal(large.round, np.full(CAPACITY + 7, 4))
    np.testing.assert_array_equal(large.group, np.arange(CAPACITY + 7))


def test_records_come_back_from_the_flat_memory():
    bank = deposit(None, together(summary([0], [1], 0.25), summary([-1, 4], [2, 3], 0.5)), 1)
    declared = accumulate(None, summary([0, 2], [1, 9], 1 / 3))
    memory = store("bank", "m", bank) | store("declared", "m", declared) | store("bank", "mm", bank)
    assert all(isinstance(value, np.ndarray) for value in memory.values())
    same(recall_bank(memory, "m"), bank)
    same(recall_declared(memory, "m"), declared)
    assert recall_bank(memory, "other") is None
    assert isinstance(recall_bank(memory, "mm"), Bank)
