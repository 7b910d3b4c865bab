"""Training on wrong classes."""

from __future__ import annotations

from torch import Tensor

from motet.learn.attack import Attack


class LabelFlip(Attack):
    """Class y of C is trained on as class C - 1 - y."""

    def labels(self, y: Tensor, classes: int) -> Tensor:
        return classes - 1 - y
