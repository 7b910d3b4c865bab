"""Where a fleet's processes write what happens to them."""

from __future__ import annotations

import logging
from pathlib import Path


def log_to(path: Path | None) -> None:
    """Write what Motet logs to a file, or to standard error, a line each with the time."""
    handler = logging.StreamHandler() if path is None else logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logger = logging.getLogger("motet")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
