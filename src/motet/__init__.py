"""Motet: train one model across many devices whose sensors drop out and degrade.

>>> import motet
>>> result = motet.run(motet.wearables(clients=5, samples=40), recipe="qqr", rounds=2, missing_rate=0.5)
>>> 0 <= result.final.accuracy <= 1
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from motet.api import Run, audit, compare, run, worth
    from motet.data.archive import load, save
    from motet.data.columns import from_columns
    from motet.data.dataset import ArrayDataset, Dataset, Modality
    from motet.data.digits import digits
    from motet.data.wearables import wearables
    from motet.errors import InputError, Interrupted, MotetError
    from motet.learn.family import member
    from motet.learn.recipe import Recipe, recipe

_HOMES = {
    "ArrayDataset": "motet.data.dataset",
    "Dataset": "motet.data.dataset",
    "InputError": "motet.errors",
    "Interrupted": "motet.errors",
    "Modality": "motet.data.dataset",
    "MotetError": "motet.errors",
    "Recipe": "motet.learn.recipe",
    "Run": "motet.api",
    "audit": "motet.api",
    "compare": "motet.api",
    "digits": "motet.data.digits",
    "from_columns": "motet.data.columns",
    "load": "motet.data.archive",
    "member": "motet.learn.family",
    "recipe": "motet.learn.recipe",
    "run": "motet.api",
    "save": "motet.data.archive",
    "wearables": "motet.data.wearables",
    "worth": "motet.api",
}
__all__ = [
    "ArrayDataset",
    "Dataset",
    "InputError",
    "Interrupted",
    "Modality",
    "MotetError",
    "Recipe",
    "Run",
    "audit",
    "compare",
    "digits",
    "from_columns",
    "load",
    "member",
    "recipe",
    "run",
    "save",
    "wearables",
    "worth",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``motet --help`` need not wait for PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'motet' has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
