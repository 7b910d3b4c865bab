"""A function that breaks after some calls."""

from __future__ import annotations

from typing import Any


class Trap:
    """Calls a function as before, and fails from some call on."""

    def __init__(self, function: Any, error: BaseException, calls: int) -> None:
        self.function, self.error, self.left = function, error, calls

    def __get__(self, instance: object, owner: type) -> Any:
        return lambda *arguments, **more: self(instance, *arguments, **more)

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return self.function(*arguments, **more)
