"""What two runs must have in common when they differ in rounding alone, such as one by each engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from motet.engine.run import Finished

SMALLEST_SCALE = 1e-6
"""A tensor of smaller numbers is compared as if its numbers were of this size."""


def assert_twins(found: Finished, expected: Finished, tolerance: float = 1e-9) -> None:
    """Fail unless two runs are the same: counts, bytes and who lacked what exactly, numbers to a tolerance."""
    assert_states_close(found.state.to_checkpoint()[0], expected.state.to_checkpoint()[0], tolerance)
    one, other = found.state, expected.state
    assert (one.online.hits, one.online.samples) == (other.online.hits, other.online.samples)
    assert one.online.loss == pytest.approx(other.online.loss, rel=tolerance)
    assert (one.largest, one.samples) == (other.largest, other.samples)
    assert found.result.device == expected.result.device
    sparse = "topk" in str(expected.result.config["upload"])  # a number that one rounds to zero is not sent
    _assert_near(found.result.bytes.model_dump(), expected.result.bytes.model_dump(), 0.02 if sparse else 0, "bytes")
    assert found.result.assessment == expected.result.assessment
    for line, wanted in zip(found.result.history, expected.result.history, strict=True):
        counted = {"bytes_up", "bytes_down"} if sparse else set()
        lines = (one_line.model_dump(exclude=counted) for one_line in (line, wanted))
        _assert_near(*lines, tolerance, f"round {line.round}")


def assert_states_close(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], tolerance: float) -> None:
    """Fail unless states hold the same names and numbers: whole ones exactly, others relative to their tensor."""
    assert list(found) == list(expected)
    for name, wanted in expected.items():
        value = found[name]
        assert (value.dtype, value.shape) == (wanted.dtype, wanted.shape), name
        if not wanted.is_floating_point():
            assert torch.equal(value, wanted), name
        elif wanted.numel():
            scale = max(float(wanted.abs().max()), SMALLEST_SCALE)
            far = float((value - wanted).abs().max()) / scale
            assert far <= tolerance, f"{name} is off by {far:.1e}"


def _assert_near(found: Any, expected: Any, tolerance: float, place: str) -> None:
    """Fail unless two records hold the same keys and the same figures, fractions to a tolerance."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key, wanted in expected.items():
            _assert_near(found[key], wanted, tolerance, f"{place}, {key}")
    elif isinstance(expected, float | int) and not isinstance(expected, bool):
        assert found == pytest.approx(expected, rel=tolerance, abs=tolerance), place
    else:
        assert found == expected, place
