"""What is not ideal about labels and devices, as the report's page says it."""

from __future__ import annotations

from typing import Any

import pytest

from motet.config import configure
from motet.record.report.circumstances import drift, labels, late_uploads, link


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"label_rate": 0.2}, "20 % of the samples get one."),
        ({"label_delay": 10}, "10 rounds late."),
        (
            {"label_rate": 0.5, "label_delay": 1, "label_noise": 0.1},
            "50 % of the samples get one, 1 round late, 10 % of them wrong.",
        ),
    ],
)
def test_labels(given: dict[str, Any], words: str) -> None:
    config = configure(given).flat()
    assert labels(config, impaired=True) == words
    assert labels(config, impaired=False) == ""
    assert labels({}, impaired=True) == ""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"upload_delay": 1}, "100 % of the uploads come 1 round after they were made, and are counted 1 / 2."),
        (
            {"upload_delay": 2, "late_share": 0.25, "late_uploads": "drop"},
            "25 % of the uploads come 2 rounds after they were made, and are dropped.",
        ),
    ],
)
def test_late_uploads(given: dict[str, Any], words: str) -> None:
    assert late_uploads(configure(given).flat()) == words


def test_link() -> None:
    assert link(configure({}).flat()) == ""
    assert link(configure({"link_rate": 12.5, "link_latency": 0.5}).flat()).startswith(
        "12.5 kB/s each way and 0.5 s latency; "
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"drift_at": "7"}, " From round 7 on one sensor of each client has another gain."),
        (
            {"drift_at": [20, 10], "drift_kind": "classes"},
            " From rounds 10 and 20 on another half of the classes arrives first.",
        ),
    ],
)
def test_drift(given: dict[str, Any], words: str) -> None:
    assert drift(configure(given).flat()) == words
