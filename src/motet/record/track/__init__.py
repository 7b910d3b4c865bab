"""Runs followed in TensorBoard or MLflow: their settings, their rounds and what they end with."""

from motet.record.track.store import Store
from motet.record.track.track import Track

__all__ = ["Store", "Track"]
