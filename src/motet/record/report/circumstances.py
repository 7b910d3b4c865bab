"""What is not ideal about labels and devices, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motet.record.wording import count, listed, number, percent

Settings = Mapping[str, Any]


def labels(config: Settings, impaired: bool) -> str:
    """Say which samples have a label, and when; nothing where all have theirs at once."""
    rate, delay, noise = config.get("label_rate", 1), config.get("label_delay", 0), config.get("label_noise", 0)
    parts = [f"{percent(rate, 0)} of the samples get one"] if rate < 1 else []
    parts += [f"{count(delay, 'round')} late"] if delay else []
    parts += [f"{percent(noise, 0)} of them wrong"] if noise else []
    return f"{', '.join(parts)}." if parts and impaired else ""


def late_uploads(config: Settings) -> str:
    """Say what comes late and what becomes of it; nothing where nothing does."""
    delay = config.get("upload_delay", 0)
    if not delay:
        return ""
    dropped = config.get("late_uploads") == "drop"
    then = "dropped" if dropped else f"counted 1 / {1 + delay}"
    share = percent(config.get("late_share", 1), 0)
    return f"{share} of the uploads come {count(delay, 'round')} after they were made, and are {then}."


def link(config: Settings) -> str:
    """Say how fast the devices' link is; nothing where there is none."""
    if config.get("link_rate") is None:
        return ""
    return (
        f"{number(config['link_rate'])} kB/s each way and {number(config.get('link_latency', 0))} s latency; its time "
        "is by the lengths of messages, and training is no part of it."
    )


def drift(config: Settings) -> str:
    """Say when and how what arrives changes; nothing where it does not."""
    at = config.get("drift_at")
    if not at:
        return ""
    rounds = f"{'round' if len(at) == 1 else 'rounds'} {listed(map(str, sorted(set(at))))}"
    if config.get("drift_kind") == "classes":
        return f" From {rounds} on another half of the classes arrives first."
    return f" From {rounds} on one sensor of each client has another gain."
