"""The strongest modality against the weakest, by hand."""

from __future__ import annotations

from motet.measure.gap import strong_weak_gap


def test_the_strongest_minus_the_weakest() -> None:
    assert strong_weak_gap({"acc": 0.5, "gyro": 0.125, "heart": 0.875}) == 0.75


def test_a_modality_that_no_sample_has_does_not_count() -> None:
    assert strong_weak_gap({"acc": 0.5, "gyro": None, "heart": 0.75}) == 0.25
    assert strong_weak_gap({"acc": None}) is None


def test_one_modality_has_no_gap() -> None:
    assert strong_weak_gap({"acc": 0.5}) == 0
