"""The built-in simulator of people with wearable sensors."""

from motet.data.wearables.simulator import Wearables, wearables

__all__ = ["Wearables", "wearables"]
